-- kube-scheduler history [JOB]: what became of runs and slots.
local ask = require "ask"
local clock = require "clock"
local terminal = require "terminal"
local when = require "when"

local options, code = ask.parse({
  name = "history", usage = "[JOB] [options]", most = 1,
  summary = "Prints what became of the newest runs and slots, of a job or of all.",
  options = {{name = "limit", value = "N", integer = true, help = "how many (default: 20, at most 1000)"}},
}, arg)
if not options then return code end

local answer
answer, code = ask.daemon(options, {command = "history", job = options.words[1], limit = options.limit})
if not answer then return code end
if options.format == "json" then
  terminal.json(answer.rows)
  return true
end

local styles = {succeeded = "green", skipped = "yellow"}
local rows = {}
for i, record in ipairs(answer.rows) do
  local took = record.started and record.finished and when.span(record.finished - record.started)
  rows[i] = {record.job, clock.format(record.slot), {record.outcome, style = styles[record.outcome] or "red"},
    record.trigger, took, record.exit_code, record.reason, record.by, record.run}
end
io.write(terminal.stdout():table({"job", "slot", "outcome", "trigger", "took", "exit", "reason", "by", "run"}, rows,
  {right = {[6] = true}}))
return true
