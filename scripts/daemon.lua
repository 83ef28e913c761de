-- kube-scheduler [run]: the standard daemon, top to bottom. It uses only the modules of lua/API.md, so a copy of
-- it with changes is a scheduler of your own: kube-scheduler my-daemon.lua
local alert = require "alert"
local audit = require "audit"
local cli = require "cli"
local control = require "control"
local event = require "event"
local Events = require "kube.events"
local history = require "history"
local incident = require "incident"
local hooks = require "hooks"
local hooks_folder = require "hooks.folder"
local hook_store = require "hooks.store"
local leader = require "leader"
local log = require "log"
local overrun = require "overrun"
local place = require "place"
local problems = require "problems"
local recorder = require "hooks.recorder"
local registry = require "registry"
local Reload = require "reload"
local Runner = require "runner"
local schedule = require "schedule"
local sources = require "reload.sources"
local steps = require "steps"
local summary = require "history.summary"
local sys = require "sys"
local task = require "task"
local web = require "web"

local options, code = cli.parse(cli.daemon, arg)
if not options then return code end
cli.fill(options)
log.format(options.log_format)
log.info("kube-scheduler starts", {version = sys.version, instance = options.instance,
  schedule = options.dir .. "/" .. options.name})
task.budget(10) -- seconds: no event handler computes for longer
collectgarbage("incremental", 200, 4) -- the usual 100 ends a cycle at once when a table of 100,000 jobs grows

-- Where tasks run, and what the schedule says.
local where, failure = place.open(options)
if not where then
  log.error("cannot start", {error = failure})
  return 1
end
local function load(by, pause)
  return schedule.load {dir = options.dir, name = options.name, instance = options.instance,
    namespace = where.namespace, hooks = options.hooks, executor = where.kind,
    watched = where.watched or options.watch_namespaces, read = by.read, list = by.list, open = by.load, pause = pause}
end
local files = sources.new()
local plan = load(files, steps.new())
for _, problem in ipairs(plan.problems) do log[problem.severity](problems.format(problem)) end
if #plan.files == 0 then
  log.error("not started: there is no schedule")
  return 1
end
if plan.problems:errors() > 0 and options.strict then
  log.error("not started: the schedule has mistakes, and --strict was given")
  return 1
end
where.open(plan.jobs)

-- Who is told.
local hooks_dir = options.hooks or options.dir .. "/hooks"
local function sender_of(settings)
  return alert.new {settings = settings.alerts, hooks = hooks_dir, instance = options.instance,
    environment = where.kind .. "/" .. where.namespace}
end
local sender
sender, failure = sender_of(plan.settings)
if not sender then
  log.error("cannot start", {error = failure})
  return 1
end
local alerts = incident.new {sender = sender, jobs = plan.jobs, settings = plan.settings.alerts,
  whole = plan.problems:errors() == 0}
for _, problem in ipairs(plan.problems) do
  if problem.severity == "error" then alerts:send(event.of_problem(problem)) end
end
local runner
local kept = hook_store.new()
local record = options.record and recorder.open(options.record)
local function start_hooks(found, settings)
  return hooks.start {
    dir = hooks_dir, found = found, deadlines = settings.hooks, store = kept, record = record,
    on_effect = function(...) runner:on_effect(...) end,
    on_error = function(...) runner:on_hook_error(...) end,
  }
end
local found = hooks_folder.read(hooks_dir, files)
local hook_host = start_hooks(found, plan.settings)

-- What is due goes to the runner, what is over comes back to it.
local past = history.new {store = where.store, rows = plan.settings.history_rows}
runner = Runner.new {instance = options.instance, jobs = plan.jobs, settings = plan.settings, hooks = hook_host,
  alerts = alerts, history = past, summary = summary.new(past), encode = where.encode}
if where.client then
  Events.new {client = where.client, namespace = where.namespace, instance = options.instance}:listen(past, runner.jobs)
end
local handlers = runner:handlers()
handlers.executor, handlers.instance = where.executor, options.instance
handlers.retention = plan.settings.retention
local adopted
handlers.on_ready = function() adopted() end
local jobs = registry.new(handlers)
runner:attach(jobs)

-- Lead; then adopt what an earlier daemon left running, and decide slots from its watermark on. From then on
-- commands are served.
local commands
local lead = leader.new {state = where.state, client = where.client, registry = jobs, alerts = alerts, jobs = plan.jobs,
  whole = plan.problems:errors() == 0, spec = runner.spec, restore = function()
    alerts:restore(where.state)
    kept:restore(where.state)
    commands:restore()
  end,
  open = function()
    task.await(function(resume)
      adopted = resume
      assert(jobs:open())
    end)
    past:rebuild(jobs:runs())
  end}
commands = control.new {runner = runner, registry = jobs, lead = lead, state = where.state, history = past,
  alerts = alerts, jobs = plan.jobs, bad = plan.bad, instance = options.instance, where = where,
  state_dir = options.state_dir}

local acts = audit.new(where.store)
acts:listen(commands)

-- What is seen and asked over HTTP, also while another leads.
local shown = {options = options, where = where, plan = plan, runner = runner, registry = jobs, lead = lead,
  state = where.state, history = past, control = commands, alerts = alerts, hooks = hook_host,
  audit = acts}
local pages
if options.listen then
  pages, failure = web.start(options, shown)
  if not pages then
    log.error("cannot start", {error = failure})
    return 1
  end
end

-- Changes of the files are taken up while all this goes on.
local reload = Reload.new {load = load, hooks_dir = hooks_dir, start_hooks = start_hooks, plan = plan,
  hooks = hook_host, runner = runner, registry = jobs, lead = lead, control = commands, shown = shown,
  alerts = alerts, sender_of = sender_of}
commands.reload = reload
reload:begin {found = found, sources = files}

local why = task.await(function(resume)
  for _, name in ipairs {"TERM", "INT"} do
    sys.on_signal(name, function() resume("SIG" .. name) end)
  end
  lead.on_lost = resume
  local leads, refusal = lead:start()
  if not leads then return resume(refusal) end
  commands:serve()
  overrun.watch {runner = runner, registry = jobs}
  runner.hooks:fire("on_leader", event.of_leader {instance = options.instance, at = lead.since})
  log.info("ready", {jobs = #jobs:jobs(), bad = #plan.bad, executor = where.kind, namespace = where.namespace})
end)

-- No new slots; running work is left alone; the watermark is written a last time.
local asked = why:match "^SIG" ~= nil
log[asked and "info" or "error"]("stopping", {reason = why})
shown.stopping = true
if pages then pages:leave() end
reload:stop()
commands:stop()
jobs:stop()
alerts:stop(1, not lead.lost)
runner.hooks:close(1)
if not lead.lost then kept:close(1) end
lead:stop()
if pages then pages:close() end
log.info("stopped")
return asked
