-- kube-scheduler [run]: the standard daemon, top to bottom. It uses only the modules of lua/API.md, so a copy of
-- it with changes is a scheduler of your own: kube-scheduler my-daemon.lua
local alert = require "alert"
local baseline = require "baseline"
local cli = require "cli"
local clock = require "clock"
local event = require "event"
local hooks = require "hooks"
local log = require "log"
local place = require "place"
local problems = require "problems"
local registry = require "registry"
local Runner = require "runner"
local schedule = require "schedule"
local sys = require "sys"
local task = require "task"
local watermark = require "watermark"

local command = {
  name = "run", usage = "[options]", summary = "Runs the jobs of schedule.yml at their slots, until SIGTERM.",
  options = cli.join(cli.schedule_options, cli.place_options, {
    {name = "strict", help = "do not start when the schedule has a mistake"},
    {name = "hooks", value = "DIR", help = "folder of hooks (default: hooks beside the schedule)"},
    {name = "log-format", value = "text|json", choices = {"text", "json"}, help = "how the log is written (default: text)"},
  }),
}

local options, code = cli.parse(command, arg)
if not options then return code end
cli.fill(options)
log.format(options.log_format or "text")
log.info("kube-scheduler starts", {version = sys.version, instance = options.instance, schedule = options.dir .. "/" .. options.name})
task.budget(10) -- no event handler computes for longer

-- 1. Where tasks run, and what the schedule says.
local where, failure = place.open(options)
if not where then
  log.error("cannot start", {error = failure})
  return 1
end
local plan = schedule.load {dir = options.dir, name = options.name, instance = options.instance, namespace = where.namespace}
for _, problem in ipairs(plan.problems) do log[problem.severity](problems.format(problem)) end
if plan.problems:errors() > 0 and options.strict then
  log.error("not started: the schedule has mistakes, and --strict was given")
  return 1
end

-- 2. Who is told.
local alerts = alert.new {settings = plan.settings.alerts, instance = options.instance, environment = where.kind .. "/" .. where.namespace}
for _, problem in ipairs(plan.problems) do
  if problem.severity == "error" then
    alerts:send(event.of_scheduler("config_error", problem.file .. ":" .. problem.line, problems.format(problem), problem))
  end
end
local runner
local hook_host = hooks.start {dir = options.hooks or options.dir .. "/hooks",
  on_effect = function(...) runner:on_effect(...) end}

-- 3. The registry: what is due goes to the runner, what is over comes back to it.
runner = Runner.new {instance = options.instance, jobs = plan.jobs, hooks = hook_host, alerts = alerts}
local handlers = runner:handlers()
handlers.executor, handlers.instance, handlers.retention = where.executor, options.instance, plan.settings.retention
local jobs
handlers.on_ready = function() jobs.adopted() end
jobs = {registry = registry.new(handlers)}
runner:attach(jobs.registry)

-- 4. Lead, load what an earlier daemon left, adopt its runs, then decide from its watermark on.
local stop = {}
local function on_stop(name)
  sys.on_signal(name, function()
    if stop.asked then os.exit(1) end
    stop.asked = name
    if stop.resume then stop.resume() end
  end)
end
on_stop "TERM"
on_stop "INT"

task.spawn(function()
  local mark, open = where.state:acquire()
  local keep, changed = baseline.apply(plan.jobs, where.state:baselines(), clock.now())
  while changed and not where.state:save_baselines(keep) do task.sleep(1) end
  for _, job in ipairs(plan.jobs) do
    if job.schedule then assert(jobs.registry:add(runner.spec(job))) end
  end
  task.await(function(resume)
    jobs.adopted = resume
    assert(jobs.registry:open())
  end)
  assert(jobs.registry:begin(mark, open))
  log.info("ready", {jobs = #jobs.registry:jobs(), bad = #plan.bad, executor = where.kind, namespace = where.namespace})
  stop.keeper = {registry = jobs.registry, state = where.state, alerts = alerts, client = where.client}
  stop.lost = watermark.keep(stop.keeper)
  if stop.resume and stop.lost then stop.resume() end
end)

-- 5. Until SIGTERM: no new slots, running work is left alone, the watermark is written a last time.
task.await(function(resume) stop.resume = resume end)
log.info("stopping", {signal = stop.asked, reason = stop.lost})
jobs.registry:stop()
if stop.keeper then
  stop.keeper.stop = true
  if not stop.lost then where.state:release(jobs.registry:watermark()) end
end
hook_host:close()
alerts:flush(2)
log.info("stopped")
return stop.lost and 1 or 0
