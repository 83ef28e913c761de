-- The middle of the daemon with a registry, hooks and alerts that only remember.
local clock = require "clock"
local json = require "json"
local log = require "log"
local hook_names = require "hooks.known"
local policy = require "policy"
local Runner = require "runner"
local task = require "task"

local function fake()
  local seen = {skipped = {}, started = {}, reported = {}, alerts = {}, waits = {}, hooks = {}, asked = {}}
  local registry = {}
  function registry.skip(_, id, reason) seen.skipped[id] = reason return true end
  function registry.start(_, id, manifest) seen.started[id] = manifest return true end
  function registry.report(_, id) seen.reported[#seen.reported + 1] = id return true end
  function registry.wait(_, id, how)
    if seen.full then return nil, "too many runs wait", "limit" end
    seen.waits[id] = how
    return true
  end
  function registry.replace(_, id) seen.replaces = id return true end
  function registry.recall() seen.recalls = (seen.recalls or 0) + 1 end
  function registry.trigger(_, job, request) seen.asked = {job, request} return true end
  local hooks = {answers = {}, others = {}} -- of before_run; by the hook's name
  local function answers_of(name) return name == "before_run" and hooks.answers or hooks.others[name] or {} end
  function hooks.defined(_, name) return not hook_names.hooks[name].decision or answers_of(name)[1] ~= nil end
  function hooks.call(_, name, event)
    seen.hooks[#seen.hooks + 1] = {name, event}
    return table.remove(answers_of(name), 1)
  end
  function hooks.fire(_, name, event) seen.hooks[#seen.hooks + 1] = {name, event} end
  local alerts = {}
  function alerts.send(_, event, done) seen.alerts[#seen.alerts + 1] = event if done then done(true) end end
  function alerts.note() end
  function alerts.minds() return false end
  local job = {name = "a", overlap = "forbid", queue = 10, cron = "@daily", file = "s.yml", line = 1,
    namespace = "ns", manifest = {kind = "Pod", spec = {containers = json.array {{name = "main"}}}}}
  local runner = Runner.new {instance = "test", jobs = {job}, hooks = hooks, alerts = alerts,
    history = {add = function() end}}
  runner:attach(registry)
  return runner, seen, job, hooks
end

local function run(more)
  local out = {id = 1, job = "a", namespace = "ns", name = "a-1", slot = 1795507200, attempt = 0, active = 0, queued = 0,
    trigger = "schedule", lateness = 0, missed = 0}
  for name, value in pairs(more or {}) do out[name] = value end
  return out
end

describe("the runner", function()
  it("starts a slot with its manifest", function()
    local runner, seen = fake()
    runner:on_slot(run())
    assert.matches('"kube%-scheduler/slot":"2026%-11%-24T08:00:00Z"', seen.started[1])
    assert.same({}, seen.skipped)
  end)

  it("decides ahead of its time what will be decided the same at it", function()
    local runner, seen, job = fake()
    runner:on_slot(run())
    local manifest, is_job = runner:on_ahead(run {id = 0})
    assert.same({seen.started[1], false}, {manifest, is_job})
    assert.is_nil((runner:on_ahead(run {id = 0, blocked = "total"})))
    job.days = {}
    assert.is_nil((runner:on_ahead(run {id = 0})))
    job.days, job.freezes = nil, {}
    assert.is_nil((runner:on_ahead(run {id = 0})))
    runner:set_job("a", nil)
    assert.is_nil((runner:on_ahead(run {id = 0})))
    assert.same({1}, {seen.recalls})
  end)

  it("skips what the schedule suspends, whatever was ordered but to resume it", function()
    local runner, _, job = fake()
    local function held() return (policy.held("a", runner)) end
    local function reload(suspend)
      job.suspend = suspend
      runner:set_job("a", job)
    end
    runner:set_orders {a = {["until"] = clock.now() - 1}}
    assert.is_nil(held())
    reload(true)
    assert.equal("suspended by the schedule", held())
    runner:set_orders {a = {["until"] = clock.now() - 1}}
    assert.equal("suspended by the schedule", held())
    runner:set_orders {a = {resumed = true}}
    assert.is_nil(held())
    reload(nil)
    runner:set_orders {a = {by = "me"}}
    reload(true)
    reload(nil)
    assert.equal("suspended by me", held())
  end)

  it("asks hooks at a slot's time, not ahead of it", function()
    local runner, seen, _, hooks = fake()
    for _, name in ipairs {"before_run", "before_create"} do
      hooks.answers, hooks.others = {name == "before_run" and {} or nil}, {[name] = {{}}}
      assert.is_nil((runner:on_ahead(run {id = 0})))
    end
    assert.same({}, seen.hooks)
    hooks.others = {}
    assert.is_string((runner:on_ahead(run {id = 0})))
    runner:set_hooks(hooks)
    assert.equal(1, seen.recalls)
  end)

  it("takes back what was decided ahead when somebody orders something", function()
    local runner, seen = fake()
    runner:set_orders({a = {by = "me"}}, nil)
    assert.is_nil((runner:on_ahead(run {id = 0})))
    runner:set_orders({}, {by = "me"})
    assert.is_nil((runner:on_ahead(run {id = 0})))
    assert.equal(2, seen.recalls)
    assert.same({}, seen.skipped)
  end)

  it("skips, tells and reports a slot that comes while a run is active", function()
    local runner, seen = fake()
    runner:on_slot(run {active = 1, blocked = "job"})
    assert.matches("^overlap", seen.skipped[1])
    assert.equal("skipped", seen.alerts[1].kind)
    assert.equal(1795507200, seen.alerts[1].slot_time)
    assert.same({1}, seen.reported)
  end)

  it("tells alerts of what went well when they want to know", function()
    local runner = fake()
    local noted = {}
    function runner.alerts.minds(_, kind, job) return kind == "started" and job == "a" end
    function runner.alerts.note(_, event) noted[#noted + 1] = event.kind end
    runner:on_started(run())
    runner:on_outcome(run {outcome = "succeeded"})
    assert.same({"started"}, noted)
  end)

  it("lets an overlapping slot run where that is allowed", function()
    local runner, seen, job = fake()
    job.overlap = "allow"
    runner:on_slot(run {active = 3})
    assert.is_string(seen.started[1])
  end)

  it("never leaves a slot undecided, whatever breaks", function()
    local runner, seen, job = fake()
    job.manifest = nil
    runner:on_slot(run())
    assert.matches("^an error in the scheduler: ", seen.skipped[1])
    assert.same(1, #seen.alerts)
  end)

  it("alerts a failure before it is reported, and not a success", function()
    local runner, seen = fake()
    runner:on_outcome(run {outcome = "failed", exit_code = 3})
    assert.equal("failed", seen.alerts[1].kind)
    runner:on_outcome(run {id = 2, outcome = "succeeded"})
    assert.same(1, #seen.alerts)
    assert.same({1, 2}, seen.reported)
  end)

  it("keeps a hook's answer while the run waits for its delay", function()
    local runner, seen, _, hooks = fake()
    hooks.answers = {{verdict = "run", delay = 30, args = {"x"}, env = {A = "1"}}}
    runner:on_slot(run())
    local how = seen.waits[1]
    assert.equal("before_run: delay", how.why)
    assert.is_true(how.not_before >= clock.now() + 29)
    hooks.answers = {{verdict = "skip", reason = "asked twice"}}
    runner:on_slot(run {waited = how.why, data = how.data})
    assert.matches('"args":%["x"%]', seen.started[1])
    assert.matches('"name":"A","value":"1"', seen.started[1])
    runner:on_slot(run {id = 2, attempt = 1, data = how.data}) -- the next attempt is asked for again
    assert.equal("before_run: asked twice", seen.skipped[2])
  end)

  it("skips what cannot wait because too many do", function()
    local runner, seen, job = fake()
    job.overlap, seen.full = "enqueue", true
    runner:on_slot(run {active = 1, blocked = "job"})
    assert.equal("too many runs wait", seen.skipped[1])
    assert.equal("skipped", seen.alerts[1].kind)
  end)

  it("replaces", function()
    local runner, seen, job = fake()
    job.overlap = "replace"
    runner:on_slot(run {active = 1, blocked = "job"})
    assert.equal(1, seen.replaces)
  end)

  it("alerts nobody of a slot that was ordered to be dropped", function()
    local runner, seen = fake()
    runner.paused = {reason = "maintenance"}
    runner:on_slot(run())
    assert.equal("paused: maintenance", seen.skipped[1])
    assert.same({}, seen.alerts)
    assert.same({1}, seen.reported)
  end)

  it("runs what somebody asks for with the arguments given", function()
    local runner, seen = fake()
    assert.is_true(runner:trigger("a", {id = "r1", args = {"one"}, by = "me"}))
    assert.same({"a", "r1"}, {seen.asked[1], seen.asked[2].request})
    runner:on_slot(run {trigger = "manual", data = seen.asked[2].data})
    assert.matches('"args":%["one"%]', seen.started[1])
    runner:trigger("a", {id = "r2"})
    assert.is_nil(seen.asked[2].data)
  end)

  it("tells of an attempt that is tried again by its own hook, and alerts the last one only", function()
    local runner, seen, _, hooks = fake()
    hooks.others.on_attempt_failed = {{verdict = "run"}}
    runner:on_outcome(run {outcome = "failed", retry_at = 1795507300})
    assert.same({"on_attempt_failed", "attempt_failed", 1795507300},
      {seen.hooks[1][1], seen.hooks[1][2].kind, seen.hooks[1][2].retry_at})
    assert.same({}, seen.alerts)
    runner:on_outcome(run {id = 2, outcome = "failed", attempt = 2, message = "boom"})
    assert.equal("on_failed", seen.hooks[2][1])
    assert.equal("boom; all 3 attempts failed", seen.alerts[1].message)
    assert.same({1, 2}, seen.reported)
  end)

  it("lets a hook end the retries: the attempt is the last one, and what was planned is dropped quietly", function()
    local runner, seen, _, hooks = fake()
    hooks.others.on_attempt_failed = {{verdict = "skip", reason = "no use"}}
    runner:on_outcome(run {outcome = "failed", retry_at = 1795507300})
    assert.equal("on_failed", seen.hooks[2][1])
    assert.equal("on_attempt_failed: no use", seen.alerts[1].message)
    runner:on_slot(run {id = 2, name = "a-1-r1", attempt = 1, trigger = "retry"})
    assert.equal("on_attempt_failed: no use", seen.skipped[2])
    assert.same(1, #seen.alerts)
  end)

  it("lets a hook change the next attempt, and only that", function()
    local runner, seen, _, hooks = fake()
    local patch = {spec = {containers = {{name = "main", resources = {limits = {memory = "2Gi"}}}}}}
    hooks.others.on_attempt_failed = {{verdict = "run", delay = 60, patches = {{patch = patch}}}}
    runner:on_outcome(run {outcome = "failed", reason = "OOMKilled", retry_at = 1795507300})
    assert.equal("main", seen.hooks[1][2].manifest.spec.containers[1].name)
    local retry = run {id = 2, name = "a-1-r1", attempt = 1, trigger = "retry"}
    runner:on_slot(retry)
    assert.equal("on_attempt_failed: delay", seen.waits[2].why)
    runner.wishes.retries["ns/a-1"].not_before = 0
    runner:on_slot(retry)
    assert.matches('"memory":"2Gi"', seen.started[2], 1, true)
    runner:on_slot(run {id = 3, name = "a-1-r2", attempt = 2, trigger = "retry"})
    assert.falsy(seen.started[3]:find("2Gi", 1, true))
  end)

  it("shows what is created to before_create, which may change or refuse it", function()
    local runner, seen, _, hooks = fake()
    hooks.answers = {{verdict = "run", patches = {{patch = {metadata = {labels = {team = "a"}}}}}}}
    hooks.others.before_create = {
      {verdict = "run", patches = {{patch = {metadata = {name = "mine", labels = {["kube-scheduler/job"] = "other"},
        annotations = {x = "y"}}}}}},
      {verdict = "skip", reason = "no limits"}, {verdict = "run", patches = {{patch = {kind = "Job"}}}},
    }
    runner:on_slot(run())
    local shown = seen.hooks[2][2].manifest
    assert.equal("a", shown.metadata.labels.team)
    local made = json.parse(seen.started[1])
    assert.same({"a-1", "a", "a", "y"}, {made.metadata.name, made.metadata.labels["kube-scheduler/job"],
      made.metadata.labels.team, made.metadata.annotations.x})
    runner:on_slot(run {id = 2})
    assert.equal("before_create: no limits", seen.skipped[2])
    runner:on_slot(run {id = 3})
    assert.equal("before_create: the kind must stay Pod", seen.skipped[3])
  end)

  it("tells of a late start, a start that failed and missed slots by their own hooks too", function()
    local runner, seen = fake()
    runner:on_started(run {lateness = 10})
    runner:on_started(run {lateness = 11.25})
    runner:on_outcome(run {outcome = "start_failed"})
    runner:on_skipped(run {missed = 2, missed_from = 1795507100, reason = "missed"})
    local names = {}
    for i, each in ipairs(seen.hooks) do names[i] = each[1] end
    assert.same({"on_started", "on_started", "on_late", "on_start_failed", "on_failed", "on_missed", "on_skipped"}, names)
    assert.equal("late", seen.hooks[3][2].kind)
  end)

  it("tells of a recovery, by hook and alert", function()
    local runner, seen = fake()
    runner:on_outcome(run {outcome = "succeeded", recovered = true})
    assert.same({"on_succeeded", "on_recovered"}, {seen.hooks[1][1], seen.hooks[2][1]})
    assert.equal("recovered", seen.alerts[1].kind)
    assert.same({1}, seen.reported)
  end)

  it("alerts of a hook that fails, and once more when it is off", function()
    local runner, seen = fake()
    local failure = {hook = "on_failed", file = "hooks/a.lua", job = "a", message = "a.lua:1: broken"}
    runner:on_hook_error(failure)
    runner:on_hook_error(failure)
    failure.off = "on_failed is off"
    runner:on_hook_error(failure)
    assert.same({"hook_error", "a.lua:1: broken"}, {seen.alerts[1].kind, seen.alerts[1].message})
    assert.equal(seen.alerts[1].id, seen.alerts[2].id)
    assert.not_equal(seen.alerts[1].id, seen.alerts[3].id)
    assert.equal("on_failed is off", seen.alerts[3].message)
  end)

  it("alerts nobody of a run that was replaced", function()
    local runner, seen = fake()
    runner:on_outcome(run {outcome = "deleted", replaced = true})
    assert.equal("on_failed", seen.hooks[1][1])
    assert.same({}, seen.alerts)
  end)

  it("alerts that nothing can be started in a namespace", function()
    local runner, seen = fake()
    runner:on_trouble("other", "pods is forbidden")
    assert.same({"namespace_refused", "pods is forbidden", "other"},
      {seen.alerts[1].kind, seen.alerts[1].message, seen.alerts[1].namespace})
    assert.is_function(runner:handlers().on_trouble)
  end)

  it("reports a run also when telling of it breaks", function()
    local runner, seen, _, hooks = fake()
    function hooks.fire() error "broken" end
    runner:on_outcome(run {outcome = "failed"})
    assert.equal("internal_error", seen.alerts[1].kind)
    assert.matches("broken", seen.alerts[1].message)
    assert.same({1}, seen.reported)
  end)

  it("logs the first create that is delayed, then their count once a second until there are none", function()
    local runner = fake()
    local lines, naps, warning, sleep = {}, 0, log.warning, task.sleep
    log.warning = function(message, more) lines[#lines + 1] = ("%s %s"):format(message, more.count or more.run) end
    task.sleep = function()
      naps = naps + 1
      for _ = 1, naps == 1 and 3 or 0 do runner:on_delayed(run(), "away") end
    end
    runner:on_delayed(run(), "away")
    runner:on_delayed(run(), "away")
    log.warning, task.sleep = warning, sleep
    assert.same({"create delayed a-1", "creates delayed 3", "create delayed a-1"}, lines)
  end)

  it("tells a container of the last success that the registry knows", function()
    local runner, seen = fake()
    runner:on_slot(run {last_success = 1795507200})
    assert.matches('KUBE_SCHEDULER_LAST_SUCCESS","value":"2026%-11%-24T08:00:00Z"', seen.started[1])
  end)
end)
