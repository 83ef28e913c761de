-- A schedule that is loaded anew: what is wrong stays wrong, and what waits goes on waiting.
local kit = require "incident_kit"

local START, world = kit.START, kit.world

describe("a reload", function()
  it("keeps open incidents and who knows of them", function()
    local w = world()
    w:happen("failed", 60)
    w:reload()
    w:happen("failed", 600)
    assert.same({"31 pager trigger"}, w:said())
    w:happen("succeeded", 60)
    assert.same({"31 pager trigger", "691 pager end"}, w:said())
  end)

  it("neither hurries nor holds a round that waits, nor the time between two", function()
    local w = world {jobs = {{name = "other"}}}
    w:happen("failed", 20)
    w:reload {group_wait = 100}
    w:happen("failed", 40, {job = "other"})
    assert.same({"31 pager trigger nightly"}, w:said "job")
    w:reload {group_wait = 30}
    w:happen("skipped", 400)
    assert.same({"31 pager trigger nightly", "121 pager trigger other", "331 pager trigger nightly"}, w:said "job")
  end)

  it("counts messages on, so that a storm stays one summary", function()
    local jobs = {}
    for i = 1, 40 do jobs[i] = {name = "job" .. i} end
    local w = world {jobs = jobs}
    for i = 1, 20 do w:happen("failed", 0, {job = "job" .. i}) end
    w:pass(60)
    w:reload()
    for i = 21, 40 do w:happen("failed", 0, {job = "job" .. i}) end
    w:pass(60)
    assert.same({21, "20 jobs have trouble"}, {#w.told, w.told[21][4].title})
  end)

  it("takes up thresholds, reminders and what jobs say", function()
    local w = world()
    w:reload({["repeat"] = 100}, {{name = "nightly", alert_after = 2}})
    w:happen("failed", 60)
    assert.same({}, w:said())
    w:happen("failed", 160)
    assert.same({"91 pager trigger", "160 pager trigger"}, w:said())
    w:reload({}, {{name = "nightly", alerts = "none"}})
    w:happen("succeeded", 400)
    w:happen("failed", 400)
    w:happen("failed", 400)
    assert.equal("end", w.told[#w.told][3])
  end)

  it("ends what concerns a job that is gone, and starts no new count of one that stays overdue", function()
    local w = world {jobs = {{name = "other"}}}
    w:happen("failed", 60, {job = "other"})
    w:reload({}, {{name = "nightly"}})
    w:pass(400)
    assert.same({"31 pager trigger other", "331 pager end other"}, w:said "job")
    local job = {name = "nightly", namespace = "ns", schedule = require "cron".parse("@daily"), success_within = 100}
    w:reload({}, {job})
    w:pass(60)
    w:reload({}, {job})
    w:pass(100)
    assert.equal("overdue", w.told[3] and w.told[3][4].kind)
  end)

  it("goes on with another sender, and with the same one when none is given", function()
    local w = world()
    w:happen("failed", 60)
    local sent, before = {}, w.desk.sender
    w:reload()
    assert.equal(before, w.desk.sender)
    w.desk:configure {jobs = w.jobs, sender = {routes = {pager = {}, chat = {}}, send = function(_, e, done, wanted)
      sent[#sent + 1] = ("%d %s %s"):format(w.now - START, next(wanted) or "-", e.kind)
      if done then done(true) end
    end}}
    w:pass(600)
    assert.same({"331 chat failed"}, sent) -- a route that is new hears of what is wrong
    w:happen("succeeded", 400)
    assert.equal(1, #w.told)
  end)

  it("before we lead changes what will be told", function()
    local w = world()
    w.desk.state = nil
    w.desk:send {kind = "failed", job = "nightly", namespace = "ns", run = "a"}
    w.desk:configure {jobs = {{name = "nightly", alerts = "none"}}}
    w.desk:restore {read = function() return {} end, write = function() return true end}
    w:pass(60)
    assert.same({}, w:said())
  end)
end)
