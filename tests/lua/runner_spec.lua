-- The middle of the daemon with a registry, hooks and alerts that only remember.
local baseline = require "baseline"
local Runner = require "runner"

local function fake()
  local seen = {skipped = {}, started = {}, reported = {}, alerts = {}}
  local registry = {}
  function registry.skip(_, id, reason) seen.skipped[id] = reason return true end
  function registry.start(_, id, manifest) seen.started[id] = manifest return true end
  function registry.report(_, id) seen.reported[#seen.reported + 1] = id return true end
  local hooks = {defined = function() return false end, fire = function() end}
  local alerts = {}
  function alerts.send(_, event, done) seen.alerts[#seen.alerts + 1] = event if done then done(true) end end
  local job = {name = "a", overlap = "forbid", cron = "@daily", place = {file = "s.yml", line = 1},
    prepared = {kind = "Pod", metadata = {}, spec = {containers = {{name = "main"}}}}}
  local runner = Runner.new {instance = "test", jobs = {job}, hooks = hooks, alerts = alerts}
  runner:attach(registry)
  return runner, seen, job
end

local function run(more)
  local out = {id = 1, job = "a", namespace = "ns", name = "a-1", slot = 1795507200, attempt = 0, active = 0,
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

  it("skips, tells and reports a slot that comes while a run is active", function()
    local runner, seen = fake()
    runner:on_slot(run {active = 1})
    assert.matches("^overlap", seen.skipped[1])
    assert.equal("skipped", seen.alerts[1].kind)
    assert.equal(1795507200, seen.alerts[1].slot_time)
    assert.same({1}, seen.reported)
  end)

  it("lets an overlapping slot run where that is allowed", function()
    local runner, seen, job = fake()
    job.overlap = "allow"
    runner:on_slot(run {active = 3})
    assert.is_string(seen.started[1])
  end)

  it("never leaves a slot undecided, whatever breaks", function()
    local runner, seen, job = fake()
    job.prepared = nil
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
end)

describe("baselines", function()
  local known = {a = {fingerprint = "f", since = 5}, gone = {fingerprint = "g", since = 6}}

  it("stay with an unchanged job, and are now for a new or edited one", function()
    local jobs = {{name = "a", fingerprint = "f"}, {name = "b", fingerprint = "x"}}
    local keep, changed = baseline.apply(jobs, known, 100, true)
    assert.is_true(changed)
    assert.same({5, 100}, {jobs[1].baseline, jobs[2].baseline})
    assert.is_nil(keep.gone)
    baseline.apply({{name = "a", fingerprint = "f"}}, keep, 200, true)
    jobs[1].fingerprint = "edited"
    assert.equal(300, baseline.apply(jobs, known, 300, true).a.since)
  end)

  it("survive a schedule that cannot be read", function()
    local keep, changed = baseline.apply({}, known, 100, false)
    assert.is_false(changed)
    assert.same(known, keep)
  end)
end)
