-- kube-scheduler check [FILE…]: every mistake of a schedule and its templates, each at its place, and what is allowed
-- but may not be meant.
local cli = require "cli"
local clock = require "clock"
local json = require "json"
local lint = require "lint"
local output = require "output"
local problems = require "problems"
local schedule = require "schedule"
local terminal = require "terminal"
local text = require "text"

local options, code = cli.parse({
  name = "check", usage = "[FILE…]", most = math.huge,
  summary = "Prints what is wrong with the schedule as FILE:LINE:COL: error: …, and what may not be meant as\n" ..
    "FILE:LINE:COL: warning: …. Exit code 1 when there is an error.",
  options = cli.join(cli.schedule_options, {
    {name = "executor", value = "docker|kubernetes|local", choices = {"docker", "kubernetes", "local"},
      help = "docker: also what of a template a container engine cannot do"},
    {name = "strict", help = "a warning is a failure too"},
    {name = "peak", value = "N", integer = true,
      help = "warn of N jobs in one second (default: 10 that are over half of all)"},
    output.format "text|json|github",
  }),
}, arg)
if not options then return code end
cli.fill(options)

local function check(dir, name, found)
  local plan = schedule.load {dir = dir, name = name, instance = options.instance, namespace = options.namespace,
    executor = options.executor}
  lint.add(plan, {now = clock.now(), peak = options.peak})
  table.move(plan.problems, 1, #plan.problems, #found + 1, found)
  return plan.problems:errors(), #plan.jobs
end

local errors, jobs, found = 0, 0, json.array {}
if #options.words == 0 then options.words[1] = options.dir .. "/" .. options.name end
for _, path in ipairs(options.words) do
  local dir, name = path:match "^(.*)/([^/]*)$"
  local mistakes, good = check(dir or ".", name or path, found)
  errors, jobs = errors + mistakes, jobs + good
end

local formats = {text = problems.format, github = problems.annotation}
if options.format == "json" then
  terminal.json(found)
else
  for _, problem in ipairs(found) do print(formats[options.format or "text"](problem)) end
end
local warnings = #found - errors
io.stderr:write(("%s, %s, %s\n"):format(text.count(jobs, "good job"), text.count(errors, "mistake"),
  text.count(warnings, "warning")))
return errors == 0 and not (options.strict and warnings > 0)
