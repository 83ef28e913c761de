-- Calendars of operators: NAME.lua in the folder `calendars` of the hooks returns a function that says of a date
-- whether it is in. Such code runs in a hook host, under its guard (lua/hooks/host.lua): one is started for it when a
-- schedule is loaded, asks for each day there can be, and ends. So the days of a version of the schedule never change,
-- nothing of it runs when a slot is due, and a mistake in it is one of the schedule.
--   own.read(hooks, name, by) -> f(set, year), which adds the days of that year; or nil and {file=, line=, message=},
--     line nil where there is none. hooks: their folder; by: {read=, list=} instead of sys's. Waits.
local days = require "calendar.days"
local folder = require "hooks.folder"
local known = require "hooks.known"
local link = require "hooks.link"
local log = require "log"

local own = {seconds = 10} -- for all days together, which take a fifth of one

local FOLDER <const> = "calendars"

local function fail(file, message, line) return nil, {file = file, line = line, message = message} end

local FIRST <const> = days.start_of(days.FIRST_YEAR)
local LAST <const> = days.start_of(days.LAST_YEAR + 1) - 1

-- The host's answer; or nil and why there is none.
local function ask(sources, file, path)
  local seconds = own.seconds
  local function say(text) log.info(text, {file = path}) end
  local host, message = link.start {env = {}, on_log = say, on_stderr = say}
  if not host then return nil, "the hook host cannot start: " .. message end
  host:send {op = "sources", sources = sources, hooks = known.names(), fields = known.event_fields}
  local reply, why = host:exchange({op = "days", file = file, first = FIRST, last = LAST, budget = seconds}, seconds)
  host:kill()
  return reply, reply or "the hook host " .. why
end

-- "calendars/x.lua:3: text" and a traceback -> the line and the text, which says for which day.
local function mistake_of(reply, path, file)
  local first = reply.error:match "^[^\n]*"
  local name, line, text = first:match "^(.-):(%d+): (.*)$"
  if name ~= file then line, text = nil, first end
  if reply.day then text = ("%s (asked for %s)"):format(text, reply.day) end
  return fail(path, text, math.tointeger(tonumber(line)))
end

function own.read(hooks, name, by)
  local file = FOLDER .. "/" .. name
  local path = hooks .. "/" .. file
  local sources = folder.read(hooks, by).sources
  if not sources[file] then return fail(nil, ("the calendar cannot be read: there is no file %s"):format(path)) end
  local reply, why = ask(sources, file, path)
  if not reply then return fail(path, why) end
  if reply.error then return mistake_of(reply, path, file) end
  local answers = reply.value
  return function(set, year)
    local start = days.start_of(year)
    for day = start, start + days.length_of(year) - 1 do
      if answers:byte(day - FIRST + 1) == 49 then days.add(set, year, day) end -- "1"
    end
  end
end

return own
