-- kube-scheduler silence JOB|all --until TIME --reason TEXT: no alerts until then.
local ask = require "ask"
local clock = require "clock"

local options, code = ask.parse({
  name = "silence", usage = "JOB|all --until TIME --reason TEXT", least = 1, most = 1, missing = "which job, or all?",
  summary = "Sends no alerts of a job, or none at all, until its end. What is still wrong then is sent then.",
  options = {
    {name = "until", value = "TIME", help = "when it ends, 30 days from now at most: RFC 3339, a date, +2h"},
    {name = "reason", value = "TEXT", help = "why; shown by status"},
  },
}, arg)
if not options then return code end
for _, name in ipairs {"until", "reason"} do
  if not options[name] then return ask.complain(options, 2, "a silence needs --%s", name) end
end

local till
till, code = ask.time(options, options["until"], "--until")
if not till then return code end
return ask.act(options, {command = "silence", job = options.words[1], ["until"] = till, reason = options.reason},
  function(answer)
    local what = answer.job == "all" and "all alerts are" or "alerts of " .. answer.job .. " are"
    return ("%s silent until %s"):format(what, clock.format(answer["until"]))
  end)
