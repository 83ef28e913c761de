-- Jobs that did not succeed by when they should have, whatever the cause: not run, failing, hanging, or no daemon was
-- there. A mark for each watched job, {at=, slot=}: its last success or excused slot, or when it was first watched.
--   success_within: 26h   due so long after the last success
--   overdue: true         due at the next slot after it, and then deadline, jitter and how long a run takes (its
--                         expect_duration, else its timeout, else an hour)
local clock = require "clock"
local json = require "json"

local Overdue = {}
Overdue.__index = Overdue

local INTERVAL = 10   -- seconds between two looks
local RUN_TAKES = 3600 -- seconds

function Overdue.is_watched(job) return job.schedule and (job.success_within or job.overdue) end

-- jobs: {NAME = job}; marks: as an earlier daemon left them.
function Overdue.new(jobs, marks, now)
  local self = setmetatable({jobs = {}, marks = json.object {}, due = {}, looked = -math.huge}, Overdue)
  for name, job in pairs(jobs) do
    if Overdue.is_watched(job) then
      self.jobs[name] = job
      self.marks[name] = marks[name] or {at = now, slot = now}
      self.dirty = self.dirty or not marks[name]
    end
  end
  return self
end

function Overdue:watches(name) return self.marks[name] ~= nil end

-- A success, or a slot that somebody ordered not to run.
function Overdue:excuse(name, at, slot)
  local old = self.marks[name]
  if not old then return end
  self.marks[name] = {at = math.max(old.at, at), slot = math.max(old.slot, slot)}
  self.due[name], self.dirty = nil, true
end

local function due_of(job, mark)
  if job.success_within then return mark.at + job.success_within end
  local slot = job.schedule:next(mark.slot)
  if not slot then return math.huge end
  local takes = job.expect_duration or (job.timeout or 0) > 0 and job.timeout or RUN_TAKES
  return slot + (job.deadline or 0) + (job.jitter or 0) + takes, slot
end

-- The events of those that are overdue now.
function Overdue:look(now)
  local out = {}
  if now - self.looked < INTERVAL then return out end
  self.looked = now
  for name, job in pairs(self.jobs) do
    local due = self.due[name] or due_of(job, self.marks[name])
    self.due[name] = due
    if now > due then
      out[#out + 1] = {kind = "overdue", job = name, namespace = job.namespace, file = job.file, line = job.line,
        message = ("no success since %s; one was due by %s"):format(
          clock.format(self.marks[name].at), clock.format(due))}
    end
  end
  return out
end

function Overdue:copy()
  local out = {}
  for name, mark in pairs(self.marks) do out[name] = mark end
  return out
end

return Overdue
