-- Incidents on a clock that the test moves: who is told of what, when, and never twice.
local lines = {}
package.loaded.log = setmetatable({}, {__index = function(_, level)
  return function(message) lines[#lines + 1] = level .. " " .. message end
end})
local incident = require "incident"
local json = require "json"

local START = 1795507200

-- A desk whose routes remember what they were told: w.told[i] = {at, ROUTE, "trigger"|"end"|"notice", event}. The
-- state goes through JSON, as a store has it; w:restart() is another daemon with the same state.
local function world(options)
  options = options or {}
  local w = {now = START, told = {}, fails = {}, stored = {}, check_ins = {}, jobs = options.jobs or {},
    routes = options.routes or {pager = {}}}
  local state = {}
  function state.read(_, name) return w.stored[name] and json.parse(w.stored[name]) or {} end
  function state.write(_, name, value)
    if w.down then return nil, "down" end
    w.stored[name] = json.encode(json.object(value))
    return true
  end
  local sender = {routes = w.routes}
  function sender.send(_, e, done, wanted)
    local ok = true
    for name, route in pairs(w.routes) do
      local into = route.check_ins and w.check_ins or w.told
      if wanted[name] then
        into[#into + 1] = {w.now - START, name, e.kind == "recovered" and "end" or "trigger", e}
        ok = ok and not w.fails[name]
      end
    end
    if done then done(ok) end
  end
  function sender.flush() end
  function w:restart()
    self.desk = incident.new {sender = sender, jobs = self.jobs, settings = options.settings, whole = true,
      now = function() return self.now end, spawn = function() end, sleep = function() end}
    self.desk:restore(state)
  end
  function w:pass(seconds)
    for _ = 1, seconds do
      self.now = self.now + 1
      self.desk:tick()
      self.desk:save()
    end
  end
  -- Happens to a job, then time passes.
  function w:happen(kind, seconds, more)
    self.count = (self.count or 0) + 1
    local e = {kind = kind, id = kind .. self.count, job = "nightly", namespace = "ns", run = "nightly-" .. self.count,
      slot_time = self.now}
    for name, value in pairs(more or {}) do e[name] = value end
    if kind == "succeeded" or kind == "started" then self.desk:note(e) else self.desk:send(e) end
    self:pass(seconds or 1)
  end
  function w:said()
    local out = {}
    for i, one in ipairs(self.told) do out[i] = ("%d %s %s"):format(one[1], one[2], one[3]) end
    return out
  end
  w.jobs[#w.jobs + 1] = {name = "nightly"}
  w:restart()
  return w
end

before_each(function() lines = {} end)

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

  it("waits five minutes after the last words", function()
    local w = world {jobs = {{name = "other"}}}
    w:happen("failed", 100)
    w:happen("failed", 400, {job = "other"})
    assert.same({"31 pager trigger", "331 pager trigger"}, w:said())
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

describe("many at once", function()
  local function crowd(count)
    local jobs = {}
    for i = 1, count do jobs[i] = {name = "job" .. i} end
    local w = world {jobs = jobs}
    for i = 1, count do w:happen("failed", 0, {job = "job" .. i}) end
    w:pass(60)
    return w
  end

  it("are told one by one up to 20", function() assert.equal(20, #crowd(20).told) end)

  it("are one summary beyond, which is over when all of them are", function()
    local w = crowd(21)
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
end)

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
