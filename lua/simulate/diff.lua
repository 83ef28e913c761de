-- What a change of a schedule does to its slots: those that it adds, and those that it removes, job by job.
local calendar = require "calendar"
local text = require "text"

local function by_name(jobs)
  local out = {}
  for _, job in ipairs(jobs) do out[job.name] = job end
  return out
end

-- Walks both jobs' slots in [from, to) at once, so that memory does not grow with the window.
local function compare(old, new, from, to, each)
  local function slot_after(job, t)
    local slot = job and job.schedule and calendar.next(job, t)
    return slot and slot < to and slot or math.maxinteger
  end
  local a, b = slot_after(old, from - 1), slot_after(new, from - 1)
  while a < math.maxinteger or b < math.maxinteger do
    if a < b then
      each("removed", a)
    elseif b < a then
      each("added", b)
    end
    local at = math.min(a, b)
    if a == at then a = slot_after(old, at) end
    if b == at then b = slot_after(new, at) end
  end
end

-- Returns {{job =, added = count, removed = count, slots = {{slot =, change =}, …}}, …} of the jobs whose slots
-- differ, by name; of the slots the first `most`.
return function(old_jobs, new_jobs, from, to, most)
  local old, new, names, out = by_name(old_jobs), by_name(new_jobs), {}, {}
  for _, jobs in ipairs {old, new} do
    for name in pairs(jobs) do names[name] = true end
  end
  for _, name in ipairs(text.keys(names)) do
    local entry = {job = name, added = 0, removed = 0, slots = {}}
    compare(old[name], new[name], from, to, function(change, slot)
      entry[change] = entry[change] + 1
      if #entry.slots < most then entry.slots[#entry.slots + 1] = {slot = slot, change = change} end
    end)
    if entry.added + entry.removed > 0 then out[#out + 1] = entry end
  end
  return out
end
