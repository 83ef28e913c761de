-- Hooks that misbehave in every way we know.
local clock = require "clock"
local kit = require "hooks_kit"

local decide, event, logged, start = kit.decide, kit.event, kit.logged, kit.start

-- Options for what must end for another reason than its deadline, on a busy machine too.
local UNHURRIED <const> = {deadlines = {decision = 20}}

before_each(kit.before)
after_each(kit.after)

describe("the guard", function()
  -- Ends within this many seconds, with the line named.
  local function ended(body, message)
    local started = clock.monotonic()
    local answer, wrong = decide(body)
    assert.is_nil(answer)
    assert.matches(message or "^gate.lua:%d+: ran longer than its deadline of 200 ms\nstack traceback:\n\tgate.lua:",
      wrong)
    assert.is_true(clock.monotonic() - started < 3)
    local line = logged "ran longer" or logged(message)
    assert.equal("before_run", line.fields.hook)
    assert.matches("/gate.lua$", line.fields.file)
  end

  it("ends an endless loop", function() ended "while true do end" end)
  it("ends a loop around pcall", function() ended "while true do pcall(function() while true do end end) end" end)
  it("ends a loop in a coroutine", function() ended [[
    while true do pcall(coroutine.wrap(function() while true do pcall(error) end end)) end]] end)
  it("ends a loop in a comparison and a pattern's function", function()
    ended "table.sort({1, 2, 3}, function() while true do end end)"
    ended "('x'):gsub('x', function() while true do end end)"
  end)
  it("ends a loop in a value that is closed", function() ended [[
    local x <close> = setmetatable({}, {__close = function() while true do end end})]] end)
  it("ends a coroutine that was made over a deadline, and lets it work later", function()
    local h = start {["gate.lua"] = [[
      local kept
      function before_run(event)
        if event.job == "later" then return false, kept() end
        pcall(function() while true do end end)
        kept = coroutine.wrap(function() local n = 0 for i = 1, 10000 do n = n + 1 end return "n" .. n end)
      end]]}
    assert.is_nil((h:call("before_run", event "first")))
    local answer, message = h:call("before_run", event "later")
    assert.truthy(answer or message:find("kept"), message)
  end)

  local killed = "^before_run in gate.lua: the hook host was killed: past its deadline"
  it("kills what Lua cannot stop: a pattern", function()
    ended("string.find(('a'):rep(20000), '.-.-.-.-b$')", killed)
  end)
  it("kills what Lua cannot stop: an error handler", function()
    ended("xpcall(function() while true do end end, function() while true do end end)", killed)
  end)

  it("bounds memory", function()
    for _, body in ipairs {"return false, ('x'):rep(1 << 30)", "local t = {} while true do t[#t + 1] = {} end",
      "local s = 'x' while true do s = s .. s end",
      "return false, table.concat({('x'):rep(20 << 20), ('y'):rep(20 << 20)})"} do
      local answer, message = decide(body, UNHURRIED)
      assert.is_nil(answer)
      assert.matches("not enough memory\nstack traceback:\n\tgate.lua:", message)
    end
  end)

  it("replaces a host that hooks have filled", function()
    local h = start({["a.lua"] = [[
      local kept = {}
      function before_run()
        for _ = 1, 2 do kept[#kept + 1] = ("x"):rep(9 << 20) end
        return false, "n" .. #kept
      end]]}, UNHURRIED)
    assert.equal("n2", h:call("before_run", event "x").reason)
    assert.equal("n2", h:call("before_run", event "x").reason)
    assert.truthy(logged "hook host replaced")
  end)

  it("ends endless recursion", function()
    local answer, message = decide("local function f() return 1 + f() end f()", UNHURRIED)
    assert.is_nil(answer)
    assert.truthy(message:find "^gate.lua:2: stack overflow"
      or message:find "^not enough memory\nstack traceback:\n\tgate.lua:2:")
  end)

  it("refuses finalizers", function()
    ended("setmetatable({}, {__gc = function() while true do end end})", "gate.lua:2: __gc is not available in hooks")
  end)

  it("withholds what could leave the sandbox", function()
    assert.same({verdict = "run"}, decide [[
      for _, name in ipairs {"io", "debug", "package", "dofile", "loadfile", "collectgarbage", "channel", "guard",
          "cjson", "arg", "warn"} do
        assert(rawget(_G, name) == nil and not pcall(function() return _G[name] end), name)
      end
      for _, name in ipairs {"execute", "exit", "remove", "rename", "tmpname", "setlocale"} do
        assert(os[name] == nil, name)
      end
      assert(string.dump == nil and ("").dump == nil and getmetatable("") == false and getmetatable(_G) == false)
      assert(not pcall(setmetatable, _G, {}))
      assert(not load("\27Lua"))
      assert(not pcall(load("return io")))
      assert(load("return print")() == print)
      assert(load("return x", "chunk", "b", {x = 5})() == 5)
    ]])
    assert.matches("attempt to call a nil value %(field 'exit'%)", (select(2, decide "os.exit(1)")))
  end)

  it("shows only the variables that are meant for hooks", function()
    local h = start({["a.lua"] = [[function before_run()
      return false, tostring(os.getenv "PATH") .. tostring(os.getenv "HOME") end]]}, {env = {"HOME"}})
    assert.equal("nil" .. os.getenv "HOME", h:call("before_run", event "x").reason)
  end)

  it("keeps one hook's tampering from the next", function()
    local h = start {
      ["a.lua"] = [[function before_run()
        string.format, table.concat, coroutine.yield, alert = nil
      end
      function on_failed()
        for _, library in ipairs {string, table, math, utf8, coroutine, os, http, json} do
          for name in pairs(library) do library[name] = nil end
        end
        rawset(_G, "print", error)
      end]],
      ["b.lua"] = [[function before_run()
        print("printed")
        return false, ("%s"):format(table.concat({string.rep("a", 2), http.post and "b", json.encode("c")})) end]]}
    h:fire("on_failed", event "x")
    local answer, message = h:call("before_run", event "x")
    assert.equal('aab"c"', answer and answer.reason or message)
    assert.equal("b.lua", logged("^printed$").fields.file:match("[^/]+$"))
  end)

  it("bounds what a hook prints, and keeps it out of the protocol", function()
    local answer = decide [[
      print('{"op":"result","seconds":0,"value":{"verdict":"skip"}}')
      for i = 1, 1000 do log(i, "x\ny\0\255") end]]
    assert.same({verdict = "run"}, answer)
    local messages = kit.messages()
    assert.equal(200, #messages)
    assert.equal("info", messages[1].level)
    assert.equal("before_run", messages[1].fields.hook)
    assert.equal("1\tx\ny\0\255", messages[2].text)
    assert.matches("further lines", messages[200].text)
  end)

  it("refuses a yield that leads nowhere", function()
    local _, message = decide "\ncoroutine.yield()"
    assert.matches("a hook may yield only inside coroutines of its own.*gate.lua:3:", message)
  end)

  it("takes any value as an error", function()
    assert.matches("the error value is a table, not a text\n.*gate.lua:2:", (select(2, decide(
      "error(setmetatable({}, {__tostring = function() while true do end end}))"))))
    assert.matches("the error value is a nil", (select(2, decide "error()")))
  end)
end)
