-- The middle of the daemon: what happens when a slot is due and when a run is over. The registry calls the
-- on_… methods, each as a task of its own; they decide by policy and hooks, render the manifest, and tell
-- hooks and alerts.
local clock = require "clock"
local event = require "event"
local form = require "form"
local hooks = require "hooks"
local json = require "json"
local log = require "log"
local policy = require "policy"
local rules = require "rules"
local sys = require "sys"
local task = require "task"
local template = require "template"
local wishes = require "wishes"

local LATE <const> = 10 -- seconds after which a start is late: REGISTRY_PUNCTUAL

local Runner = {}
Runner.__index = Runner

-- options: {instance=, jobs={job, …}, settings=, hooks=, alerts=, history=, summary=, encode= (of a manifest for the
-- executor; nil: as JSON)}; the registry is set by attach.
-- What is ordered later stands in suspended = {JOB = {until=, reason=, by=}} and paused = nil or the same
-- (lua/policy.lua); set_orders changes it. A job with `suspend: true` in the schedule is in `suspended` too, as long as
-- no order {resumed=true} is there; what was ordered alone stands in `orders`.
function Runner.new(options)
  local self = setmetatable({instance = options.instance, settings = options.settings or {}, hooks = options.hooks,
    alerts = options.alerts, history = options.history, summary = options.summary, encode = options.encode,
    listeners = {}, jobs = {}}, Runner)
  for _, job in ipairs(options.jobs) do self.jobs[job.name] = job end
  self:set_orders({}, nil)
  self.wishes = wishes.new {hooks = options.hooks, summary = options.summary,
    manifest = function(...) return self:manifest(...) end}
  return self
end

function Runner:attach(registry) self.registry = registry end

-- What decisions rest on changes by these alone, for what was decided ahead of its time holds no more then.
local function recall(self)
  if self.registry then self.registry:recall() end
end

-- Others take the place of the hooks, from now on.
function Runner:set_hooks(host)
  self.hooks, self.wishes.hooks = host, host
  recall(self)
end

-- The order that suspends a job by itself: while the schedule suspends it too, that is for as long as it does.
local function suspension(order, job)
  return order and not order.resumed and not (job and job.suspend) and order or nil
end

-- job: of schedule.load; nil: there is none by that name any more.
function Runner:set_job(name, job)
  self.jobs[name] = job
  self.suspended[name] = suspension(self.orders[name], job)
  recall(self)
end

local BY_SCHEDULE <const> = {by = "the schedule"}

-- Orders win over the schedule.
local function suspensions(self, orders)
  local suspended = setmetatable({}, {__index = function(_, name)
    local job, order = self.jobs[name], orders[name]
    if job and job.suspend and not (order and order.resumed) then return BY_SCHEDULE end
  end})
  for name in pairs(orders) do suspended[name] = suspension(orders[name], self.jobs[name]) end
  return suspended
end

-- What somebody ordered: see policy.held.
function Runner:set_orders(orders, paused)
  self.orders, self.paused, self.suspended = orders, paused, suspensions(self, orders)
  recall(self)
end

