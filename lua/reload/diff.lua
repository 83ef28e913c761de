-- What differs between two schedules, job by job.
--   diff.jobs(old, new) -> {{name=, what="added" | "removed" | "changed", fields={…}, slots=boolean, old=, new=}, …}
--     sorted by name. fields: the keys that differ, and "manifest" for what the template says; slots: the job's slots
--     count from now. Waits now and then.
--   diff.keys(old, new) -> the keys whose values differ, sorted
local schedule = require "schedule"
local task = require "task"
local text = require "text"

local diff = {}

local JOBS_AT_ONCE <const> = 500
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

local function by_name(jobs)
  local map = {}
  for _, job in ipairs(jobs) do map[job.name] = job end
  return map
end

function diff.jobs(old_jobs, new_jobs)
  local old, new, keys, known, changes = by_name(old_jobs), by_name(new_jobs), schedule.keys(), {}, {}
  for i, job in ipairs(new_jobs) do
    local before = old[job.name]
    changes[#changes + 1] = not before and {name = job.name, what = "added", new = job}
      or before and compare(before, job, keys, known)
    if i % JOBS_AT_ONCE == 0 then task.sleep(0) end
  end
  for _, job in ipairs(old_jobs) do
    if not new[job.name] then changes[#changes + 1] = {name = job.name, what = "removed", old = job} end
  end
  table.sort(changes, function(a, b) return a.name < b.name end)
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
