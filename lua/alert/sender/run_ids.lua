-- What services that watch runs want to tell them by: names of monitors and ids of runs.
local crypto = require "crypto"

local run_ids = {}

-- Small letters, digits, - and _ at most `max` long, another for each job: a name that had to be changed gets a
-- digest of the whole.
function run_ids.slug(name, max)
  local slug = name:lower():gsub("[^a-z0-9_-]", "-")
  if slug == name and #slug <= max and slug:find "[^%d]" then return slug end
  return slug:sub(1, max - 9) .. "-" .. crypto.sha256(name):sub(1, 8)
end

-- 32 hex digits, the same for each attempt of one run, at its start and at its end.
function run_ids.hex(event)
  local run = (event.run or ""):gsub("%-r%d+$", "")
  return crypto.sha256(table.concat({event.environment or "", event.namespace or "", event.job or "", run}, "\0"))
    :sub(1, 32)
end

-- The same as a UUID.
function run_ids.uuid(event)
  return (run_ids.hex(event):gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)%x(%x%x%x)%x(%x%x%x)", "%1-%2-4%3-8%4-"))
end

return run_ids