-- f(what, run) is told when a run's object was "asked" for, and when it "started".
function Runner:listen(f) self.listeners[#self.listeners + 1] = f end

function Runner:say(what, run)
  for _, listener in ipairs(self.listeners) do listener(what, run) end
end

local function fields(run, more)
  local out = more or {}
  out.job, out.run, out.slot = run.job, run.name, clock.format(run.slot)
  return out
end

-- Tells hooks and alerts, then the registry that it was told: until then a crash tells it again.
function Runner:tell(hook, kind, run, alert)
  self.history:add(run)
  local e = (alert or hook and self.hooks:defined(hook)) and event.of_run(kind, run, self.jobs[run.job])
  if hook and e then self.wishes:tell(hook, e) end
  if not alert then return self:reported(run) end
  self.alerts:send(event.for_alert(e), function() self:reported(run) end)
end

function Runner:reported(run)
  local done, message, code = self.registry:report(run.id)
  if done or code == "notfound" then return end
  log.warning("the outcome could not be marked as told", fields(run, {error = message}))
end

-- quiet: somebody ordered it, so nobody is alerted.
function Runner:skip(run, reason, quiet)
  local done, message = self.registry:skip(run.id, reason)
  if not done then return log.warning("the slot was not skipped", fields(run, {error = message})) end
  run.reason, run.missed = reason, 0
  log[quiet and "info" or "warning"]("slot skipped", fields(run, {reason = reason}))
  if quiet then self.alerts:note(event.for_alert(event.of_run("skipped", run, self.jobs[run.job]))) end
  self:tell("on_skipped", "skipped", run, not quiet)
end

-- how: {why=, not_before=, data=}
function Runner:wait(run, how)
  local done, message, code = self.registry:wait(run.id, how)
  if done then
    local until_time = how.not_before and clock.format(how.not_before)
    return log.info("run waits", fields(run, {why = how.why, ["until"] = until_time}))
  end
  if code == "limit" then return self:skip(run, message) end
  log.warning("the run does not wait", fields(run, {error = message}))
end

function Runner:replace(run)
  local done, message, code = self.registry:replace(run.id)
  if done then return log.info("run waits until those that it replaces are gone", fields(run)) end
  if code == "limit" then return self:skip(run, message) end
  log.warning("the run does not replace", fields(run, {error = message}))
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
    local done, message = self:trigger(effect.job, {id = sys.random(8), by = "a hook"})
    if not done then log.error("a hook's trigger failed", {event = cause.id, error = message}) end
  end
end

-- A hook failed: {hook=, file=, job=, event=, message=, off=}. It is logged already. That it is off is told by itself,
-- for a hook that goes on failing is told once.
function Runner:on_hook_error(failure)
  local subject = failure.hook .. "/" .. failure.file .. (failure.off and "/off" or "")
  self.alerts:send(event.of_scheduler("hook_error", subject, failure.off or failure.message,
    {job = failure.job, file = failure.file}))
end

-- A job as the registry wants it.
function Runner.spec(job)
  return {
    name = job.name, namespace = job.namespace, schedule = job.schedule, baseline = job.baseline,
    catch_up = job.catch_up, catch_up_max = job.catch_up_max, deadline = job.deadline,
    keep_succeeded = job.history.succeeded, keep_failed = job.history.failed, pending_timeout = job.pending_timeout,
    main_container = job.main_container, timeout = job.timeout, jitter = job.jitter, retries = job.retries,
    max_active = rules.max_active(job), limit = job.limit, priority = job.priority, after = job.after,
    release_lost = job.on_lost == "release",
  }
end

-- What the registry keeps with a run for us: {args=, reason=, by=} of who asked for it, and the answer of the
-- hooks to one attempt, {attempt=, args=, env=}.
local function data_of(run) return run.data and json.parse(run.data) or {} end

local function ask(self, method, job_name, request, more)
  local data = {args = request.args and json.array(request.args), reason = request.reason, by = request.by}
  more.data = next(data) and json.encode(data)
  local done, message, code = self.registry[method](self.registry, job_name, more)
  if done then
    log.info("run asked for", {job = job_name, id = request.id, by = request.by, reason = request.reason})
  end
  return done, message, code
end

-- A run now. request: {id=, args=, reason=, by=}; args replace the job's. -> true, or nil, why, and "exists" when
-- the same request has its run already, "notfound" when there is no such job.
function Runner:trigger(job_name, request) return ask(self, "trigger", job_name, request, {request = request.id}) end

-- The same for a past slot. request: {id=, slot=, args=, reason=, by=}
function Runner:backfill(job_name, request)
  return ask(self, "backfill", job_name, request, {id = request.id, slot = request.slot})
end

local function described(self, run)
  return {job = run.job, name = run.name, instance = self.instance, slot = run.slot, attempt = run.attempt,
    trigger = run.trigger, last_success = run.last_success}
end

function Runner:manifest(job, run, changes)
  return template.render(template.of(job), described(self, run), changes)
end

-- The same as JSON, as hooks want it, and whether it is a Job; or nil and why it is refused. Where no hook looks at it
-- the tree is not made.
function Runner:text(job, run, changes, patches)
  local touched = self.wishes:touches(run, patches)
  if not touched and not self.encode then
    return form.encode(job, described(self, run), changes), job.manifest.kind == "Job"
  end
  local manifest = self:manifest(job, run, changes)
  if touched then
    local refusal
    manifest, refusal = self.wishes:manifest(job, run, manifest, patches, event.of_run("before_create", run, job))
    if not manifest then return nil, refusal end
  end
  local written, unfit = (self.encode or json.encode)(manifest)
  if not written then return nil, unfit end
  return written, manifest.kind == "Job"
end

-- An error of ours must not leave the slot undecided, which would hold its job for ever.
function Runner:on_slot(run)
  local decided, failure = xpcall(self.decide, debug.traceback, self, run)
  if decided then return end
  log.error("the slot could not be decided", fields(run, {error = failure}))
  self:skip(run, "an error in the scheduler: " .. tostring(failure):match "[^\n]*")
end

-- A slot that comes within a second, to be decided while there is time: its manifest and whether that is a Job. nil: it
-- is decided at its time, as is what a hook has a say in or what the calendar may forbid by then.
function Runner:on_ahead(run)
  local job = self.jobs[run.job]
  if not job or job.days or job.freezes or self.wishes:decide() then return nil end
  if policy.decide(job, run, self) ~= "run" then return nil end
  return self:text(job, run, {})
end

-- Its create is on the way.
function Runner:on_begun(run) self:say("asked", run) end

-- What the hooks want of this attempt, asked once: it is kept when the run has to wait then. nil: it is decided.
function Runner:answer(job, run, data)
  if data.answer and data.answer.attempt == run.attempt then return data.answer end
  local changes, reason = self.wishes:ask("before_run", job, event.of_run("before_run", run, job))
  if not changes then return self:skip(run, reason) end
  if (changes.delay or 0) <= 0 then return changes end
  data.answer = {attempt = run.attempt, args = changes.args and json.array(changes.args), env = changes.env,
    patches = changes.patches}
  self:wait(run, {why = "before_run: delay", not_before = clock.now() + math.ceil(changes.delay),
    data = json.encode(data)})
end

function Runner:start(job, run)
  local data = data_of(run)
  local answer = self:answer(job, run, data)
  if not answer then return end
  local manifest, is_job = self:text(job, run, {args = answer.args or data.args, env = answer.env}, answer.patches)
  if not manifest then return self:skip(run, is_job) end
  self.wishes:forget(run)
  local started, message = self.registry:start(run.id, manifest, is_job)
  if not started then return log.warning("the slot is left to the next start", fields(run, {error = message})) end
  self:say("asked", run)
end

function Runner:decide(run)
  local job = self.jobs[run.job]
  local decision, why = policy.decide(job, run, self)
  if decision == "skip" or decision == "drop" then return self:skip(run, why, decision == "drop") end
  if decision == "wait" then return self:wait(run, {why = why}) end
  if decision == "replace" then return self:replace(run) end
  local wanted = self.wishes:of_attempt(run)
  if wanted.refused then
    self.wishes:forget(run)
    return self:skip(run, wanted.refused, true)
  elseif (wanted.not_before or 0) > clock.now() then
    return self:wait(run, {why = "on_attempt_failed: delay", not_before = wanted.not_before})
  end
  self:start(job, run)
end

-- Tells by `tell`; an error in it must not leave the run untold, for its object would stay for ever.
function Runner:told(run, tell)
  local done, failure = xpcall(tell, debug.traceback, self, run)
  if done then return end
  log.error("what became of a run could not be told", fields(run, {error = failure}))
  self.alerts:send(event.of_scheduler("internal_error", run.job, tostring(failure):match "[^\n]*", {run = run.name}))
  self:reported(run)
end

-- The registry itself gave a slot up: missed, not started by its deadline, or left over from an earlier daemon.
function Runner:on_skipped(run)
  self:told(run, function()
    local missed = run.missed > 0
    log.warning(missed and "slots missed" or "slot skipped", fields(run, {reason = run.reason,
      count = missed and run.missed or nil, from = missed and clock.format(run.missed_from) or nil}))
    if missed then self.wishes:tell("on_missed", event.of_run("missed", run, self.jobs[run.job])) end
    self:tell("on_skipped", missed and "missed" or "skipped", run, true)
  end)
end

-- The API server is away: every run of a burst says so each second. The first is logged, then how many times a second.
function Runner:on_delayed(run, why)
  if self.delays then
    self.delays, self.delayed_by = self.delays + 1, why
    return
  end
  log.warning("create delayed", fields(run, {why = why}))
  repeat
    self.delays = 0
    task.sleep(1)
    if self.delays > 0 then log.warning("creates delayed", {count = self.delays, why = self.delayed_by}) end
  until self.delays == 0
  self.delays = nil
end

-- Something about a run that goes on.
function Runner:tell_running(hook, run, message)
  local e = event.of_run(hook:match "^on_(.*)", run, self.jobs[run.job])
  e.message = message
  self.wishes:tell(hook, e)
end

function Runner:on_started(run)
  self:say("started", run)
  log.info("run started", fields(run, {trigger = run.trigger ~= "schedule" and run.trigger or nil}))
  if self.hooks:defined "on_started" then
    self.wishes:tell("on_started", event.of_run("started", run, self.jobs[run.job]))
  end
  if run.lateness > LATE then self:tell_running("on_late", run, ("it starts %.0f s late"):format(run.lateness)) end
  self:note("started", run)
end

-- Of what went well alerts want to know little, and an event is not made for nobody.
function Runner:note(kind, run)
  if not self.alerts:minds(kind, run.job) then return end
  self.alerts:note(event.for_alert(event.of_run(kind, run, self.jobs[run.job])))
end

function Runner:tell_success(run, more)
  log.info("run succeeded", fields(run, more))
  if not run.recovered then
    self:note("succeeded", run)
    return self:tell("on_succeeded", "succeeded", run, false)
  end
  self.wishes:tell("on_succeeded", event.of_run("succeeded", run, self.jobs[run.job]))
  self:tell("on_recovered", "recovered", run, true)
end

function Runner:tell_failure(run, more)
  more.message = run.message
  local job = self.jobs[run.job]
  if run.outcome == "start_failed" then
    self.wishes:tell("on_start_failed", event.of_run("start_failed", run, job))
  end
  if run.retry_at then
    local again, why = self.wishes:attempt_failed(job, run, event.of_run("attempt_failed", run, job))
    if again then
      more.retry_at = clock.format(run.retry_at)
      log.warning("attempt failed", fields(run, more))
      return self:tell(nil, "attempt_failed", run, false)
    end
    run.retry_at, run.message = nil, ("%s%s%s"):format(run.message or "", run.message and "; " or "", why)
  end
  log[run.replaced and "info" or "error"](run.replaced and "run replaced" or "run failed", fields(run, more))
  if run.attempt > 0 then
    run.message = ("%s%sall %d attempts failed"):format(run.message or "", run.message and "; " or "", run.attempt + 1)
  end
  self:tell("on_failed", run.outcome, run, not run.replaced)
end

function Runner:on_outcome(run)
  self:told(run, function()
    local seconds = run.started and run.finished and run.finished - run.started
    local more = {outcome = run.outcome, exit_code = run.exit_code, reason = run.reason, seconds = seconds,
      attempt = run.attempt > 0 and run.attempt or nil}
    if run.outcome == "succeeded" then return self:tell_success(run, more) end
    self:tell_failure(run, more)
  end)
end

-- Nothing can be started in a namespace, for what there is in it cannot be listed. Told once each time it begins.
function Runner:on_trouble(namespace, why)
  log.error("no run is started in a namespace", {namespace = namespace, why = why})
  self.alerts:send(event.of_scheduler("namespace_refused", namespace, why, {namespace = namespace}))
end

-- The handlers that registry.new wants, and the limits that it keeps.
function Runner:handlers()
  local out = {limits = self.settings.limits, max_active = self.settings.max_active}
  for _, name in ipairs {"on_slot", "on_ahead", "on_begun", "on_skipped", "on_delayed", "on_started",
    "on_outcome", "on_trouble"} do
    out[name] = function(...) return self[name](self, ...) end
  end
  return out
end

return Runner
