-- kube-scheduler template JOB [--slot T]: exactly the manifest that would be created.
local cli = require "cli"
local clock = require "clock"
local json = require "json"
local names = require "names"
local output = require "output"
local problems = require "problems"
local schedule = require "schedule"
local template = require "template"
local text = require "text"
local yaml = require "yaml"

local options, code = cli.parse({
  name = "template", usage = "JOB [--slot TIME]", most = 1,
  summary = "Prints the manifest that would be created for the job's slot, by default its next one.",
  options = cli.join(cli.schedule_options, {
    {name = "slot", value = "TIME", help = "such as 2026-11-24T08:00:00Z"},
    output.format "yaml|json",
  }),
}, arg)
if not options then return code end
cli.fill(options)

local function fail(message, ...)
  io.stderr:write(("kube-scheduler template: " .. message .. "\n"):format(...))
  return 1
end

local wanted = options.words[1]
if not wanted then
  fail "which job? see kube-scheduler template --help"
  return 2
end
local plan = schedule.load(options)
local job = schedule.find(plan, wanted)
if not job then
  for _, problem in ipairs(plan.problems) do io.stderr:write(problems.format(problem), "\n") end
  local known = {}
  for i, other in ipairs(plan.jobs) do known[i] = other.name end
  return fail("there is no good job '%s'%s", wanted, text.did_you_mean(wanted, known))
end
local slot, message
if options.slot then
  slot, message = clock.parse(options.slot)
  if not slot then return fail("--slot: %s", message) end
else
  slot = job.schedule and job.schedule:next(clock.now()) or clock.now()
end
local owner = {instance = options.instance, namespace = job.namespace, job = job.name, slot = slot, attempt = 0}
local manifest = template.render(template.of(job), {
  job = job.name, name = names.slot(owner), instance = options.instance, slot = slot, attempt = 0, trigger = "schedule",
})
io.write(options.format == "json" and json.encode(manifest, {indent = true}) or yaml.encode(manifest))
return 0
