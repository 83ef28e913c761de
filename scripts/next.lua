-- kube-scheduler next EXPR|JOB: when it runs next, and what daylight saving does to it.
local cli = require "cli"
local clock = require "clock"
local json = require "json"
local output = require "output"
local preview = require "preview"
local terminal = require "terminal"
local when = require "when"

local command = {
  name = "next", usage = "EXPR|JOB [options]", most = math.huge,
  summary = "Prints the next slots of an expression in quotes, or of a job of the schedule.",
  options = cli.join(cli.schedule_options, cli.time_options, {
    {name = "count", value = "N", integer = true, help = "how many (default: 5)"},
    {name = "all", help = "those too that a calendar or a freeze drops"},
    output.format "text|rfc3339|json",
  }),
}
local options, code = cli.parse(command, arg)
if not options then return code end
cli.fill(options)

local function fail(exit_code, message)
  io.stderr:write("kube-scheduler next: ", message, "\n")
  return exit_code
end

local count = options.count or 5
if count < 1 or count > 100000 then return fail(2, "--count is a number from 1 to 100000") end
local now = clock.now()
local subject, zone, from = preview.asked(options, now)
if not subject then return fail(2, zone) end

local writers = {}

function writers.rfc3339(slots)
  for _, slot in ipairs(slots) do print(when.format(slot, zone)) end
end

function writers.json(slots)
  local out = json.array {}
  for i, slot in ipairs(slots) do out[i] = preview.plain(preview.record(subject, slot, zone)) end
  terminal.json(out)
end

function writers.text(slots)
  local out = terminal.stdout()
  if #slots > 0 then io.write(preview.table(out, subject, slots, zone, out.tty and now or nil)) end
end

local slots = preview.slots(subject, from, count, options.all)
writers[options.format or "text"](slots)
if #slots < count then fail(0, preview.ending(subject, zone)) end
return #slots > 0
