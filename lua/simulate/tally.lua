-- What a simulation comes to: counts by job, skips by reason, the peak, the seconds at which most jobs start, and
-- starts by hour and weekday. Fed in the order of time.
local cron = require "cron"

local tally = {}
tally.__index = tally

local COLLISIONS <const> = 5 -- seconds of the day that are told
local MOST_SKIPS <const> = 20 -- that are kept, unless all are wanted
local OFFSETS_CHANGE <const> = 900 -- seconds: zones change at quarters of an hour

-- options: {zone = of the weekdays and hours, jobs = names, all = whether each skip is kept}
function tally.new(options)
  local self = setmetatable({
    zone = options.zone, all = options.all, jobs = {}, runs = 0, failed = 0, skipped = 0, skips = {}, active = 0,
    peak = {runs = 0}, heat = {}, second = {starts = 0}, seconds = {}, offsets = {},
  }, tally)
  for _, name in ipairs(options.jobs) do
    self.jobs[name] = {slots = 0, runs = 0, failed = 0, skipped = 0, busy = 0, reasons = {}}
  end
  for weekday = 0, 6 do
    self.heat[weekday] = {}
    for hour = 0, 23 do self.heat[weekday][hour] = 0 end
  end
  return self
end

-- Weekday (0: Sunday) and second of the day by the zone's clock.
function tally:wall(t)
  local quarter = t // OFFSETS_CHANGE
  local offset = self.offsets[quarter]
  if not offset then
    offset = cron.civil(t, self.zone).offset
    self.offsets[quarter] = offset
  end
  local wall = t + offset
  return (wall // 86400 + 4) % 7, wall % 86400 -- 1970-01-01 was a Thursday
end

-- A second is over: is it the fullest of its time of day?
function tally:close_second()
  local second = self.second
  if second.starts < 2 then return end
  local _, time = self:wall(second.at)
  local known = self.seconds[time]
  if known and known.starts == second.starts then
    known.times = known.times + 1
  elseif not known or known.starts < second.starts then
    self.seconds[time] = {time = time, starts = second.starts, first = second.at, times = 1}
  end
end

function tally:started(run, now)
  local job = self.jobs[run.job]
  job.runs, self.runs, self.active = job.runs + 1, self.runs + 1, self.active + 1
  if run.trigger ~= "manual" and run.attempt == 0 then job.slots = job.slots + 1 end
  if self.active > self.peak.runs then self.peak.runs, self.peak.at = self.active, now end
  local weekday, time = self:wall(now)
  local hours, hour = self.heat[weekday], time // 3600
  hours[hour] = hours[hour] + 1
  if self.second.at ~= now then
    self:close_second()
    self.second = {at = now, starts = 0}
  end
  self.second.starts = self.second.starts + 1
end

function tally:ended(run)
  local job = self.jobs[run.job]
  self.active = self.active - 1
  job.busy = job.busy + run.finished - run.started
  if run.outcome ~= "succeeded" and not run.replaced then job.failed, self.failed = job.failed + 1, self.failed + 1 end
end

function tally:skip(run, reason)
  local job, count = self.jobs[run.job], math.max(run.missed or 0, 1)
  if run.trigger ~= "manual" then job.slots = job.slots + count end
  job.skipped, self.skipped = job.skipped + count, self.skipped + count
  job.reasons[reason] = (job.reasons[reason] or 0) + count
  if self.all or #self.skips < MOST_SKIPS then
    self.skips[#self.skips + 1] = {job = run.job, slot = run.slot, reason = reason}
  end
end

-- The times of day at which most runs start in one second: {time = second of the day, starts, first = instant,
-- times = how often it was that full}, the fullest first.
function tally:collisions()
  self:close_second()
  self.second = {starts = 0}
  local list = {}
  for _, second in pairs(self.seconds) do list[#list + 1] = second end
  table.sort(list, function(a, b)
    if a.starts ~= b.starts then return a.starts > b.starts end
    return a.time < b.time
  end)
  return table.move(list, 1, math.min(#list, COLLISIONS), 1, {})
end

return tally
