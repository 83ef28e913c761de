-- The scheduler on virtual time: every slot goes through the real registry, policy, runner and hooks, but nothing is
-- run and nothing is sent. What simulate and the REPL share.
--
--   local s = simulation.new {jobs = plan.jobs, clock = clock.virtual(from - 1), watch = watch, …}
--   s:begin()
--   s.clock:run_until(to - 1)        -- waits; everything due happens in it
--
-- watch is told what happens, by these functions, all optional:
--   started(run)   ended(run)   skipped(run, reason)     run: a table of the registry's
--   alert(event)   post(effect, event)                   what would have been sent
--   trigger(job, event)   store(effect, event)           what else hooks by hand asked for
--   fired(hook, event)                                   for hooks that are not asked but told
local clock = require "clock"
local executor = require "executor"
local hooks_module = require "hooks"
local registry = require "registry"
local Runner = require "runner"

local simulation = {}
simulation.__index = simulation

local DURATION <const> = 60 -- seconds, of a job that does not say

local function nothing() end
local silent = {__index = function() return nothing end}

-- What hooks get instead of the network.
local no_http = {request = function() return nil, "nothing is sent in a simulation" end}

-- Hooks whose effects are captured. Waits until they are loaded, so before the clock is made virtual.
--   watch: as above; log: where hooks print and fail, none by default.
function simulation.hooks(dir, watch, log)
  watch = setmetatable(watch, silent)
  local self = {}
  self.host = hooks_module.start {
    dir = dir, http = no_http, now = clock.now, log = log or setmetatable({}, silent),
    on_effect = function(...) self.on_effect(...) end,
    on_error = function(...) self.on_error(...) end,
  }
  self.on_effect = function(effect, event)
    if effect.kind == "alert" then
      watch.alert {kind = "hook", job = event.job, title = effect.title, message = effect.message,
        severity = effect.severity}
    elseif effect.kind == "http.post" then
      watch.post(effect, event)
    elseif effect.kind == "trigger" then
      watch.trigger(effect.job, event)
    elseif effect.kind == "store.set" then
      watch.store(effect, event)
    end
  end
  self.on_error = function(failure)
    watch.alert {kind = "hook_error", job = failure.job, message = failure.message}
  end
  return self
end

-- Whether hooks may look into what is created.
local function changes_manifests(host)
  return host:defined "before_run" or host:defined "before_create" or host:defined "on_attempt_failed"
end

-- The registry as the runner sees it: its answers to slots are noted on the way.
function simulation:overheard(real)
  local seen, asked, watch = {}, self.asked, self.watch
  function seen.skip(_, id, reason)
    local done, message, code = real:skip(id, reason)
    if done then watch.skipped(asked[id], reason) end
    return done, message, code
  end
  function seen.start(_, id, ...)
    local done, message, code = real:start(id, ...)
    if done then watch.started(asked[id]) end -- in this instant
    return done, message, code
  end
  return setmetatable(seen, {__index = function(_, name)
    local method = real[name]
    local function forward(_, ...) return method(real, ...) end
    seen[name] = forward
    return forward
  end})
end

-- How long runs of each job take: said on the command line, in the schedule, or a minute.
local function executor_for(jobs, durations)
  local where = executor.simulated {duration = DURATION}
  for _, job in ipairs(jobs) do
    local seconds = durations[job.name] or job.expect_duration
    if seconds then where:say(job.name, {duration = seconds}) end
  end
  return where
end

function simulation:make_runner(options)
  local captured = {note = function() end, minds = function() end}
  function captured.send(_, event, done)
    self.watch.alert(event)
    if done then done(true) end
  end
  local runner = Runner.new {instance = options.instance, jobs = options.jobs, settings = options.settings,
    hooks = options.hooks.host, alerts = captured, history = setmetatable({}, silent)}
  if not changes_manifests(options.hooks.host) then
    runner.text = function() return "{}", false end -- nobody runs it
  end
  function runner.tell(_, hook, kind, run, alert)
    if hook and self.hooks:defined(hook) then return Runner.tell(runner, hook, kind, run, alert) end
    runner:reported(run)
  end
  options.hooks.on_effect = function(effect, event)
    if effect.kind == "http.post" then return self.watch.post(effect, event) end
    runner:on_effect(effect, event)
  end
  options.hooks.on_error = function(failure) runner:on_hook_error(failure) end
  return runner
end

-- options: jobs and settings (of schedule.load), clock (virtual), hooks (of simulation.hooks), watch, instance,
-- durations = {job = seconds}
function simulation.new(options)
  local self = setmetatable({clock = options.clock, jobs = options.jobs, hooks = options.hooks.host, asked = {},
    watch = setmetatable(options.watch, silent)}, simulation)
  local runner = self:make_runner(options)
  local handlers = self:handlers(runner)
  handlers.executor = executor_for(options.jobs, options.durations or {})
  handlers.instance, handlers.retention = options.instance, 0
  self.registry = registry.new(handlers)
  runner:attach(self:overheard(self.registry))
  self.runner = runner
  return self
end

-- The runner's handlers, overheard; those that only tell hooks are left out where no hook listens, since a year has a
-- million runs.
function simulation:handlers(runner)
  local out, watch, asked, hooks = runner:handlers(), self.watch, self.asked, self.hooks
  local on_slot, on_skipped, on_outcome = out.on_slot, out.on_skipped, out.on_outcome
  local outcome_is_told = false
  for _, hook in ipairs {"on_succeeded", "on_failed", "on_attempt_failed", "on_recovered", "on_start_failed"} do
    outcome_is_told = outcome_is_told or hooks:defined(hook)
  end
  function out.on_slot(run)
    asked[run.id] = run
    on_slot(run)
    asked[run.id] = nil
  end
  function out.on_skipped(run)
    watch.skipped(run, run.reason)
    on_skipped(run)
  end
  function out.on_outcome(run)
    watch.ended(run)
    if outcome_is_told then return on_outcome(run) end
    runner:reported(run)
  end
  if not hooks:defined "on_started" and not hooks:defined "on_late" then out.on_started = nil end
  function out.on_ready() end
  out.on_ahead = nil -- deciding takes no virtual time
  return out
end

-- Slots count from the second after the clock's.
function simulation:begin()
  local now = clock.now()
  for _, job in ipairs(self.jobs) do
    if job.schedule then
      local spec = Runner.spec(job)
      spec.baseline = now
      assert(self.registry:add(spec))
    end
  end
  assert(self.registry:open())
  self.clock:advance(0) -- the executor is ready
  self.registry:begin(now, {})
end

-- Nothing is decided any more; another simulation may begin on the same clock.
function simulation:stop()
  for name in pairs(self.watch) do self.watch[name] = nil end
  self.registry:stop()
end

return simulation
