-- Asks an operator's calendar for each day. Runs in the hook host.
--   days.ask(is_in, first, last, asked) -> "0" or "1" for each of the days, counted from 1970-01-01, as one text
--     is_in: f(date) -> true for a day that is in the calendar; asked(date): is told of each before
local nearest = require "nearest"

local days = {}

local WEEKDAYS <const> = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"} -- as entries of calendars are written
local FIELDS <const> = {"year", "month", "day", "weekday", "yearday", "text"}

-- A field that is not there is a typo, and would be false on each day.
local date_meta = {__metatable = false, __index = function(_, name)
  error(("a date has no field '%s'%s (%s)"):format(tostring(name), nearest.hint(tostring(name), FIELDS),
    table.concat(FIELDS, ", ")), 2)
end}

local function date_of(day)
  local date = os.date("!*t", day * 86400)
  return setmetatable({year = date.year, month = date.month, day = date.day, weekday = WEEKDAYS[date.wday],
    yearday = date.yday, text = ("%04d-%02d-%02d"):format(date.year, date.month, date.day)}, date_meta)
end

local ANSWERS <const> = {[true] = "1", [false] = "0"}

function days.ask(is_in, first, last, asked)
  if type(is_in) ~= "function" then
    error(("a calendar's file returns a function of a date, not a %s"):format(type(is_in)), 0)
  end
  local out = {}
  for day = first, last do
    local date = date_of(day)
    asked(date.text)
    local answer = is_in(date)
    out[#out + 1] = ANSWERS[answer or false]
      or error(("true or false expected for a day, not a %s"):format(type(answer)), 0)
  end
  return table.concat(out)
end

return days
