-- kube-scheduler unsilence JOB|all: ends a silence.
local ask = require "ask"

local options, code = ask.parse({
  name = "unsilence", usage = "JOB|all", least = 1, most = 1, missing = "which job, or all?",
  summary = "Ends a silence; what is wrong is alerted. With `all` that of all jobs: a job's own silence stays.",
}, arg)
if not options then return code end

return ask.act(options, {command = "unsilence", job = options.words[1]}, function(answer)
  return answer.job .. (answer.again and " was not silenced" or " alerts again")
end)
