-- When an expression or a job runs, and in which words: what next, explain and the REPL share.
--   preview.find(word, options) -> subject; or nil, message. options: those of cli.schedule_options, filled, and
--     timezone=, dialect=, dst= for an expression
--   subject: {name= and job= of a job, expressions=, schedule= or nil when disabled, zone= to print in, parse=,
--     dialect_given=, dst_given=}
--   preview.slots(subject, from, count[, all]) -> the slots after `from`, at most count; those that the job's calendar
--     or a freeze drops are left out, unless all are wanted
--   preview.record(subject, slot, zone) -> {slot=, time=, utc=, effect=, wall=, moved_from=, dropped=, note=}
--   preview.plain(record) -> the same for JSON
--   preview.table(out, subject, slots, zone, now) -> text; out: of terminal.lua
--   preview.ending(subject, zone) -> why there is no further slot
local calendar = require "calendar"
local cli = require "cli"
local cron = require "cron"
local json = require "json"
local problems = require "problems"
local schedule = require "schedule"
local sys = require "sys"
local text = require "text"
local when = require "when"

local preview = {}

local function looks_like_expression(word) return word:find "%s" ~= nil or word:sub(1, 1) == "@" end

-- The expression with a mark under the place of the mistake.
local function point_at(expression, mistake)
  if mistake.index == 0 then return mistake.message end
  local line = "\n  " .. expression:gsub("%c", " ")
  if mistake.column then line = line .. "\n  " .. (" "):rep(mistake.column - 1) .. "^" end
  return mistake.message .. line
end

-- A subject of its own, no job: options.timezone, dialect and dst as cron.parse takes them.
function preview.expression(expression, options)
  local function parse(expressions)
    return cron.parse(expressions, {timezone = options.timezone, dialect = options.dialect, dst = options.dst})
  end
  local parsed, mistake = parse {expression}
  if not parsed then return nil, point_at(expression, mistake) end
  return {
    expressions = {expression}, schedule = parsed, zone = parsed:zone(), parse = parse,
    dialect_given = options.dialect ~= nil, dst_given = options.dst ~= nil,
  }
end

function preview.job(job)
  return {
    name = job.name, job = job, expressions = schedule.expressions(job), schedule = job.schedule,
    zone = job.schedule and job.schedule:zone() or job.timezone,
    parse = function(expressions) return schedule.parse(job, expressions) end,
    dialect_given = job.dialect_given, dst_given = job.dst_given,
  }
end

local function no_such_job(word, plan, path)
  for _, bad in ipairs(plan.bad) do
    if bad == word then
      local lines = {}
      for i, problem in ipairs(plan.problems) do lines[i] = "\n  " .. problems.format(problem) end
      return ("job '%s' cannot run:%s"):format(word, table.concat(lines))
    end
  end
  local names = {}
  for i, job in ipairs(plan.jobs) do names[i] = job.name end
  return ("there is no job '%s' in %s%s; an expression has spaces or starts with @"):format(word, path,
    text.did_you_mean(word, names))
end

local function has_schedule(options)
  return options.name:find "[*?]" or sys.kind(options.dir .. "/" .. options.name) ~= nil
end

-- A word is an expression when it parses as one, else the name of a job.
function preview.find(word, options)
  local subject, message
  if looks_like_expression(word) then
    subject, message = preview.expression(word, options)
    if subject then return subject end
  end
  local path = options.dir .. "/" .. options.name
  if not has_schedule(options) then
    return nil, message or ("'%s' is no expression, which has spaces or starts with @, and there is no %s with a " ..
      "job of that name"):format(word, path)
  end
  local plan = schedule.load(options)
  local job = schedule.find(plan, word)
  if not job then return nil, message or no_such_job(word, plan, path) end
  if options.dialect or options.dst then
    return nil, "--dialect and --dst are for an expression; a job's stand in " .. job.file
  end
  return preview.job(job)
end

