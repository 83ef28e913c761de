-- Instants as people write and read them. Times are integer unix seconds UTC; a zone is a name of the tz database.
local clock = require "clock"
local cron = require "cron"
local text = require "text"

local when = {}

local FIRST, LAST = -62135596800, 253402300799 -- the years 1 to 9999, in which the cron engine has slots

-- The instant of a wall time given as if it were UTC: of two passes the first; a time in a gap as the clock before
-- the gap would have shown it, so that the midnight that does not exist is the day's first instant.
function when.at_wall(wall, zone)
  local before, after = cron.civil(wall - 86400, zone).offset, cron.civil(wall + 86400, zone).offset
  local early, late = wall - math.max(before, after), wall - math.min(before, after)
  if cron.civil(early, zone).offset == wall - early then return early end
  if cron.civil(late, zone).offset == wall - late then return late end
  return wall - before
end

local function relative(value, now)
  local sign, duration = value:match "^([+-])(.+)$"
  local seconds = sign and text.duration(duration)
  return seconds and (sign == "-" and now - seconds or now + seconds)
end

-- "2026-11-24", "2026-11-24T08:00" or "2026-11-24 08:00:30": a wall time of the zone.
local function local_time(value, zone)
  local date, time = value:match "^(%d%d%d%d%-%d%d%-%d%d)[T ]?(.*)$"
  if not date then return nil end
  if time == "" then time = "00:00" end
  if time:match "^%d%d:%d%d$" then time = time .. ":00" end
  local wall = time:match "^%d%d:%d%d:%d%d$" and clock.parse(date .. "T" .. time .. "Z")
  return wall and when.at_wall(wall, zone)
end

-- Reads `now`, RFC 3339, +DURATION or -DURATION from now, or a date or time without an offset, which is one of the
-- zone's (default UTC). Returns the instant; or nil and a message that says what to write.
function when.parse(value, now, zone)
  zone = zone or "UTC"
  local known, message = cron.civil(now, zone)
  if not known then return nil, message end
  if value == "now" then return now end
  local t = relative(value, now) or local_time(value, zone) or clock.parse(value)
  if t and (t < FIRST or t > LAST) then return nil, ("'%s' is not in the years 1 to 9999"):format(value) end
  if t then return t end
  return nil, ("'%s' is not a time: write 2026-11-24T08:00:00Z, 2026-11-24, now, +2h or -1d"):format(value)
end

local function offset_text(civil)
  if civil.offset == 0 and civil.abbreviation == "UTC" then return "Z" end
  local minutes = math.abs(civil.offset) // 60
  return ("%s%02d:%02d"):format(civil.offset < 0 and "-" or "+", minutes // 60, minutes % 60)
end

-- RFC 3339 in the zone with its offset, Z for UTC. An offset that is no whole number of minutes, as before zones
-- were agreed on, cannot be written in RFC 3339: such an instant is written in UTC.
function when.format(t, zone)
  local civil = cron.civil(t, zone)
  if civil.offset % 60 ~= 0 then return when.format(t, "UTC") end
  return ("%04d-%02d-%02dT%02d:%02d:%02d%s"):format(civil.year, civil.month, civil.day, civil.hour, civil.minute,
    civil.second, offset_text(civil))
end

local weekdays = {[0] = "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

-- For people: "Tue 2026-11-24 03:00:00 EST".
function when.civil(t, zone)
  local civil = cron.civil(t, zone)
  return ("%s %04d-%02d-%02d %02d:%02d:%02d %s"):format(weekdays[civil.weekday], civil.year, civil.month, civil.day,
    civil.hour, civil.minute, civil.second, civil.abbreviation)
end

local units = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}

-- A duration in its two largest units: "2 h 5 min", "3 d", "0 s".
function when.span(seconds)
  for i, unit in ipairs(units) do
    local count, rest = seconds // unit[1], seconds % unit[1]
    if count > 0 then
      local small = units[i + 1]
      local more = small and rest // small[1] or 0
      return ("%d %s"):format(count, unit[2]) .. (more > 0 and (" %d %s"):format(more, small[2]) or "")
    end
  end
  return "0 s"
end

-- "in 2 h 5 min", "3 d ago", "now".
function when.relative(t, now)
  if t == now then return "now" end
  return t > now and "in " .. when.span(t - now) or when.span(now - t) .. " ago"
end

return when
