-- kube-scheduler logs JOB|RUN [-f]: the output of a run.
local ask = require "ask"
local logs = require "logs"

local options, code = ask.parse({
  name = "logs", usage = "JOB|RUN [options]", most = 1, least = 1, missing = "of which job or run?",
  summary = "Prints the output of a run, of a job's newest. From the API server, or the state folder's files.",
  options = {
    {name = "follow", aliases = {"f"}, help = "goes on until the run is over"},
    {name = "container", value = "NAME", help = "of a Pod with several (default: its first)"},
  },
}, arg)
if not options then return code end

local source, message = logs.of(options)
if not source then return ask.complain(options, 1, "%s", message) end
local run
run, message = source:find(options.words[1])
local done = run
if run then
  done, message = source:copy(run, {follow = options.follow}, function(piece)
    io.write(piece)
    io.flush()
  end)
end
if not done then return ask.complain(options, 1, "%s", message) end
return true
