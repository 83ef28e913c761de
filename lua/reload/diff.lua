-- What differs between two schedules, job by job.
--   diff.jobs(old, new, pause) -> {{name=, what="added" | "removed" | "changed", fields={…}, slots=boolean, old=,
--     new=}, …}, sorted by name, as both lists are. fields: the keys that differ, and "manifest" for what the template
--     says; slots: the job's slots count from now. pause: called after each job.
--   diff.keys(old, new) -> the keys whose values differ, sorted
local schedule = require "schedule"
local text = require "text"

local diff = {}

local PLACE <const> = "place" -- where something is written does not matter

local function equal(a, b)
  if a == b then return true end
  if type(a) ~= "table" or type(b) ~= "table" then return false end
  for key, value in pairs(a) do
    if key ~= PLACE and not equal(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if key ~= PLACE and a[key] == nil then return false end
  end
  return true
end

-- Templates are shared by many jobs: each pair is compared once.
local function manifests_equal(a, b, known)
  if a == b then return true end
  known[a] = known[a] or {}
  if known[a][b] == nil then known[a][b] = equal(a, b) end
  return known[a][b]
end

local function changed_fields(old, new, keys, known)
  local fields = {}
  for _, key in ipairs(keys) do
    if not equal(old[key], new[key]) then fields[#fields + 1] = key end
  end
  if not manifests_equal(old.manifest, new.manifest, known) then fields[#fields + 1] = "manifest" end
  return fields
end

local function compare(old, new, keys, known)
  local fields, slots = changed_fields(old, new, keys, known), old.fingerprint ~= new.fingerprint
  if #fields == 0 and not slots then return nil end
  return {name = new.name, what = "changed", fields = fields, slots = slots, old = old, new = new}
end

function diff.jobs(old, new, pause)
  local keys, known, changes, i, j = schedule.keys(), {}, {}, 1, 1
  while old[i] or new[j] do
    local before, after, change = old[i], new[j]
    if not after or before and before.name < after.name then
      change, i = {name = before.name, what = "removed", old = before}, i + 1
    elseif not before or after.name < before.name then
      change, j = {name = after.name, what = "added", new = after}, j + 1
    else
      change, i, j = compare(before, after, keys, known), i + 1, j + 1
    end
    changes[#changes + 1] = change
    pause()
  end
  return changes
end

function diff.keys(old, new)
  local all, out = {}, {}
  for _, settings in ipairs {old, new} do
    for key in pairs(settings) do all[key] = true end
  end
  for _, key in ipairs(text.keys(all)) do
    if not equal(old[key], new[key]) then out[#out + 1] = key end
  end
  return out
end

return diff
