-- The middle of the daemon: what happens when a slot is due and when a run is over. The registry calls the
-- on_… methods, each as a task of its own; they decide by policy and hooks, render the manifest, and tell
-- hooks and alerts.
local clock = require "clock"
local event = require "event"
local hooks = require "hooks"
local json = require "json"
local log = require "log"
local policy = require "policy"
local sys = require "sys"
local task = require "task"
local template = require "template"

local Runner = {}
Runner.__index = Runner

-- options: {instance=, jobs={job, …}, hooks=, alerts=}; the registry is set by attach.
function Runner.new(options)
  local self = setmetatable({instance = options.instance, hooks = options.hooks, alerts = options.alerts, jobs = {},
    last_success = {}}, Runner)
  for _, job in ipairs(options.jobs) do self.jobs[job.name] = job end
  return self
end

function Runner:attach(registry) self.registry = registry end

local function fields(run, more)
  local out = more or {}
  out.job, out.run, out.slot = run.job, run.name, clock.format(run.slot)
  return out
end

-- Tells hooks and alerts, then the registry that it was told: until then a crash tells it again.
function Runner:tell(hook, kind, run, alert)
  local e = event.of_run(kind, run, self.jobs[run.job])
  if hook then self.hooks:fire(hook, e) end
  if not alert then return self:reported(run) end
  self.alerts:send(event.for_alert(e), function() self:reported(run) end)
end

function Runner:reported(run)
  local done, message, code = self.registry:report(run.id)
  if done or code == "notfound" then return end
  log.warning("the outcome could not be marked as told", fields(run, {error = message}))
end

function Runner:skip(run, reason)
  local done, message = self.registry:skip(run.id, reason)
  if not done then return log.warning("the slot was not skipped", fields(run, {error = message})) end
  run.reason = reason
  log.warning("slot skipped", fields(run, {reason = reason}))
  self:tell("on_skipped", "skipped", run, true)
end

-- Asks the hooks. Returns the changes they want, or nil and the reason of a veto.
function Runner:before_run(job, run)
  if not self.hooks:defined "before_run" then return {} end
  local verdict, failure, others = self.hooks:call("before_run", event.of_run("before_run", run, job))
  if failure then
    local runs = policy.after_hook_error(job)
    log.error("before_run failed", fields(run, {so = runs and "the slot runs" or "the slot is skipped"}))
    if not runs then return nil, "before_run failed: " .. failure:match "[^\n]*" end
    verdict = others
  end
  if verdict.verdict == "skip" then return nil, "before_run: " .. verdict.reason end
  if verdict.delay then task.sleep(verdict.delay) end
  return verdict
end

-- What a hook asked for, done after it returned well.
function Runner:on_effect(effect, cause)
  if effect.kind == "alert" then
    self.alerts:send(event.of_hook(effect, cause))
  elseif effect.kind == "http.post" then
    task.spawn(function()
      local done, message = hooks.post(effect)
      if not done then log.error("a hook's post failed", {event = cause.id, error = message}) end
    end)
  elseif effect.kind == "trigger" then
    local done, message = self.registry:trigger(effect.job, sys.random(8))
    if not done then log.error("a hook's trigger failed", {event = cause.id, error = message}) end
  end
end

-- A hook failed: {hook=, file=, job=, event=, message=}. It is logged already.
function Runner:on_hook_error(failure)
  self.alerts:send(event.of_scheduler("hook_error", failure.hook .. "/" .. failure.file, failure.message,
    {job = failure.job, file = failure.file}))
end

-- A job as the registry wants it.
function Runner.spec(job)
  return {
    name = job.name, namespace = job.namespace, schedule = job.schedule, baseline = job.baseline,
    catch_up = job.catch_up, catch_up_max = job.catch_up_max, deadline = job.deadline,
    keep_succeeded = job.history.succeeded, keep_failed = job.history.failed, pending_timeout = job.pending_timeout,
    main_container = job.main_container,
  }
end

function Runner:manifest(job, run, changes)
  return template.render(job.prepared, {
    job = run.job, name = run.name, instance = self.instance, slot = run.slot, attempt = run.attempt,
    trigger = run.trigger, last_success = self.last_success[run.job],
  }, changes)
end

-- An error of ours must not leave the slot undecided, which would hold its job for ever.
function Runner:on_slot(run)
  local decided, failure = xpcall(self.decide, debug.traceback, self, run)
  if decided then return end
  log.error("the slot could not be decided", fields(run, {error = failure}))
  self:skip(run, "an error in the scheduler: " .. tostring(failure):match "[^\n]*")
end

function Runner:decide(run)
  local job = self.jobs[run.job]
  local decision, reason = policy.decide(job, run)
  if decision == "skip" then return self:skip(run, reason) end
  local changes
  changes, reason = self:before_run(job, run)
  if not changes then return self:skip(run, reason) end
  local manifest = self:manifest(job, run, changes)
  local started, message = self.registry:start(run.id, json.encode(manifest), manifest.kind == "Job")
  if not started then log.warning("the slot is left to the next start", fields(run, {error = message})) end
end

-- The registry itself gave a slot up: missed, or left over from an earlier daemon.
function Runner:on_skipped(run)
  local missed = run.missed > 0
  log.warning(missed and "slots missed" or "slot skipped", fields(run, {reason = run.reason,
    count = missed and run.missed or nil, from = missed and clock.format(run.missed_from) or nil}))
  self:tell("on_skipped", missed and "missed" or "skipped", run, true)
end

function Runner.on_delayed(_, run, why) log.warning("create delayed", fields(run, {why = why})) end

function Runner:on_started(run)
  log.info("run started", fields(run, {trigger = run.trigger ~= "schedule" and run.trigger or nil}))
  self.hooks:fire("on_started", event.of_run("started", run, self.jobs[run.job]))
end

function Runner:on_outcome(run)
  local seconds = run.started and run.finished and run.finished - run.started
  local more = {outcome = run.outcome, exit_code = run.exit_code, reason = run.reason, seconds = seconds}
  if run.outcome == "succeeded" then
    self.last_success[run.job] = math.max(self.last_success[run.job] or 0, run.slot)
    log.info("run succeeded", fields(run, more))
    return self:tell("on_succeeded", "succeeded", run, false)
  end
  more.message = run.message
  log.error("run failed", fields(run, more))
  self:tell("on_failed", run.outcome, run, true)
end

-- The handlers that registry.new wants.
function Runner:handlers()
  local out = {}
  for _, name in ipairs {"on_slot", "on_skipped", "on_delayed", "on_started", "on_outcome"} do
    out[name] = function(...) return self[name](self, ...) end
  end
  return out
end

return Runner
