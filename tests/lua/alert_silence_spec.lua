-- Silences, and jobs without a success in time.
local kit = require "incident_kit"

local START, world = kit.START, kit.world

describe("a silence", function()
  local silence = require "incident.silence"

  it("holds triggers and reminders, not ends, and outlives the daemon", function()
    local w = world {jobs = {{name = "other"}}}
    w:happen("failed", 60, {job = "other"})
    assert.is_true(w.desk:silence(silence.ALL, {["until"] = w.now + 5 * 3600}))
    w:happen("failed", 400)
    w:restart()
    w:happen("succeeded", 400, {job = "other"})
    w:pass(4 * 3600)
    assert.same({"31 pager trigger", "end"}, {w:said()[1], w.told[2][3]})
    assert.is_nil(w.told[3])
    w:pass(3600)
    assert.same({"nightly", "trigger"}, {w.told[3][4].job, w.told[3][3]})
  end)

  it("of one job leaves the others alone", function()
    local w = world {jobs = {{name = "other"}}}
    w.desk:silence("nightly", {["until"] = w.now + 3600})
    w:happen("failed", 0)
    w:happen("failed", 60, {job = "other"})
    assert.same({"other"}, {w.told[1][4].job, w.told[2]})
    w.desk:silence("nightly", nil)
    w:pass(400)
    assert.equal("nightly", w.told[2][4].job)
  end)

  it("has an end within 30 days, and a reason", function()
    local function refusal(request) return (select(2, silence.order(request, START))) end
    assert.matches("needs an end", refusal {reason = "r"})
    assert.matches("is past", refusal {["until"] = START, reason = "r"})
    assert.matches("30 days", refusal {["until"] = START + 31 * 86400, reason = "r"})
    assert.matches("needs a reason", refusal {["until"] = START + 60, reason = " "})
    assert.same({["until"] = START + 60, reason = "r", by = "me", since = START},
      silence.order({["until"] = START + 60, reason = "r", by = "me"}, START))
  end)
end)

describe("a job without a success in time", function()
  local cron = require "cron"
  local function watched(more)
    local job = {name = "nightly", namespace = "ns", schedule = cron.parse({"0 9 * * *"}, {timezone = "UTC"}), deadline = 300}
    for name, value in pairs(more) do job[name] = value end
    local w = world {jobs = {job}}
    w.jobs[2] = nil
    w:restart()
    return w
  end

  it("is overdue when its slot, deadline and a run's time are over", function()
    local w = watched {overdue = true, expect_duration = 600} -- it is 08:00
    w:pass(3600 + 900)
    assert.same({}, w:said())
    w:pass(60)
    assert.equal("overdue", w.told[1][4].kind)
    assert.equal("no success since 2026-11-24T08:00:00Z; one was due by 2026-11-24T09:15:00Z", w.told[1][4].message)
    w:pass(3600)
    assert.equal(1, #w.told)
    w:happen("succeeded", 400)
    assert.equal("end", w.told[2][3])
  end)

  it("is overdue also when no daemon was there, and is not when it succeeded", function()
    local w = watched {success_within = 26 * 3600}
    w:happen("succeeded", 5, {finished = w.now})
    w.now = w.now + 27 * 3600
    w:restart()
    w:pass(60)
    assert.equal(1, #w.told)
    w = watched {success_within = 26 * 3600}
    w.now = w.now + 2 * 3600
    w:happen("succeeded", 5, {finished = w.now})
    w.now = w.now + 25 * 3600
    w:restart()
    w:pass(60)
    assert.same({}, w:said())
  end)

  it("is not when somebody ordered the slot not to run", function()
    local w = watched {overdue = true}
    w.now = w.now + 3600
    w.desk:note {kind = "skipped", job = "nightly", namespace = "ns", slot_time = w.now}
    w:pass(3 * 3600)
    assert.same({}, w:said())
    w = watched {}
    w.now = w.now + 1e6 // 1
    w:pass(60)
    assert.same({}, w:said())
  end)
end)
