-- kube-scheduler export [JOB…]: the schedule as CronJobs.
local cli = require "cli"
local export = require "export"
local output = require "output"
local problems = require "problems"
local schedule = require "schedule"
local terminal = require "terminal"
local yaml = require "yaml"

local options, code = cli.parse({
  name = "export", usage = "[JOB…] [options]", most = math.huge,
  summary = "Prints jobs as CronJobs. What a CronJob cannot say is told job by job, with exit code 1, and such a\n" ..
    "job is left out; --lossy prints what can be said of it.",
  options = cli.join(cli.schedule_options, {
    {name = "lossy", help = "print also jobs of which a CronJob says only a part; the rest is told"},
    {name = "api-version", value = "batch/v1|batch/v1beta1", choices = {"batch/v1", "batch/v1beta1"}, key = "api",
      help = "default: batch/v1, of Kubernetes 1.21 on; time zones of 1.27 on"},
    output.format "yaml|json",
  }),
}, arg)
if not options then return code end
cli.fill(options)
options.api = options.api or "batch/v1"

local plan = schedule.load(options)
for _, problem in ipairs(plan.problems) do io.stderr:write(problems.format(problem), "\n") end
local jobs, good = plan.jobs, plan.problems:errors() == 0
if #options.words > 0 then
  jobs = {}
  for i, name in ipairs(options.words) do
    jobs[i] = schedule.find(plan, name)
    if not jobs[i] then
      io.stderr:write(("kube-scheduler export: there is no good job '%s'\n"):format(name))
      return 1
    end
  end
end

local function write(object)
  if options.format == "json" then return terminal.json(object) end
  io.write("---\n", yaml.encode(object))
end

for _, job in ipairs(jobs) do
  local objects, lost = export.job(job, options)
  for _, what in ipairs(lost) do io.stderr:write(("%s: a CronJob cannot say %s\n"):format(job.name, what)) end
  if #lost == 0 or options.lossy then
    for _, object in ipairs(objects) do write(object) end
  end
  good = good and (#lost == 0 or options.lossy == true)
end
return good
