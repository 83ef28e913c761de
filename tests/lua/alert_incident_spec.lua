-- An incident from its begin to its end: who is told of what, when, and never twice.
local kit = require "incident_kit"

local lines, world = kit.lines, kit.world

describe("an incident", function()
  it("is told once, after a wait, and told to be over", function()
    local w = world()
    w:happen("failed", 60)
    w:happen("timeout", 60)
    w:happen("failed", 400)
    assert.same({"31 pager trigger"}, w:said())
    w:happen("succeeded", 60)
    assert.same({"31 pager trigger", "551 pager end"}, w:said())
    assert.equal("3 failures since 2026-11-24T08:00:00Z", w.told[2][4].message)
    assert.equal(w.told[1][4].incident, w.told[2][4].incident)
  end)

  it("that is over before it is told is not told", function()
    local w = world()
    w:happen("failed", 10)
    w:happen("succeeded", 600)
    assert.same({}, w:said())
  end)

  it("is reminded of every four hours while it lasts", function()
    local w = world()
    w:happen("failed", 9 * 3600)
    assert.same({"31 pager trigger", "14400 pager trigger", "28800 pager trigger"}, w:said())
    assert.matches("still so since 2026%-11%-24T08:00:00Z, 1 failure", w.told[2][4].message)
  end)

  it("takes as many failures and successes as the job says", function()
    local w = world()
    w.jobs[1].alert_after, w.jobs[1].recover_after = 3, 2
    for _ = 1, 2 do w:happen("failed", 600) end
    w:happen("succeeded", 600)
    for _ = 1, 2 do w:happen("failed", 600) end
    assert.same({}, w:said())
    w:happen("failed", 600)
    w:happen("succeeded", 600)
    w:happen("failed", 600)
    w:happen("succeeded", 600)
    assert.equal(1, #w:said())
    w:happen("succeeded", 600)
    assert.equal(2, #w:said())
  end)

  it("outlives the daemon: no second page, no lost end", function()
    local w = world()
    w:happen("failed", 10)
    w:restart()
    w:pass(60)
    w:restart()
    w:pass(600)
    assert.same({"41 pager trigger"}, w:said())
    w:restart()
    w:happen("succeeded", 1)
    w:restart()
    w:pass(400)
    assert.equal(2, #w.told)
    assert.equal("end", w.told[2][3])
  end)

  it("does not take a run twice that a restart tells again, even after its end", function()
    local w = world()
    w:happen("failed", 60, {run = "a"})
    w:happen("succeeded", 400)
    w:happen("failed", 400, {run = "a"})
    assert.equal(2, #w.told)
  end)

  it("is tried again on a route that failed, and only there, for two hours", function()
    local w = world {routes = {pager = {}, chat = {}}}
    w.fails.pager = true
    w:happen("failed", 400)
    w.fails.pager = nil
    w:pass(600)
    local count = {pager = 0, chat = 0}
    for _, one in ipairs(w.told) do count[one[2]] = count[one[2]] + 1 end
    assert.same({pager = 3, chat = 1}, count)
    w = world()
    w.fails.pager = true
    w:happen("failed", 10000)
    assert.is_true(#w.told >= 20 and #w.told <= 25, #w.told)
    assert.equal("error an incident was not told", lines[#lines])
  end)

  it("whose state cannot be written is told all the same, but its run is not let go", function()
    local w, done = world(), false
    w.down = true
    w.desk:send({kind = "failed", job = "nightly", namespace = "ns", run = "a"}, function() done = true end)
    w:pass(60)
    assert.same({"31 pager trigger"}, w:said())
    assert.is_false(done)
    w.down = false
    w:pass(1)
    assert.is_true(done)
  end)

  it("of a job that is gone from the schedule is over", function()
    local w = world()
    w:happen("failed", 60)
    w.jobs = {}
    w:restart()
    w:pass(60)
    assert.equal("end", w.told[2][3])
  end)
end)

describe("what nothing ends", function()
  it("is told once in four hours, also by the next daemon", function()
    local w = world()
    local same = {id = "config_error/schedule.yml:3", job = "kube-scheduler", namespace = false, run = false}
    w:happen("config_error", 600, same)
    w:restart()
    w:happen("config_error", 600, same)
    assert.equal(1, #w.told)
    w:pass(4 * 3600)
    w:happen("config_error", 60, same)
    assert.equal(2, #w.told)
  end)
end)

describe("whatever happens", function()
  it("each route hears trigger and end in turn, and in the end what is so", function()
    for seed = 1, 60 do
      math.randomseed(seed)
      local w = world {routes = {pager = {}, chat = {}}, settings = {["repeat"] = 1 << 40}}
      w.jobs[1].alert_after, w.jobs[1].recover_after = math.random(3), math.random(2)
      for _ = 1, 40 do
        local kinds = {"failed", "timeout", "succeeded", "recovered", "started"}
        w:happen(kinds[math.random(#kinds)], math.random(0, 200))
        w.down = math.random(8) == 1
        -- what was not durable is told again by the registry; so only a durable state survives here
        if not w.down and math.random(5) == 1 then
          w.desk:save()
          w:restart()
        end
      end
      w.down = false
      for _ = 1, 3 do w:happen("succeeded", 400) end
      local last = {}
      for _, one in ipairs(w.told) do
        assert.are_not.equal(last[one[2]], one[3], "seed " .. seed)
        last[one[2]] = one[3]
      end
      for name, what in pairs(last) do assert.equal("end", what, name .. " seed " .. seed) end
    end
  end)
end)
