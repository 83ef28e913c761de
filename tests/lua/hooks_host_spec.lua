-- The hooks' own process: killed, hanging, ended, not starting.
local kit = require "hooks_kit"
local sys = require "sys"
local task = require "task"

local event, eventually, logged, start = kit.event, kit.eventually, kit.logged, kit.start

before_each(kit.before)
after_each(kit.after)

describe("a hook host", function()
  local FILES = {["a.lua"] = [[
    function before_run(event)
      if event.job == "slow" then string.find(("a"):rep(20000), ".-.-.-.-b$") end
      return false, "well"
    end]]}

  local function send(signal, h) os.execute(("kill -%s %d"):format(signal, h:pid())) end

  it("that is killed while idle is replaced at the next call", function()
    for _, signal in ipairs {"SEGV", "KILL", "STOP"} do
      local h = start(FILES)
      send(signal, h)
      if signal ~= "STOP" then eventually(function() return not h:pid() end) end
      local answer, message = h:call("before_run", event "x")
      if signal == "STOP" then -- it hangs: killed at the deadline
        assert.matches("the hook host was killed", message)
        answer = h:call("before_run", event "x")
      end
      assert.equal("well", answer.reason)
    end
  end)

  it("that is killed during a call fails this call only", function()
    for signal, message in pairs {ABRT = "SIGABRT", KILL = "SIGKILL", TERM = "SIGTERM"} do
      local h = start(FILES, {deadlines = {decision = 5}})
      local answers = {}
      for _, job in ipairs {"slow", "x"} do
        task.spawn(function() answers[job] = {h:call("before_run", event(job))} end)
      end
      task.sleep(0.05)
      send(signal, h)
      eventually(function() return answers.slow and answers.x end)
      assert.equal("well", answers.x[1].reason)
      assert.is_nil(answers.slow[1])
      assert.matches("^before_run in a.lua: the hook host was ended by " .. message, answers.slow[2])
      local line = logged("ended by " .. message)
      assert.equal("before_run", line.fields.hook)
      assert.matches("/a.lua$", line.fields.file)
    end
  end)

  it("runs the text that was read at the start, whatever became of the files", function()
    local h = start(FILES)
    os.execute("rm " .. h.dir .. "/a.lua")
    send("KILL", h)
    eventually(function() return not h:pid() end)
    assert.equal("well", h:call("before_run", event "x").reason)
  end)

  it("ends with the daemon's end of the pipe", function()
    local h = start(FILES)
    local pid = h:pid()
    h:close()
    eventually(function() return not sys.kind("/proc/" .. pid) end)
  end)

  it("lets what is queued end before it closes", function()
    local count = 0
    local h = start({["a.lua"] = "function on_failed() trigger 'x' end"},
      {on_effect = function() count = count + 1 end})
    for _ = 1, 20 do h:fire("on_failed", event "x") end
    h:close(5)
    assert.equal(20, count)
    h:fire("on_failed", event "x")
    assert.truthy(logged "the hooks are closed")
  end)

  it("does not come back for what is still queued when it is closed", function()
    local h = start({["a.lua"] = "function on_failed() while true do end end"}, {deadlines = {event = 5}})
    for _ = 1, 3 do h:fire("on_failed", event "x") end
    h:close(0.05)
    eventually(function() return h.queue:idle() end)
    assert.is_nil(h:pid())
    assert.equal(1, h:counters().starts)
    assert.truthy(logged "ended by SIGKILL")
  end)

  it("that cannot start is tried less and less often, with a clear error", function()
    local link = require "hooks.link"
    local real, tries = link.start, 0
    link.start = function() tries = tries + 1 return nil, "no more processes" end
    local h = start(FILES)
    local answer, message = h:call("before_run", event "x")
    assert.is_nil(answer)
    assert.equal("the hook host cannot start: no more processes", message)
    assert.same({kind = "host", message = message}, h:problems()[1])
    assert.is_true(h:defined "on_failed")
    task.sleep(0.5)
    assert.is_true(tries <= 3, tries .. " tries")
    link.start = real
    eventually(function() return not h:unable() end)
    assert.equal("well", h:call("before_run", event "x").reason)
    assert.same({}, h:problems())
  end)
end)
