-- An iCalendar file (RFC 5545) as a set of days: those that its events touch, by the clock of the zone asked for. An
-- event with dates has those dates in any zone. What an event says about time and is not understood is a mistake, for a
-- holiday left out would run a job; what it says about anything else is passed over.
--   ics.parse(text) -> f(set, year, zone), which adds the days of that year; or nil and {line=, message=}
local content = require "calendar.content"
local cron = require "cron"
local days = require "calendar.days"
local recur = require "calendar.recur"
local when = require "when"

local ics = {}

local LONGEST <const> = 366 * 86400 -- seconds, of one event

local fail = content.fail

-- A DATE or DATE-TIME: {day=, time= seconds of the day or nil, zone= or nil for whatever zone is asked for}.
local function moment(item, value)
  local year, month, day, rest = value:match "^(%d%d%d%d)(%d%d)(%d%d)(.*)$"
  local at = year and days.of(tonumber(year) // 1, tonumber(month) // 1, tonumber(day) // 1)
  if not at or tonumber(year) < 1900 then fail(item, "%s:%s is not a date", item.name, value) end
  if rest == "" then return {day = at} end
  if item.parameters.VALUE == "DATE" then fail(item, "%s:%s is not a date", item.name, value) end
  local hour, minute, second, utc = rest:match "^T([012]%d)([0-5]%d)([0-6]%d)(Z?)$"
  if not hour or tonumber(hour) > 23 then fail(item, "%s:%s is not a date and time", item.name, value) end
  local zone = utc == "Z" and "UTC" or item.parameters.TZID
  local known, message = cron.civil(0, zone or "UTC")
  if not known then fail(item, "TZID=%s: %s", zone, message) end
  return {day = at, time = hour * 3600 + minute * 60 + second, zone = zone}
end

local function instant(at, day, zone) return when.at_wall(day * 86400 + at.time // 1, at.zone or zone or "UTC") end

local function number(text) return text == "" and 0 or math.tointeger(tonumber(text)) end

-- "P1D", "P2W", "PT8H30M" in seconds.
local function duration(item)
  local weeks = item.value:match "^%+?P(%d+)W$"
  if weeks then return number(weeks) * 7 * 86400 end
  local day, time = item.value:match "^%+?P(%d*)D?(.*)$"
  local hour, minute, second = (time or ""):match "^T?(%d*)H?(%d*)M?(%d*)S?$"
  local rebuilt = hour and ("P%s%s"):format(day ~= "" and day .. "D" or "", time)
  if not hour or rebuilt ~= item.value:gsub("^%+", "") or #item.value < 3 then
    fail(item, "DURATION:%s is not understood: write such as P1D, P1W or PT8H", item.value)
  end
  return number(day) * 86400 + number(hour) * 3600 + number(minute) * 60 + number(second)
end

-- How long it takes in seconds; of dates a day by default.
local function length_of(event, start)
  local item = event.DTEND or event.DURATION
  if event.DTEND and event.DURATION then fail(item, "it has both DTEND and DURATION") end
  if not item then return start.time and 0 or 86400 end
  local seconds
  if item.name == "DURATION" then
    seconds = duration(item)
    if not start.time and seconds % 86400 ~= 0 then fail(item, "of an event with dates, DURATION is whole days") end
  else
    local finish = moment(item, item.value)
    if (finish.time == nil) ~= (start.time == nil) or (finish.zone == nil) ~= (start.zone == nil) then
      fail(item, "DTEND must be of the same kind as DTSTART: both dates, or both times")
    end
    seconds = start.time and instant(finish, finish.day) - instant(start, start.day)
      or (finish.day - start.day) * 86400
  end
  if seconds < 0 then fail(item, "it ends before it starts") end
  if seconds > LONGEST then fail(item, "an event of at most 366 days expected") end
  return start.time and seconds or math.max(seconds, 86400)
end

-- What tells one start of an event from another.
local function key_of(at, day) return at.time and instant(at, day) or day end

local function exceptions(event, start)
  local out = {}
  for _, item in ipairs(event.EXDATE) do
    for value in item.value:gmatch "[^,]+" do
      local at = moment(item, value)
      if (at.time == nil) ~= (start.time == nil) then fail(item, "EXDATE must be of the same kind as DTSTART") end
      out[key_of(at, at.day)] = true
    end
  end
  return out
end

-- The last day or instant on which it may start.
local function last_of(item, rule, start)
  if not rule.until_text then return math.maxinteger end
  local at = moment(item, rule.until_text)
  if not start.time then return at.day end
  return at.time and instant(at, at.day) or instant({time = 86399, zone = start.zone}, at.day)
end

-- Starts, in order, as days of the event's own clock; maxinteger when there is none any more.
local function starts_of(event, start)
  local item = event.RRULE
  if not item then
    local given = false
    return function()
      local day = given and math.maxinteger or start.day
      given = true
      return day
    end
  end
  local rule, problem = recur.read(item.value)
  if not rule then fail(item, "%s", problem) end
  local last, left = last_of(item, rule, start), rule.count or math.maxinteger
  if recur.days(rule, start.day)() ~= start.day then fail(item, "DTSTART is not one of the days of its RRULE") end
  local next_day = recur.days(rule, start.day)
  return function()
    local day = left > 0 and next_day() or math.maxinteger
    if day == math.maxinteger or key_of(start, day) > last then
      left = 0
      return math.maxinteger
    end
    left = left - 1
    return day
  end
end

-- An event that gives its starts year by year, each looked for once: self.starts[year] = days.
local Event = {}
Event.__index = Event

local function new_event(found)
  for _, name in ipairs {"RDATE", "EXRULE", "RECURRENCE-ID"} do
    if found[name] then fail(found[name], "%s is not understood: write such days as events of their own", name) end
  end
  if not found.DTSTART then fail(found, "the event has no DTSTART") end
  local start = moment(found.DTSTART, found.DTSTART.value)
  local self = setmetatable({start = start, length = length_of(found, start), excluded = exceptions(found, start),
    next_day = starts_of(found, start), starts = {}}, Event)
  self.day = self.next_day()
  return self
end

function Event:look_up_to(last)
  while self.day <= last do
    local year = days.year_of(self.day)
    self.starts[year] = self.starts[year] or {}
    if not self.excluded[key_of(self.start, self.day)] then table.insert(self.starts[year], self.day) end
    self.day = self.next_day()
  end
end

function Event:touched(day, zone)
  if not self.start.time then return day, day + self.length // 86400 - 1 end
  local t = instant(self.start, day, zone)
  return days.at(t, zone), days.at(math.max(t, t + self.length - 1), zone)
end

function Event:add(set, year, zone)
  self:look_up_to(days.start_of(year + 1) + 1) -- by its own clock it may start a day later
  for earlier = year - 2, year + 1 do
    for _, day in ipairs(self.starts[earlier] or {}) do days.add_range(set, year, self:touched(day, zone)) end
  end
end

function ics.parse(text)
  local events = {}
  local good, problem = pcall(function()
    for _, found in ipairs(content.events(text)) do
      local cancelled = found.STATUS and found.STATUS.value:upper() == "CANCELLED"
      if not cancelled then events[#events + 1] = new_event(found) end
    end
  end)
  if not good then
    if type(problem) ~= "table" then error(problem, 0) end
    return nil, problem
  end
  return function(set, year, zone)
    for _, event in ipairs(events) do event:add(set, year, zone) end
  end
end

return ics
