-- kube-scheduler suspend [JOB] [--until TIME]: no slots until resumed.
local ask = require "ask"
local clock = require "clock"

local options, code = ask.parse({
  name = "suspend", usage = "[JOB] [options]", most = 1,
  summary = "Keeps a job's slots from running until its end or `resume`; without JOB all jobs', which needs --until.",
  options = {
    {name = "until", value = "TIME", help = "when it ends by itself: RFC 3339, a date, +2h"},
    {name = "reason", value = "TEXT", help = "why; shown with each slot that does not run"},
  },
}, arg)
if not options then return code end

local till
if options["until"] then
  till, code = ask.time(options, options["until"], "--until")
  if not till then return code end
end
return ask.act(options, {command = "suspend", job = options.words[1], ["until"] = till, reason = options.reason},
  function(answer)
    local ends = answer["until"]
    return ("%s %s"):format(answer.job and answer.job .. " is suspended" or "all jobs are paused",
      ends and "until " .. clock.format(ends) or "until it is resumed")
  end)