-- The subject, zone and first instant that the options of cli.time_options and the words of a command ask for; or nil
-- and a message.
function preview.asked(options, now)
  local word, message = cli.one_word(options, "EXPR|JOB")
  if not word then return nil, message end
  local subject
  subject, message = preview.find(word, options)
  if not subject then return nil, message end
  local zone = options.timezone or subject.zone
  local from
  from, message = when.parse(options.from or "now", now, zone)
  if not from then return nil, (options.from and "--from: " or "") .. message end
  return subject, zone, from
end

function preview.slots(subject, from, count, all)
  if not subject.schedule then return {} end
  if all or not subject.job then return subject.schedule:between(from, math.maxinteger, count) end
  local slots, slot = {}, calendar.next(subject.job, from)
  while slot and #slots < count do
    slots[#slots + 1] = slot
    slot = calendar.next(subject.job, slot)
  end
  return slots
end

-- "02:30", with the seconds where there are some and with the date where it is another than `date`.
local function wall_text(wall, date)
  local day, time = wall:match "^(%S+)T(%S+)$"
  time = time:gsub(":00$", "")
  return day == date and time or day .. " " .. time
end
preview.wall_text = wall_text

-- What the wall clock shows: "2026-11-24T02:30:00".
function preview.wall(t, zone)
  local civil = cron.civil(t, zone)
  return ("%04d-%02d-%02dT%02d:%02d:%02d"):format(civil.year, civil.month, civil.day, civil.hour, civil.minute,
    civil.second)
end

local notes = {
  moved = "moved: %s does not exist",
  lost = "%s before it does not exist",
  first = "first of two passes",
  second = "second of two passes",
}

-- One slot: time is RFC 3339 in the zone, effect what daylight saving did to it (moved, lost: the one before it is,
-- first, second) and wall the time that does not exist, moved_from the slot before `move`, dropped why its calendar or
-- a freeze drops it, note the same in words.
function preview.record(subject, slot, zone)
  local effect, wall = subject.schedule:effect(slot)
  local dropped = subject.job and calendar.reason(subject.job, slot)
  local from = subject.schedule:moved_from(slot)
  local note = effect and notes[effect] or from and "moved from " .. when.civil(from, zone)
  if wall then note = note:format(wall_text(wall, preview.wall(slot, subject.schedule:zone()):match "^[^T]+")) end
  return {
    slot = slot, time = when.format(slot, zone), utc = when.format(slot, "UTC"),
    effect = effect, wall = wall, moved_from = from, dropped = dropped,
    note = dropped and "dropped: " .. dropped or note,
  }
end

-- A record as JSON has it: with null where there was no effect, and moved_from and dropped only where it was.
function preview.plain(record)
  return {
    slot = record.slot, time = record.time, utc = record.utc, effect = record.effect or json.null,
    wall = record.wall or json.null, moved_from = record.moved_from, dropped = record.dropped,
  }
end

-- now: for "in 2 h 5 min"; nil leaves that out, so that the same question has the same answer.
function preview.table(out, subject, slots, zone, now)
  local rows = {}
  for i, slot in ipairs(slots) do
    local record = preview.record(subject, slot, zone)
    rows[i] = {
      when.civil(slot, zone), zone ~= "UTC" and {record.utc, style = "dim"} or nil, now and when.relative(slot, now),
      {record.note, style = "yellow"},
    }
  end
  return out:table({zone, "UTC", "from now", "note"}, rows)
end

-- Why the slots given are all there are.
function preview.ending(subject, zone)
  if not subject.schedule then return ("job '%s' is disabled: its cron is empty"):format(subject.name) end
  local last = subject.schedule:previous(math.maxinteger)
  local dropped = last and subject.job and calendar.reason(subject.job, last)
  if dropped then return ("no further slot is kept: the others are dropped, %s"):format(dropped) end
  return last and ("it ends: its last slot is %s"):format(when.format(last, zone)) or "it has no slot at all"
end

return preview
