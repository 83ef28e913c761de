-- What is told together and when, and what speaks for many.
local kit = require "incident_kit"

local START, world = kit.START, kit.world

describe("what concerns one job", function()
  it("is told in rounds, five minutes apart; another job's waits for its own round only", function()
    local w = world {jobs = {{name = "other"}}}
    w:happen("failed", 60)
    w:happen("failed", 40, {job = "other"})
    w:happen("skipped", 400)
    assert.same({"31 pager trigger nightly", "91 pager trigger other", "331 pager trigger nightly"}, w:said "job")
  end)

  it("is in one round with all others when the settings say so", function()
    local w = world {jobs = {{name = "other"}}, settings = {group_by = "all"}}
    w:happen("failed", 60)
    w:happen("failed", 400, {job = "other"})
    assert.same({"31 pager trigger nightly", "331 pager trigger other"}, w:said "job")
  end)

  it("waits as long as the settings say", function()
    local w = world {settings = {group_wait = 5, group_interval = 60}}
    w:happen("failed", 20)
    w:happen("succeeded", 100)
    assert.same({"6 pager trigger", "66 pager end"}, w:said())
  end)
end)

describe("many at once", function()
  -- So many jobs, that fail `apart` seconds after each other.
  local function crowd(count, apart, options)
    options = options or {}
    options.jobs = {}
    for i = 1, count do options.jobs[i] = {name = "job" .. i, alerts = options.alerts and options.alerts(i)} end
    local w = world(options)
    for i = 1, count do w:happen("failed", apart, {job = "job" .. i}) end
    w:pass(60)
    return w
  end

  local function titles(w)
    local out = {}
    for i, one in ipairs(w.told) do out[i] = one[4].title end
    return out
  end

  it("are told one by one up to 20", function() assert.equal(20, #crowd(20, 0).told) end)

  it("are one summary beyond, which is over when all of them are", function()
    local w = crowd(21, 0)
    assert.equal(1, #w.told)
    assert.equal("21 jobs have trouble", w.told[1][4].title)
    assert.matches("^job1 failed, .*, and 11 more$", w.told[1][4].message)
    for i = 1, 20 do w:happen("succeeded", 1, {job = "job" .. i}) end
    w:happen("failed", 400, {job = "job21"})
    assert.equal(1, #w.told)
    w:restart()
    w:happen("succeeded", 400, {job = "job21"})
    assert.equal(2, #w.told)
    assert.same({"end", w.told[1][4].incident}, {w.told[2][3], w.told[2][4].incident})
  end)

  it("are one message on each route", function()
    local w = crowd(50, 0, {routes = {pager = {}, chat = {}, ["cron checks"] = {check_ins = true}}})
    table.sort(w.told, function(a, b) return a[2] < b[2] end)
    assert.same({"31 chat trigger", "31 pager trigger"}, w:said())
    assert.same({"50 jobs have trouble", "50 jobs have trouble"}, titles(w))
  end)

  it("are told on no route that none of them goes to", function()
    local w = crowd(50, 0, {routes = {pager = {}, chat = {}}, alerts = function() return {"chat"} end})
    assert.same({"31 chat trigger"}, w:said())
    w:restart()
    w:pass(600)
    assert.equal(1, #w.told)
  end)

  it("are few messages also when they come one after the other", function()
    local w = crowd(200, 2) -- the first 16 within group_wait, then one in two seconds
    w:pass(300)
    assert.is_true(#w.told <= 22, #w.told)
    local told = 0
    for _, one in ipairs(w.told) do told = told + math.tointeger((one[4].title or "1"):match "^%d+") end
    assert.equal(200, told)
  end)

  it("leave a message to the job that fails a minute later", function()
    local w = crowd(50, 0)
    w:happen("failed", 60)
    assert.same({"31 pager trigger kube-scheduler", "91 pager trigger nightly"}, w:said "job")
  end)

  it("are as many as the settings say", function()
    assert.equal(3, #crowd(3, 0, {settings = {summary_over = 3}}).told)
    assert.same({"4 jobs have trouble"}, titles(crowd(4, 0, {settings = {summary_over = 3}})))
  end)
end)

describe("while slots are held", function()
  it("one incident speaks for the slots that were lost, not for what fails later", function()
    local w = world()
    w:happen("held", 600, {job = "kube-scheduler", namespace = "", run = false})
    w:happen("released", 1, {job = "kube-scheduler", namespace = "", run = false})
    w:happen("missed", 400, {slot_time = START + 300})
    assert.same({"31 pager trigger", "631 pager end"}, w:said())
    w:happen("missed", 400)
    assert.equal("nightly", w.told[3][4].job)
  end)

  it("is one incident for a whole storm of slots", function()
    local jobs = {}
    for i = 1, 100 do jobs[i] = {name = "job" .. i} end
    local w = world {jobs = jobs}
    w:happen("held", 60, {job = "kube-scheduler", namespace = "", run = false})
    for i = 1, 100 do w:happen("missed", 0, {job = "job" .. i}) end
    w:pass(600)
    assert.same({"31 pager trigger kube-scheduler"}, w:said "job")
  end)
end)
