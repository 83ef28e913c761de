-- The rules by which a slot runs, waits, is skipped or dropped; and from when on a job's slots count.
local baseline = require "baseline"
local policy = require "policy"

local function run(more)
  local out = {job = "a", slot = 1795507200, attempt = 0, active = 0, queued = 0, trigger = "schedule"}
  for name, value in pairs(more or {}) do out[name] = value end
  return out
end

describe("policy", function()
  local job = {name = "a", overlap = "forbid", queue = 2, limit = "db"}
  local function decide(overlap, more, orders)
    job.overlap = overlap
    return policy.decide(job, run(more), orders or {})
  end

  it("judges a slot that finds its job's runs active, by overlap", function()
    local busy = {active = 2, blocked = "job"}
    assert.same({"skip", "overlap: 2 runs are still active"}, {decide("forbid", busy)})
    assert.same({"wait", "overlap: 2 runs are still active"}, {decide("enqueue", busy)})
    assert.same({"wait", "overlap: 2 runs are still active"}, {decide("allow", busy)})
    assert.equal("replace", decide("replace", busy))
    assert.equal("run", decide("forbid", {active = 2}))
  end)

  it("never skips a retry for overlap, nor a run that waited already for a full queue", function()
    for _, overlap in ipairs {"forbid", "replace", "enqueue"} do
      assert.equal("wait", (decide(overlap, {attempt = 1, active = 1, blocked = "job", queued = 9})))
    end
    assert.equal("wait", (decide("enqueue", {active = 1, blocked = "job", queued = 2, waited = "x"})))
    assert.same({"skip", "overlap: a run is still active, and 2 wait already"},
      {decide("enqueue", {active = 1, blocked = "job", queued = 2})})
  end)

  it("lets a slot wait for a limit, but under forbid not behind another", function()
    assert.same({"wait", "limit db is reached"}, {decide("forbid", {blocked = "limit"})})
    assert.same({"wait", "as many runs as settings.max_active allows are active"}, {decide("allow", {blocked = "total"})})
    assert.same({"skip", "overlap: an earlier run still waits"}, {decide("forbid", {queued = 1})})
    assert.equal("run", (decide("forbid", {queued = 1, waited = "limit db is reached"})))
  end)

  it("waits for upstreams that may still do, and skips after one that never will", function()
    assert.same({"wait", "after: u is not over"}, {decide("allow", {upstream = {job = "u", state = "pending"}})})
    assert.same({"wait", "after: u has not run yet"}, {decide("allow", {upstream = {job = "u", state = "never"}})})
    assert.same({"skip", "after: u failed"}, {decide("allow", {upstream = {job = "u", state = "failed"}})})
  end)

  it("drops scheduled slots while somebody ordered so, and no others", function()
    local orders = {suspended = {a = {reason = "broken", by = "me", ["until"] = 4102444800}}}
    assert.same({"drop", "suspended by me until 2100-01-01T00:00:00Z: broken"}, {decide("allow", {}, orders)})
    assert.equal("drop", (decide("allow", {trigger = "catch-up"}, {paused = {}})))
    assert.equal("run", (decide("allow", {trigger = "manual"}, orders)))
    assert.equal("run", (decide("allow", {trigger = "retry", attempt = 1}, orders)))
    assert.equal("run", (decide("allow", {}, {suspended = {b = {}}})))
    assert.equal("run", (decide("allow", {}, {paused = {["until"] = 1}})))
  end)
end)

describe("baselines", function()
  local function known() return {a = {fingerprint = "f", since = 5}, gone = {fingerprint = "g", since = 6}} end

  it("stay with an unchanged job, and are now for a new or edited one", function()
    local jobs, kept = {{name = "a", fingerprint = "f"}, {name = "b", fingerprint = "x"}}, known()
    local undo = baseline.apply(jobs, kept, 100, true)
    assert.same({5, 100}, {jobs[1].baseline, jobs[2].baseline})
    assert.same({a = {fingerprint = "f", since = 5}, b = {fingerprint = "x", since = 100}}, kept)
    assert.is_nil(baseline.apply(jobs, kept, 200, true))
    jobs[1].fingerprint = "edited"
    baseline.apply(jobs, kept, 300, true)
    assert.equal(300, kept.a.since)
    baseline.merge(kept, undo)
    assert.same({a = {fingerprint = "edited", since = 300}, gone = {fingerprint = "g", since = 6}}, kept)
  end)

  it("survive a schedule that cannot be read", function()
    local kept = known()
    assert.is_nil(baseline.apply({}, kept, 100, false))
    assert.same(known(), kept)
  end)
end)
