-- Which routes hear of an incident, in which order, and what they hear beside incidents.
local world = require "incident_kit".world

describe("routes", function()
  it("are those of the job's alerts, or none", function()
    local w = world {routes = {pager = {}, chat = {}}}
    w.jobs[1].alerts = {"chat"}
    w:happen("failed", 60)
    w:happen("hook", 1)
    assert.same({"31 chat trigger", "60 chat trigger"}, w:said())
    w = world()
    w.jobs[1].alerts = "none"
    w:happen("failed", 60)
    w:happen("hook", 1)
    assert.same({}, w:said())
  end)

  it("of an escalation come in later, and are told of the end", function()
    local w = world {routes = {pager = {}, chat = {}}, settings = {escalate = {after = 1800, to = {"pager"}}}}
    w:happen("failed", 1700)
    assert.same({"31 chat trigger"}, w:said())
    w:pass(200)
    assert.equal("1830 pager trigger", w:said()[2])
    w:happen("succeeded", 400)
    assert.equal(4, #w.told)
  end)

  it("of check-ins hear of each start and end", function()
    local w = world {routes = {cron = {check_ins = true}}}
    for _, kind in ipairs {"started", "failed", "started", "failed", "started", "succeeded"} do w:happen(kind, 400) end
    assert.equal(6, #w.check_ins)
    assert.same({}, w.told)
  end)

  it("that forget are told again and again", function()
    local w = world {routes = {manager = {refresh = 60}}}
    w:happen("failed", 600)
    assert.is_true(#w.told >= 10)
    w:happen("succeeded", 400)
    local count = #w.told
    w:pass(600)
    assert.equal(count, #w.told)
  end)
end)

describe("a route that does not take an incident", function()
  local function failing(settings, alerts)
    local w = world {routes = {pager = {}, mail = {}}, settings = settings}
    w.jobs[1].alerts = alerts
    w.fails.pager = true
    return w
  end

  it("has its fallback told at once, and of the end", function()
    local w = failing {fallback = "mail"}
    w:happen("failed", 40)
    assert.same({"31 pager trigger", "31 mail trigger"}, w:said())
    assert.equal("pager", w.told[2][4].instead_of)
    w:restart()
    w:happen("succeeded", 400)
    assert.same({"mail", "end"}, {w.told[#w.told][2], w.told[#w.told][3]})
  end)

  it("is tried again all the same, and the fallback told once", function()
    local w = failing {fallback = "mail"}
    w:happen("failed", 400)
    w.fails.pager = nil
    w:pass(400)
    assert.same({"31 pager trigger", "31 mail trigger", "361 pager trigger", "691 pager trigger"}, w:said())
  end)

  it("has it told of the summary, of a hook's word and of reminders too", function()
    local w = failing {fallback = "mail", ["repeat"] = 1000}
    w:happen("hook", 1)
    assert.same({"0 pager trigger", "0 mail trigger"}, w:said())
    w.fails.pager = nil
    w:happen("failed", 40)
    w.fails.pager = true
    w:pass(1000)
    assert.same({"1001 pager trigger", "1001 mail trigger"}, {w:said()[4], w:said()[5]})
  end)

  it("has none when none is named, and none for an end", function()
    local w = failing {}
    w.jobs[1].alerts = {"pager"}
    w:happen("failed", 100)
    assert.same({"31 pager trigger"}, w:said())
    w = failing {fallback = "mail"}
    w.fails.pager = nil
    w:happen("failed", 400)
    w.fails.pager = true
    w:happen("succeeded", 40)
    assert.same({"31 pager trigger", "431 pager end"}, w:said())
  end)

  it("is not its own fallback, and a fallback that fails is tried again", function()
    local w = failing({fallback = "pager"}, {"pager"})
    w:happen("failed", 100)
    assert.same({"31 pager trigger"}, w:said())
    w = failing {fallback = "mail"}
    w.fails.mail = true
    w:happen("failed", 100)
    w.fails.mail = nil
    w:pass(600)
    local count = 0
    for _, one in ipairs(w.told) do count = count + (one[2] == "mail" and 1 or 0) end
    assert.equal(2, count)
  end)

  it("is asked first: the fallback hears of nothing else, unless a job names it or it is alone", function()
    local w = world {routes = {pager = {}, mail = {}}, settings = {fallback = "mail"}}
    w:happen("failed", 60)
    assert.same({"31 pager trigger"}, w:said())
    w = world {routes = {pager = {}, mail = {}}, settings = {fallback = "mail"}}
    w.jobs[1].alerts = {"mail"}
    w:happen("failed", 60)
    assert.same({"31 mail trigger"}, w:said())
    w = world {routes = {mail = {}, log = {each = true}}, settings = {fallback = "mail"}}
    w:happen("failed", 60)
    assert.equal("31 mail trigger", w:said()[#w:said()])
  end)
end)

describe("a sign of life", function()
  it("comes each minute, but not while slots are held", function()
    local w = world {routes = {dead_man = {alive = 60}}}
    w:pass(300)
    assert.equal(5, #w.told)
    w:happen("held", 300, {job = "kube-scheduler", namespace = false, run = false})
    assert.equal(5, #w.told)
    w:happen("released", 300, {job = "kube-scheduler", namespace = false, run = false})
    assert.equal(10, #w.told)
  end)
end)
