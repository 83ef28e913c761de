-- kube-scheduler explain EXPR|JOB: what a cron expression says, in words.
local cli = require "cli"
local clock = require "clock"
local explain = require "explain"
local json = require "json"
local output = require "output"
local preview = require "preview"
local terminal = require "terminal"
local when = require "when"

-- A job and an instant: what became of that slot only the scheduler knows.
local function is_word(word) return word ~= nil and word:sub(1, 1) ~= "-" end
if is_word(arg[1]) and is_word(arg[2]) and not is_word(arg[3]) and when.parse(arg[2], clock.now()) then
  return require "why.command"(arg)
end

local options, code = cli.parse({
  name = "explain", usage = "EXPR|JOB [options], or JOB SLOT", most = math.huge,
  summary = "Says in words when an expression in quotes or a job of the schedule runs, what that might not mean,\n" ..
    "what the next changes of the clock do to it, and its next slots.",
  options = cli.join(cli.schedule_options, cli.time_options, {
    output.format "text|json",
  }),
}, arg)
if not options then return code end
cli.fill(options)

local function fail(exit_code, message)
  io.stderr:write("kube-scheduler explain: ", message, "\n")
  return exit_code
end

local now = clock.now()
local subject, zone, from = preview.asked(options, now)
if not subject then return fail(2, zone) end
if not subject.schedule then return fail(1, preview.ending(subject)) end
local found = explain.of(subject, from)

if options.format == "json" then
  local slots = json.array {}
  for i, slot in ipairs(found.slots) do slots[i] = preview.plain(preview.record(subject, slot, zone)) end
  terminal.json {
    job = subject.name or json.null, expressions = json.array(subject.expressions), timezone = zone,
    description = found.description, other_reading = found.other_reading or json.null,
    warnings = json.array(found.warnings), changes = json.array(found.changes), next = slots,
  }
else
  local out = terminal.stdout()
  io.write(explain.text(out, subject, found, zone, out.tty and now or nil))
end
return true
