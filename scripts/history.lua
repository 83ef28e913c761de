-- kube-scheduler history [JOB]: what became of runs and slots.
local ask = require "ask"
local clock = require "clock"
local output = require "output"
local terminal = require "terminal"
local when = require "when"

local options, code = ask.parse({
  name = "history", usage = "[JOB] [options]", most = 1,
  summary = "Prints what became of the newest runs and slots, of a job or of all.",
  options = {{name = "limit", value = "N", integer = true, help = "how many (default: 20, at most 1000)"},
    output.watch},
}, arg)
if not options then return code end

local styles = {succeeded = "green", skipped = "yellow"}
local header = {"job", "slot", "outcome", "trigger", "took", "exit", "reason", "by", "run", "namespace", "attempt",
  "late", "node"}
local NARROW <const> = 9 -- columns, without -o wide

local function row_of(record)
  local took = record.started and record.finished and when.span(record.finished - record.started)
  return {record.job, clock.format(record.slot), {record.outcome, style = styles[record.outcome] or "red"},
    record.trigger, took, record.exit_code, record.reason, record.by, record.run, record.namespace, record.attempt,
    record.lateness and when.span(record.lateness // 1), record.node}
end

local function table_of(records, wide)
  local rows = {}
  for i, record in ipairs(records) do rows[i] = row_of(record) end
  return terminal.stdout():table(header, rows, {right = {[6] = true}, columns = not wide and NARROW or nil})
end

local function names_of(records)
  local names = {}
  for _, record in ipairs(records) do names[#names + 1] = record.run end
  return names
end

return output.show(options, function()
  local answer, failure = ask.daemon(options, {command = "history", job = options.words[1], limit = options.limit})
  if not answer then return nil, failure end
  return output.text(options, answer.rows, {names = names_of(answer.rows),
    text = function(wide) return table_of(answer.rows, wide) end})
end)
