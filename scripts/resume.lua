-- kube-scheduler resume [JOB]: ends a suspension, or the pause of all jobs.
local ask = require "ask"
local terminal = require "terminal"

local options, code = ask.parse({
  name = "resume", usage = "[JOB]", most = 1,
  summary = "Ends a job's suspension; without JOB the pause of all jobs. Each job's own suspension stays then.",
}, arg)
if not options then return code end

local answer
answer, code = ask.daemon(options, {command = "resume", job = options.words[1]})
if not answer then return code end
if options.format == "json" then
  terminal.json(answer)
elseif answer.job then
  print(answer.job .. (answer.again and " was not suspended" or " is resumed"))
else
  print(answer.again and "there was no pause" or "the pause is over")
end
return true
