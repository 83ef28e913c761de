-- What commands do, with a state that can fail; why a slot ran or not; answers that fit.
local Control = require "control"
local clock = require "clock"
local cron = require "cron"
local json = require "json"
local requests = require "control.request"
local why = require "why"

local function control()
  local state = {tables = {}}
  function state:read(name) return self.tables[name] or {} end
  function state:write(name, value)
    if self.down then return nil, "down" end
    self.tables[name] = value
    return true
  end
  local runner = {asked = {}, suspended = {}, orders = {}}
  function runner:set_orders(orders, paused) self.orders, self.suspended, self.paused = orders, orders, paused end
  function runner.trigger(_, job, request)
    for _, each in ipairs(runner.asked) do
      if each.id == request.id then return nil, "there is one", "exists" end
    end
    request.job = job
    runner.asked[#runner.asked + 1] = request
    return true
  end
  local history = {listen = function() end}
  local job = {name = "nightly", namespace = "default",
    schedule = cron.parse({"0 2 * * *"}, {timezone = "UTC", dst = "cronie", dialect = "standard"})}
  return Control.new {instance = "kube-scheduler", runner = runner, state = state, history = history, jobs = {job},
    registry = {}}, runner, state
end

local function ask(c, command, more)
  local request = {command = command, id = "a1", by = "alice"}
  for name, value in pairs(more or {}) do request[name] = value end
  return c:handle(request)
end

describe("a command", function()
  it("changes nothing that is not durable", function()
    local c, runner, state = control()
    state.down = true
    assert.matches("nothing changed", ask(c, "suspend", {job = "nightly"}).error)
    assert.same({}, runner.suspended)
    assert.matches("nothing is started", ask(c, "backfill", {job = "nightly", from = 0, to = 86400 * 3}).error)
    assert.same({}, c.backfill:describe())
  end)

  it("holds again after a restart", function()
    local c, _, state = control()
    ask(c, "suspend", {job = "nightly", reason = "r"})
    ask(c, "suspend", {["until"] = clock.now() + 60})
    local again, runner = control()
    again.state = state
    again:restore()
    assert.equal("r", runner.suspended.nightly.reason)
    assert.equal("alice", runner.paused.by)
  end)

  it("of a request that comes twice is done once", function()
    local c, runner = control()
    assert.is_false(ask(c, "trigger", {job = "nightly"}).again)
    assert.is_true(ask(c, "trigger", {job = "nightly"}).again)
    assert.equal(1, #runner.asked)
  end)

  it("that is unreadable, unknown or broken is answered", function()
    local c, runner = control()
    assert.matches("unreadable", c:handle("x").error)
    assert.matches("unreadable", ask(c, "trigger", {id = "../etc"}).error)
    assert.matches("another version", ask(c, "explode").error)
    assert.matches("list of strings", ask(c, "trigger", {job = "nightly", args = {1}}).error)
    runner.trigger = function() error "broken" end
    assert.matches("an error in the scheduler: .*broken", ask(c, "trigger", {job = "nightly"}).error)
  end)

  it("forgets suspensions that are over when another is written", function()
    local c, runner = control()
    runner:set_orders({old = {["until"] = clock.now() - 1}, kept = {}})
    ask(c, "suspend", {job = "nightly"})
    assert.is_nil(runner.suspended.old)
    assert.is_table(runner.suspended.kept)
    assert.is_false(ask(c, "resume", {job = "kept"}).again) -- also when its job is not in the schedule any more
  end)
end)

describe("the instant from which a resumed job runs", function()
  local now = clock.now
  after_each(function() clock.now = now end)

  it("is that at which its slots are skipped no more, also when it is asked for again", function()
    local c, runner, state = control()
    local t = 1000
    function clock.now() return t end
    c.jobs[1].suspend, runner.suspended.nightly = true, {}
    local write = state.write
    function state.write(...)
      t = t + 5
      return write(...)
    end
    assert.equal(1005, ask(c, "resume", {job = "nightly"}).since)
    runner.suspended = {}
    assert.is_number(ask(c, "resume", {job = "nightly"}).since)
  end)
end)

describe("why a slot ran or not", function()
  local schedule = cron.parse({"0 2 * * *"}, {timezone = "UTC", dst = "cronie", dialect = "standard"})
  local slot = clock.parse "2026-11-24T02:00:00Z"

  local function verdict(facts)
    local all = {job = {name = "a", schedule = schedule}, slot = slot, now = slot + 3600, records = {}, runs = {},
      watermark = slot + 3600}
    for name, value in pairs(facts) do all[name] = value end
    local answer = why.slot(all)
    return answer.verdict, answer.text
  end

  it("is told by its record first", function()
    assert.equal("ran", (verdict {records = {{outcome = "failed", reason = "Error", trigger = "schedule", run = "r"}}}))
    local kind, text = verdict {records = {{outcome = "skipped", reason = "overlap", run = "r"}}}
    assert.same({"skipped", "it did not run: overlap"}, {kind, text})
    assert.equal("missed", (verdict {records = {{outcome = "missed", run = "r"}}}))
  end)

  it("is told by a run that is under way, or waits", function()
    assert.equal("running", (verdict {runs = {{job = "a", slot = slot, state = "started", name = "r"}}}))
    assert.equal("waiting", (verdict {runs = {{job = "a", slot = slot, state = "waiting", reason = "limit", name = "r"}}}))
  end)

  it("is told by schedule, orders and what is known", function()
    assert.equal("never", (verdict {slot = slot + 60}))
    assert.equal("never", (verdict {job = {name = "a"}}))
    assert.equal("before", (verdict {baseline = slot}))
    assert.equal("forgotten", (verdict {}))
    assert.equal("future", (verdict {now = slot - 60, watermark = slot - 60}))
    assert.equal("suspended", (verdict {now = slot - 60, suspended = {}}))
    assert.equal("future", (verdict {now = slot - 60, suspended = {["until"] = slot - 1}}))
    assert.equal("suspended", (verdict {now = slot - 60, paused = {["until"] = slot + 1}}))
    assert.equal("held", (verdict {watermark = slot - 60, held = "clock"}))
  end)
end)

describe("an answer", function()
  it("is cut to what fits, and says so", function()
    local rows = {}
    for i = 1, 1000 do rows[i] = {name = "job-" .. i} end
    local text = requests.encode({rows = rows}, 5000)
    assert.is_true(#text <= 5000)
    local answer = json.parse(text)
    assert.equal(1000, #answer.rows + answer.left_off)
    assert.is_true(#answer.rows > 0)
  end)
end)

describe("a silence", function()
  it("is ordered for a job or all, with its author, and ended", function()
    local c, _, state = control()
    c.alerts = require "incident".new {sender = {routes = {}}, spawn = function() end}
    c.alerts:restore(state)
    local till = clock.now() + 60
    assert.matches("there is no job 'nightli'", ask(c, "silence", {job = "nightli", ["until"] = till, reason = "r"}).error)
    assert.matches("needs a reason", ask(c, "silence", {job = "nightly", ["until"] = till}).error)
    assert.same({job = "all", ["until"] = till}, ask(c, "silence", {job = "all", ["until"] = till, reason = "r"}))
    assert.equal("alice", state.tables.silences["*"].by)
    assert.is_true(ask(c, "unsilence", {job = "nightly"}).again)
    state.down = true
    assert.matches("nothing changed", ask(c, "unsilence", {job = "all"}).error)
    state.down = false
    assert.is_false(ask(c, "unsilence", {job = "all"}).again)
    assert.same({}, state.tables.silences)
  end)
end)
