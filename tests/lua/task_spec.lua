local task = require "task"
local clock = require "clock"

describe("task", function()
  it("sleeps without blocking another task", function()
    local order = {}
    task.spawn(function()
      task.sleep(0.02)
      order[#order + 1] = "late"
    end)
    task.spawn(function() order[#order + 1] = "early" end)
    task.sleep(0.05)
    assert.same({"early", "late"}, order)
  end)

  it("awaits a value that was given at once", function()
    assert.same({1, nil, 3}, {task.await(function(resume) resume(1, nil, 3) end)})
  end)

  it("awaits a value that comes later, and takes only the first", function()
    local got = task.await(function(resume)
      task.sleep(0.01)
      resume("first")
      resume("second")
    end)
    assert.equal("first", got)
  end)

  it("keeps other tasks alive when one fails", function()
    local after = false
    task.spawn(function() error("on purpose, to be seen in the log") end)
    task.spawn(function() after = true end)
    assert.is_true(after)
  end)
end)

describe("clock", function()
  it("reads and writes RFC 3339", function()
    assert.equal(1795507200, clock.parse("2026-11-24T08:00:00Z"))
    assert.equal(1795507200, clock.parse("2026-11-24T09:30:00.5+01:30"))
    assert.equal("2026-11-24T08:00:00Z", clock.format(1795507200))
  end)

  it("refuses what is no time", function()
    for _, text in ipairs {"2026-02-29T00:00:00Z", "2026-11-24", "2026-11-24T08:00:00", "x", "2026-11-24T24:00:00Z"} do
      local t, message = clock.parse(text)
      assert.is_nil(t)
      assert.matches("is not a time", message)
    end
  end)

  it("that lets others go first lets what arrives go first too", function()
    local arrived, turns = false, 0
    task.spawn(function()
      while not arrived and turns < 200000 do
        turns = turns + 1
        task.sleep(0)
      end
    end)
    local child = assert(require "process".spawn {argv = {"/bin/echo", "hello"}})
    assert.equal("hello", child:read_line(30))
    arrived = true
    assert.is_true(turns < 200000)
  end)
end)
