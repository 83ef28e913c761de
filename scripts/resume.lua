-- kube-scheduler resume [JOB]: ends a suspension, or the pause of all jobs.
local ask = require "ask"

local options, code = ask.parse({
  name = "resume", usage = "[JOB]", most = 1,
  summary = "Ends a job's suspension; without JOB the pause of all jobs. Each job's own suspension stays then.",
}, arg)
if not options then return code end

return ask.act(options, {command = "resume", job = options.words[1]}, function(answer)
  if answer.job then return answer.job .. (answer.again and " was not suspended" or " is resumed") end
  return answer.again and "there was no pause" or "the pause is over"
end)
