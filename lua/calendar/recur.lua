-- The starts of a repeating event: those parts of RFC 5545's RRULE that calendars of holidays have.
--   recur.read(text, start) -> rule; or nil and what is not understood. start: {day=, …} of ics.lua
--   recur.days(rule, first) -> iterator of the days on which it starts, from the day `first` on, without end, in order
-- COUNT and UNTIL are left to the caller: rule.count, rule.until_text.
local days = require "calendar.days"

local recur = {}

local names = {SU = 0, MO = 1, TU = 2, WE = 3, TH = 4, FR = 5, SA = 6}

local function whole(text) return text:match "^%d+$" and #text < 6 and math.tointeger(tonumber(text)) or nil end

local parts = {}

function parts.FREQ(rule, value)
  rule.freq = ({YEARLY = "yearly", WEEKLY = "weekly", DAILY = "daily"})[value]
  return rule.freq or nil, "FREQ is YEARLY, WEEKLY or DAILY here, not " .. value
end

function parts.INTERVAL(rule, value)
  rule.interval = whole(value)
  return rule.interval and rule.interval > 0, "INTERVAL is a number from 1 on"
end

function parts.COUNT(rule, value)
  rule.count = whole(value)
  return rule.count and rule.count > 0, "COUNT is a number from 1 on"
end

function parts.UNTIL(rule, value)
  rule.until_text = value
  return true
end

function parts.WKST(rule, value)
  rule.week_start = names[value]
  return rule.week_start, "WKST is a weekday such as MO"
end

function parts.BYMONTH(rule, value)
  rule.month = whole(value)
  return rule.month and rule.month >= 1 and rule.month <= 12, "BYMONTH is one month, 1 to 12"
end

-- "MO,WE" or "4TH", "-1MO": the fourth, the last.
function parts.BYDAY(rule, value)
  rule.by_day = {}
  for item in value:gmatch "[^,]+" do
    local nth, name = item:match "^([+-]?%d*)(%u%u)$"
    local weekday = name and names[name]
    local number = nth and nth ~= "" and math.tointeger(tonumber(nth)) or nil
    if not weekday or nth ~= "" and (not number or number == 0 or math.abs(number) > 53) then
      return false, ("BYDAY is weekdays such as MO, 4TH or -1MO, not %s"):format(item)
    end
    rule.by_day[#rule.by_day + 1] = {weekday = weekday, nth = number}
    rule.has_nth = rule.has_nth or number ~= nil
  end
  return #rule.by_day > 0, "BYDAY is empty"
end

local function check(rule)
  if not rule.freq then return nil, "RRULE has no FREQ" end
  if rule.count and rule.until_text then return nil, "RRULE has both COUNT and UNTIL" end
  if rule.freq ~= "yearly" and (rule.has_nth or rule.month) then
    return nil, "BYMONTH, and a number in BYDAY, go with FREQ=YEARLY only"
  end
  return rule
end

function recur.read(text)
  local rule, seen = {interval = 1, week_start = 1}, {}
  for part in text:gmatch "[^;]+" do
    local name, value = part:upper():match "^([%u]+)=(.+)$"
    local read = name and parts[name]
    if not read then return nil, ("'%s' in RRULE is not understood"):format(part) end
    if seen[name] then return nil, ("%s is twice in RRULE"):format(name) end
    seen[name] = true
    local good, problem = read(rule, value)
    if not good then return nil, problem end
  end
  return check(rule)
end

local function on_weekday(rule, day)
  if not rule.by_day then return true end
  for _, item in ipairs(rule.by_day) do
    if item.weekday == days.weekday(day) then return true end
  end
  return false
end

local function daily(rule, first)
  local day = first - rule.interval
  return function()
    for _ = 1, 7 do -- then the weekdays repeat
      day = day + rule.interval
      if on_weekday(rule, day) then return day end
    end
    return math.maxinteger
  end
end

local function weekly(rule, first)
  local week = first - (days.weekday(first) - rule.week_start) % 7
  local by_day = rule.by_day or {{weekday = days.weekday(first)}}
  local day = first - 1
  local function wanted(candidate) return on_weekday({by_day = by_day}, candidate) end
  return function()
    repeat
      day = day + 1
      if day >= week + 7 then
        week = week + 7 * rule.interval
        day = week
      end
    until wanted(day)
    return day
  end
end

-- The days of one of BYDAY's items between two days, both included.
local function add_item(found, item, first, last)
  local earliest = first + (item.weekday - days.weekday(first)) % 7
  local latest = last - (days.weekday(last) - item.weekday) % 7
  if not item.nth then
    for day = earliest, latest, 7 do found[day] = true end
    return
  end
  local day = item.nth > 0 and earliest + 7 * (item.nth - 1) or latest + 7 * (item.nth + 1)
  if day >= first and day <= last then found[day] = true end
end

-- What a year has, sorted.
local function of_year(rule, year, month, day_of_month)
  if not rule.by_day then
    return {days.of(year, rule.month or month, day_of_month)} -- none, in a year without February 29
  end
  local first, last = days.start_of(year), days.start_of(year + 1) - 1
  if rule.month then
    first = days.of(year, rule.month, 1)
    last = first + days.month_length(year, rule.month) - 1
  end
  local found, out = {}, {}
  for _, item in ipairs(rule.by_day) do add_item(found, item, first, last) end
  for day = first, last do
    if found[day] then out[#out + 1] = day end
  end
  return out
end

local function yearly(rule, first)
  local year, month, day_of_month = days.date(first)
  local list, at = of_year(rule, year, month, day_of_month), 0
  return function()
    repeat
      at = at + 1
      while at > #list do
        if year > days.LAST_YEAR then return math.maxinteger end -- such as February 30
        year, at = year + rule.interval, 1
        list = of_year(rule, year, month, day_of_month)
      end
    until list[at] >= first
    return list[at]
  end
end

function recur.days(rule, first)
  local walk = rule.freq == "daily" and daily or rule.freq == "weekly" and weekly or yearly
  return walk(rule, first)
end

return recur
