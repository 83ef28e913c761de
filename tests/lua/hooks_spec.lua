-- What hooks are told and may answer, and what becomes of those that fail. The specs wait, so they run as a task.
local kit = require "hooks_kit"

local decide, event, eventually, logged, start = kit.decide, kit.event, kit.eventually, kit.logged, kit.start

before_each(kit.before)
after_each(kit.after)

describe("before_run", function()
  it("lets go with nil or true, and vetoes with a reason", function()
    assert.same({verdict = "run"}, decide "")
    assert.same({verdict = "run"}, decide "return true")
    local answer = decide "return false, 'not on ' .. event.job"
    assert.equal("skip", answer.verdict)
    assert.equal("not on backup", answer.reason)
    assert.matches("/gate.lua$", answer.file)
  end)

  it("changes args, env and delay", function()
    assert.same({verdict = "run", args = {"a", "b"}, env = {X = "1"}, delay = 1.5},
      decide "return {args = {'a', 'b'}, env = {X = '1'}, delay = 1.5}")
    assert.same({verdict = "run", args = {"first", "second"}}, decide "return {args = event.log_tail}")
  end)

  it("may answer nothing else", function()
    for body, message in pairs {
      ["return false"] = 'a veto needs a reason: return false, "why"',
      ["return 'no'"] = "returned a string; it may return",
      ["return {arg = {}}"] = "there is no change 'arg'; did you mean args?",
      ["return {args = 'x'}"] = "args must be a list of strings",
      ["return {args = {1}}"] = "args must be a list of strings",
      ["return {args = {'a', nil, 'c'}}"] = "args must be a list of strings",
      ["return {env = {A = 1}}"] = "env A must be a string",
      ["return {env = {['A=B'] = 'x'}}"] = "env has a name that is none",
      ["return {delay = -1}"] = "delay must be seconds from 0 to 86400",
      ["return {delay = 0 / 0}"] = "delay must be seconds",
    } do
      local answer, wrong = decide(body)
      assert.is_nil(answer)
      assert.matches("gate.lua:1: before_run: " .. message:gsub("%p", "%%%0"), wrong)
    end
  end)

  it("of several files all run in order: changes add up, the first veto wins", function()
    local h = start {
      ["1.lua"] = "function before_run() return {args = {'1'}, env = {A = '1', B = '1'}, delay = 5} end",
      ["2.lua"] = [[function before_run(e) if e.job == 'veto' then return false, 'two' end
        return {env = {B = '2'}, delay = 1} end]],
      ["3.lua"] = "function before_run(e) if e.job == 'veto' then return false, 'three' end return {args = {'3'}} end",
    }
    assert.same({verdict = "run", args = {"3"}, env = {A = "1", B = "2"}, delay = 5}, h:call("before_run", event "x"))
    assert.equal("two", h:call("before_run", event "veto").reason)
  end)

  it("fails as a whole when one file fails, but another's veto counts", function()
    local h = start {["1.lua"] = "function before_run() error 'broken' end",
      ["2.lua"] = "function before_run(e) if e.job == 'veto' then return false, 'two' end return {delay = 1} end"}
    local answer, message, partial = h:call("before_run", event "x")
    assert.is_nil(answer)
    assert.matches("1.lua:1: broken", message)
    assert.same({verdict = "run", delay = 1}, partial)
    assert.equal("two", h:call("before_run", event "veto").reason)
  end)
end)

describe("an event", function()
  it("is complete, integers are integers, and nothing in it can be changed", function()
    local answer = decide [[
      assert(event.hook == "before_run" and event.id == "event-1" and event.exit_code == nil)
      assert(math.type(event.slot) == "integer" and event.slot == 1795507200)
      assert(#event.log_tail == 2 and table.concat(event.log_tail, "+") == "first+second")
      local seen = {}
      for i, line in ipairs(event.log_tail) do seen[i] = line end
      for name, value in pairs(event) do seen[name] = value end
      assert(seen[2] == "second" and seen.job == "backup")
      assert(not pcall(function() event.job = "x" end))
      assert(not pcall(function() event.log_tail[1] = "x" end))
      assert(not pcall(setmetatable, event, {}))
      assert(json.decode(json.encode(event)).log_tail[2] == "second")
      assert(math.type(json.decode("[5]")[1]) == "integer")
    ]]
    assert.same({verdict = "run"}, answer)
  end)

  it("has no other fields: a typo is an error", function()
    local _, message = decide "\nreturn event.jbo"
    assert.matches("^gate.lua:3: an event has no field 'jbo'; did you mean job?", message)
  end)

  it("is told later, in order, to all files, without waiting", function()
    local told = {}
    local h = start({["a.lua"] = "function on_failed(e) trigger('a' .. e.job) end",
      ["b.lua"] = "function on_failed(e) error 'broken' end",
      ["c.lua"] = "function on_failed(e) trigger('c' .. e.job) end"},
      {on_effect = function(effect, e) told[#told + 1] = effect.job .. e.hook end})
    local mine = event "1"
    h:fire("on_failed", mine)
    mine.job = "changed"
    h:fire("on_failed", event "2")
    assert.same({}, told)
    eventually(function() return #told == 4 end)
    assert.same({"a1on_failed", "c1on_failed", "a2on_failed", "c2on_failed"}, told)
  end)

  it("is dropped, with a log line, when 1000 wait", function()
    local h = start {["a.lua"] = "function on_failed(e) end"}
    for _ = 1, 1100 do h:fire("on_failed", event "x") end
    assert.truthy(logged "1000 events wait for hooks already")
    assert.is_true(h:counters().dropped >= 99)
    assert.same({verdict = "run"}, h:call("before_run", event "x"))
  end)
end)

describe("a hook that fails five times in a row", function()
  it("is off until the reload, said once", function()
    local failures = {}
    local h = start({["a.lua"] = [[
      function before_run(event) if event.job == "bad" then error "broken" end end
      function on_failed() end]]}, {on_error = function(failure) failures[#failures + 1] = failure end})
    local function call(job) return select(2, h:call("before_run", event(job))) end
    for _ = 1, 4 do call "bad" end
    assert.is_nil(call "good")
    for _ = 1, 5 do assert.matches("a.lua:1: broken", call "bad") end
    assert.equal(9, #failures)
    assert.equal("event-1", failures[1].event)
    assert.is_nil(failures[8].off)
    assert.matches("is off until", failures[9].off)
    assert.matches("^before_run in .*/a.lua is off until the hooks are loaded again: it failed 5 times in a row",
      call "good")
    assert.equal(9, #failures)
    assert.equal(1, #h:problems())
    assert.equal("off", h:problems()[1].kind)
    local lines = 0
    for _, m in ipairs(kit.messages()) do if m.text:find("is off until") then lines = lines + 1 end end
    assert.equal(1, lines)
  end)
end)
