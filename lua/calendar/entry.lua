-- One entry of a calendar, a word such as 2026-12-25, 12-24..01-02, sat or easter+39.
--   entry.read(word) -> f(set, year), which adds the entry's days of that year; or nil, nil when it has no such form;
--                       or nil and what is wrong with it
local days = require "calendar.days"

local entry = {}

local weekdays = {sun = 0, mon = 1, tue = 2, wed = 3, thu = 4, fri = 5, sat = 6}
local FURTHEST <const> = 366 -- days from Easter

-- "2026-12-25" or "12-25" -> {year=, month=, day=}, year nil for each year; nil: no such form; or nil, message.
local function date_of(word)
  local year, month, day = word:match "^(%d%d%d%d)%-(%d%d)%-(%d%d)$"
  if not year then month, day = word:match "^(%d%d)%-(%d%d)$" end
  if not month then return nil end
  local date = {year = math.tointeger(tonumber(year)), month = math.tointeger(tonumber(month)),
    day = math.tointeger(tonumber(day))}
  if not days.of(date.year or 2000, date.month, date.day) then return nil, ("there is no date %s"):format(word) end
  if date.year and (date.year < days.FIRST_YEAR or date.year > days.LAST_YEAR) then
    return nil, ("%s is not in the years %d to %d"):format(word, days.FIRST_YEAR, days.LAST_YEAR)
  end
  return date
end

local function one_date(date)
  return function(set, year)
    local day = (not date.year or date.year == year) and days.of(year, date.month, date.day)
    if day then days.add(set, year, day) end
  end
end

local function fixed_range(from, to)
  local first, last = days.of(from.year, from.month, from.day), days.of(to.year, to.month, to.day)
  if last < first then return nil, "it ends before it starts" end
  return function(set, year) days.add_range(set, year, first, last) end
end

-- A February 29 that is not there starts a range on March 1, and ends one on February 28.
local function yearly_range(from, to)
  return function(set, year)
    local first = days.of(year, from.month, from.day) or days.of(year, 3, 1)
    local last = days.of(year, to.month, to.day) or days.of(year, 2, 28)
    if first <= last then return days.add_range(set, year, first, last) end
    if from.month < to.month or from.month == to.month and from.day <= to.day then return end -- February 29 alone
    days.add_range(set, year, days.start_of(year), last)
    days.add_range(set, year, first, days.start_of(year + 1) - 1)
  end
end

local function weekday_range(first, last)
  local wanted, weekday = {}, first
  repeat
    wanted[weekday] = true
    local over = weekday == last
    weekday = (weekday + 1) % 7
  until over
  return function(set, year)
    local start = days.start_of(year)
    for day = start, start + days.length_of(year) - 1 do
      if wanted[days.weekday(day)] then days.add(set, year, day) end
    end
  end
end

local function range(first_word, last_word)
  local first, last = weekdays[first_word:lower()], weekdays[last_word:lower()]
  if first and last then return weekday_range(first, last) end
  local from, problem = date_of(first_word)
  if problem then return nil, problem end
  local to
  to, problem = date_of(last_word)
  if problem then return nil, problem end
  if not from or not to or not from.year ~= not to.year then
    return nil, "a range has two dates, yearly dates or weekdays: 2026-12-24..2027-01-02, 12-24..01-02, mon..fri"
  end
  if from.year then return fixed_range(from, to) end
  return yearly_range(from, to)
end

local function easter(offset)
  if math.abs(offset) > FURTHEST then return nil, ("at most %d days from Easter"):format(FURTHEST) end
  return function(set, year)
    for other = year - 1, year + 1 do days.add(set, year, days.easter(other) + offset) end
  end
end

function entry.read(word)
  local first, last = word:match "^(.-)%s*%.%.%s*(.*)$"
  if first then return range(first, last) end
  local weekday = weekdays[word:lower()]
  if weekday then return weekday_range(weekday, weekday) end
  local offset = word == "easter" and "0" or word:match "^easter([+-]%d+)$"
  if offset then return easter(math.tointeger(tonumber(offset)) or FURTHEST + 1) end
  local date, problem = date_of(word)
  if date then return one_date(date) end
  return nil, problem
end

return entry
