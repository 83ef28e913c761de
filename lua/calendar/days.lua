-- Days, and sets of the days of one year. A day is a count from 1970-01-01, as the clock of some zone shows it, so it
-- has no offset. A set is six 64-bit words, a bit a day, so that and, or and not are six operations.
local cron = require "cron"

local days = {FIRST_YEAR = 1970, LAST_YEAR = 2199} -- what the year field of a cron expression takes

local WORDS <const> = 6
local MONTHS <const> = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

function days.is_leap(year) return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0) end

function days.month_length(year, month) return month == 2 and days.is_leap(year) and 29 or MONTHS[month] end

-- Days before January 1 of the year 1 of the Gregorian calendar are counted from it: 719162 lie up to 1970.
local starts = {}

function days.start_of(year)
  local start = starts[year]
  if not start then
    local before = year - 1
    start = before * 365 + before // 4 - before // 100 + before // 400 - 719162
    starts[year] = start
  end
  return start
end

function days.length_of(year) return days.is_leap(year) and 366 or 365 end

-- The day of a date; nil when there is no such date, such as February 29 of most years.
function days.of(year, month, day)
  if month < 1 or month > 12 or day < 1 or day > days.month_length(year, month) then return nil end
  local count = days.start_of(year) + day - 1
  for m = 1, month - 1 do count = count + days.month_length(year, m) end
  return count
end

function days.year_of(day)
  local year = 1970 + day // 366
  while days.start_of(year + 1) <= day do year = year + 1 end
  while days.start_of(year) > day do year = year - 1 end
  return year
end

function days.date(day)
  local year, month = days.year_of(day), 1
  local rest = day - days.start_of(year)
  while rest >= days.month_length(year, month) do
    rest, month = rest - days.month_length(year, month), month + 1
  end
  return year, month, rest + 1
end

function days.text(day) return ("%04d-%02d-%02d"):format(days.date(day)) end

-- 0: Sunday. 1970-01-01 was a Thursday.
function days.weekday(day) return (day + 4) % 7 end

-- The day that the zone's clock shows.
function days.at(t, zone) return (t + cron.civil(t, zone).offset) // 86400 end

-- Easter Sunday of the western churches: the anonymous Gregorian computus (Nature, 1876), for any year.
function days.easter(year)
  local golden, century, rest = year % 19, year // 100, year % 100
  local moon = (19 * golden + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
  local sunday = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
  local late = (golden + 11 * moon + 22 * sunday) // 451
  local sum = moon + sunday - 7 * late + 114
  return days.of(year, sum // 31, sum % 31 + 1)
end

-- Sets

function days.none() return {0, 0, 0, 0, 0, 0} end

-- day may be of another year: then nothing is added.
function days.add(set, year, day)
  local index = day - days.start_of(year)
  if index < 0 or index >= days.length_of(year) then return end
  local word = (index >> 6) + 1
  set[word] = set[word] | 1 << (index & 63)
end

function days.add_range(set, year, first, last)
  local start = days.start_of(year)
  for day = math.max(first, start), math.min(last, start + days.length_of(year) - 1) do days.add(set, year, day) end
end

function days.has(set, year, day)
  local index = day - days.start_of(year)
  return set[(index >> 6) + 1] >> (index & 63) & 1 == 1
end

function days.any(a, b)
  local out = {}
  for i = 1, WORDS do out[i] = a[i] | b[i] end
  return out
end

function days.all(a, b)
  local out = {}
  for i = 1, WORDS do out[i] = a[i] & b[i] end
  return out
end

-- The other days of the year.
function days.complement(set, year)
  local out = {}
  for i = 1, WORDS do out[i] = ~set[i] end
  out[WORDS] = out[WORDS] & (1 << days.length_of(year) - 320) - 1 -- five words are 320 days
  return out
end

-- The sets of all years, as cron.days takes them. of_year: f(year) -> set
function days.pack(of_year)
  local out = {}
  for year = days.FIRST_YEAR, days.LAST_YEAR do
    out[#out + 1] = ("=i8i8i8i8i8i8"):pack(table.unpack(of_year(year)))
  end
  return table.concat(out)
end

return days
