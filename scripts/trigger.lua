-- kube-scheduler trigger JOB [-- ARGS…]: runs a job now.
local ask = require "ask"
local json = require "json"
local wait = require "wait"

local options, code = ask.parse({
  name = "trigger", usage = "JOB [options] [-- ARGS…]", most = 1, least = 1, missing = "which job?",
  summary = "Runs a job of the running scheduler now, under the same overlap rules. ARGS replace its arguments.",
  options = {
    {name = "reason", value = "TEXT", help = "why; kept with the run"},
    {name = "wait", help = "until it is over, with its output; exit code 1 when it did not succeed"},
    {name = "id", value = "ID", help = "the same id again is the same run (default: a random one)"},
  },
}, arg)
if not options then return code end

local request = {command = "trigger", job = options.words[1], reason = options.reason,
  args = options.rest and json.array(options.rest)}
if options.wait then
  local answer
  answer, code = ask.daemon(options, request)
  if not answer then return code end
  return wait.run(options, answer)
end
return ask.act(options, request, function(answer)
  return ("%s: %s, request %s"):format(answer.job, answer.again and "was asked for already" or "asked for a run",
    answer.id)
end)
