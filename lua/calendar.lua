-- On which days a job runs: only_on and skip_on with the calendars of settings, and freezes. A slot is judged by the
-- day that its job's clock shows at it, so it has the same answer each time it is asked. What the schedule says is read
-- by calendar/plan.lua; lua/SCHEDULE.md is the reference.
--   calendar.attach(job, rule, move, freezes): job.days and job.freezes, by which the others answer
--   calendar.reason(job, slot[, now]) -> why the slot is dropped, or nil; now: when it would start, if not at its slot
--   calendar.freeze(job, t) -> the freeze that an instant lies in: {from=, to=, reason=}, or nil
--   calendar.describe(job, t) -> ", only on workdays, not on holidays, else on the next such day", and which freezes
--     are not over at t; or ""
--   calendar.next(job, t) -> the first slot after t that is not dropped, or nil
local clock = require "clock"
local days = require "calendar.days"
local when = require "when"

local calendar = {}

-- rule: {only=, skip=, allowed=} of calendar/plan.lua, or nil; freezes: of calendar/freeze.lua
function calendar.attach(job, rule, move, freezes)
  if rule then
    job.days = {only = rule.only, skip = rule.skip, allowed = rule.allowed, zone = job.schedule:zone(), move = move}
  end
  if #freezes > 0 then job.freezes = freezes end
end

local function of_day(rule, day)
  if rule.move or rule.allowed:has(day, rule.zone) then return nil end -- slots that move never are on a wrong day
  if rule.only and not rule.only:has(day, rule.zone) then return "calendar: not in " .. rule.only.text end
  return "calendar: in " .. rule.skip.text
end

function calendar.freeze(job, t)
  for _, freeze in ipairs(job.freezes or {}) do
    if t >= freeze.from and t < freeze.to then return freeze end
  end
end

function calendar.reason(job, slot, now)
  local reason = job.days and of_day(job.days, days.at(slot, job.days.zone))
  if reason then return reason end
  local freeze = calendar.freeze(job, slot) or now and calendar.freeze(job, now)
  return freeze and "freeze: " .. freeze.reason
end

local function describe_freezes(job, t)
  local parts = {}
  for _, freeze in ipairs(job.freezes or {}) do
    if freeze.to > t then
      parts[#parts + 1] = ("; frozen from %s to %s: %s"):format(clock.format(freeze.from), clock.format(freeze.to),
        freeze.reason)
    end
  end
  return table.concat(parts)
end

function calendar.describe(job, t)
  local rule = job.days or {}
  return (rule.only and ", only on " .. rule.only.text or "") .. (rule.skip and ", not on " .. rule.skip.text or "")
    .. (rule.move and (", else on the %s such day"):format(rule.move) or "")
    .. describe_freezes(job, t)
end

-- The first day after `day` that is allowed; nil when none is left.
local function next_allowed(rule, day)
  for year = days.year_of(day + 1), days.LAST_YEAR do
    local set, start = rule.allowed:year(year, rule.zone), days.start_of(year)
    for candidate = math.max(day + 1, start), start + days.length_of(year) - 1 do
      if days.has(set, year, candidate) then return candidate end
    end
  end
end

-- The first instant after a dropped slot at which another might not be.
local function resumes_at(job, slot)
  local rule = job.days
  local day = rule and days.at(slot, rule.zone)
  if day and of_day(rule, day) then
    local later = next_allowed(rule, day)
    return later and when.at_wall(later * 86400, rule.zone)
  end
  return calendar.freeze(job, slot).to
end

function calendar.next(job, t)
  local slot = job.schedule:next(t)
  if not job.days and not job.freezes then return slot end
  while slot and calendar.reason(job, slot) do
    local from = resumes_at(job, slot)
    slot = from and job.schedule:next(math.max(from - 1, slot))
  end
  return slot
end

return calendar
