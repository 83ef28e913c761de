-- kube-scheduler check [FILE…]: every mistake of a schedule and its templates, each at its place.
local cli = require "cli"
local problems = require "problems"
local schedule = require "schedule"

local options, code = cli.parse({
  name = "check", usage = "[FILE…]", most = math.huge,
  summary = "Prints every mistake of the schedule as FILE:LINE:COL: error: … Exit code 1 when there is one.",
  options = cli.schedule_options,
}, arg)
if not options then return code end
cli.fill(options)

local function check(dir, name)
  local plan = schedule.load {dir = dir, name = name, instance = options.instance, namespace = options.namespace}
  for _, problem in ipairs(plan.problems) do print(problems.format(problem)) end
  return plan.problems:errors(), #plan.jobs
end

local errors, jobs = 0, 0
if #options.words == 0 then options.words[1] = options.dir .. "/" .. options.name end
for _, path in ipairs(options.words) do
  local dir, name = path:match "^(.*)/([^/]*)$"
  local found, good = check(dir or ".", name or path)
  errors, jobs = errors + found, jobs + good
end
io.stderr:write(("%d jobs are good, %d mistakes\n"):format(jobs, errors))
return errors == 0
