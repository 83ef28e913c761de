-- Time driven by hand, and the executor that runs nothing.
local clock = require "clock"
local cron = require "cron"
local executor = require "executor"
local process = require "process"
local registry = require "registry"
local task = require "task"

local START <const> = 1795507200 -- 2026-11-24T08:00:00Z
local real = clock.monotonic
local virtual = clock.virtual(START)

local function since() return clock.now() - START end

describe("a virtual clock", function()
  before_each(function() virtual:set(START) end)

  it("stands still until it is told", function()
    assert.equal(START, clock.now())
    assert.equal(real(), clock.monotonic())
  end)

  it("wakes sleeping tasks in order, each at its time", function()
    local order = {}
    local function sleeper(name, seconds)
      task.spawn(function()
        task.sleep(seconds)
        order[#order + 1] = name .. since()
      end)
    end
    sleeper("c", 30)
    sleeper("a", 10)
    sleeper("b", 10)
    virtual:advance(20)
    assert.same({"a10", "b10"}, order)
    virtual:run_until(START + 30)
    assert.same({"a10", "b10", "c30"}, order)
  end)

  it("lets a task sleep inside a task, and again", function()
    local order = {}
    task.spawn(function()
      task.sleep(1)
      task.spawn(function()
        task.sleep(1)
        order[#order + 1] = "inner" .. since()
      end)
      task.sleep(2)
      order[#order + 1] = "outer" .. since()
    end)
    virtual:advance(10)
    assert.same({"inner2", "outer3"}, order)
  end)

  it("delivers an await before time moves on", function()
    local at
    task.spawn(function()
      task.sleep(5)
      task.await(function(resume) resume() end)
      at = since()
    end)
    task.spawn(function() task.sleep(6) end)
    virtual:advance(10)
    assert.equal(5, at)
  end)

  it("waits for a process whose answer has a deadline", function()
    local at, line
    local child = assert(process.spawn {argv = {"/bin/sh", "-c", "read x; sleep 0.05; echo $x"}})
    task.spawn(function()
      task.sleep(5)
      child:watchdog(20)
      child:write("hello\n")
      line = child:read_line()
      child:watchdog()
      at = since()
    end)
    task.spawn(function() task.sleep(6) end)
    virtual:advance(100)
    assert.equal("hello", line)
    assert.equal(5, at)
  end)

  it("advances by a year at once", function()
    local before = os.clock()
    virtual:advance(365 * 86400)
    assert.equal(365 * 86400, since())
    assert.is_true(os.clock() - before < 1)
  end)

  it("runs forward only", function()
    assert.has_error(function() virtual:run_until(START - 1) end, "that time has passed: the clock runs forward only")
    assert.has_error(function() clock.virtual(START) end, "there is a virtual clock already")
  end)
end)

describe("a simulated executor", function()
  -- Runs a job of the expression for so many seconds; gives what happened as texts, and the registry.
  local function simulate(expression, seconds, options)
    virtual:set(START)
    local seen = {}
    local function note(what) seen[#seen + 1] = what .. since() end
    local where = executor.simulated {duration = options.duration}
    for job, how in pairs(options.say or {}) do where:say(job, how) end
    local r
    r = registry.new {
      executor = where, instance = "test", retention = 0, on_ready = function() note "ready" end,
      on_slot = function(run)
        if run.active > 0 then
          note "skip"
          r:skip(run.id, "overlap")
          r:report(run.id)
        else
          r:start(run.id, "{}", false)
        end
      end,
      on_started = function() note "start" end,
      on_outcome = function(run)
        note(run.outcome)
        assert.equal(run.finished, clock.now())
        assert(r:report(run.id))
      end,
    }
    assert(r:add {name = "job", namespace = "default", schedule = cron.parse(expression)})
    assert(r:open())
    r:begin(START, {})
    virtual:advance(seconds)
    return seen, r
  end

  it("starts at once, ends after the duration, and leaves no trace", function()
    local seen, r = simulate("* * * * *", 130, {duration = 5})
    assert.same({"ready0", "start60", "succeeded65", "start120", "succeeded125"}, seen)
    assert.same({}, r:runs())
  end)

  it("ends a run before the slot of the same second is decided", function()
    assert.same({"ready0", "start60", "succeeded120", "start120"}, (simulate("* * * * *", 120, {duration = 60})))
  end)

  it("counts a run as active while it lasts", function()
    local seen, r = simulate("* * * * *", 200, {duration = 61})
    assert.same({"ready0", "start60", "skip120", "succeeded121", "start180"}, seen)
    assert.equal(1, r:active "job")
  end)

  it("lets runs fail, and be instant", function()
    local seen = simulate("* * * * *", 60, {duration = 5, say = {job = {duration = 0, exit_code = 3}}})
    assert.same({"ready0", "start60", "failed60"}, seen)
  end)
end)
