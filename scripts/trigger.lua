-- kube-scheduler trigger JOB [-- ARGS…]: runs a job now.
local ask = require "ask"
local json = require "json"
local terminal = require "terminal"

local options, code = ask.parse({
  name = "trigger", usage = "JOB [options] [-- ARGS…]", most = 1, least = 1, missing = "which job?",
  summary = "Runs a job of the running scheduler now, under the same overlap rules. ARGS replace its arguments.",
  options = {
    {name = "reason", value = "TEXT", help = "why; kept with the run"},
    {name = "id", value = "ID", help = "the same id again is the same run (default: a random one)"},
  },
}, arg)
if not options then return code end

local answer
answer, code = ask.daemon(options, {command = "trigger", job = options.words[1], reason = options.reason,
  args = options.rest and json.array(options.rest)})
if not answer then return code end
if options.format == "json" then
  terminal.json(answer)
else
  print(("%s: %s, request %s"):format(answer.job, answer.again and "was asked for already" or "asked for a run",
    answer.id))
end
return true
