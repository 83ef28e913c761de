-- Hooks that misbehave in every way we know, and those that behave. The specs wait, so they run as a task.
local clock = require "clock"
local hooks = require "hooks"
local sys = require "sys"
local task = require "task"

local made = {}   -- folders and hosts of the running test
local messages    -- what was logged: {level, text, fields}

local function recorder(level)
  return function(text, fields) messages[#messages + 1] = {level = level, text = text, fields = fields or {}} end
end

local function folder(files)
  local path = os.tmpname()
  os.remove(path)
  sys.mkdir(path)
  made[#made + 1] = path
  for name, text in pairs(files) do
    if name:find("/") then sys.mkdir(path .. "/" .. name:match("(.*)/")) end
    local file = assert(io.open(path .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end
  return path
end

local function start(files, options)
  options = setmetatable({}, {__index = options})
  options.dir = options.dir or folder(files)
  options.log = {info = recorder "info", warning = recorder "warning", error = recorder "error"}
  local h = hooks.start(options)
  made[#made + 1] = h
  return h
end

local function event(job) return {id = "event-1", job = job, slot = 1795507200, log_tail = {"first", "second"}} end

-- One before_run with this body; what it answers for one call.
local function decide(body, options)
  local h = start({["gate.lua"] = "function before_run(event)\n" .. body .. "\nend"}, options)
  return h:call("before_run", event "backup")
end

-- Options for what must end for another reason than its deadline, on a busy machine too.
local UNHURRIED <const> = {deadlines = {decision = 20}}

local function logged(pattern)
  for _, m in ipairs(messages) do
    if m.text:find(pattern) or (m.fields.error or ""):find(pattern) then return m end
  end
end

local function eventually(check)
  for _ = 1, 500 do
    if check() then return end
    task.sleep(0.01)
  end
  error("did not happen within 5 s", 2)
end

before_each(function() messages = {} end)

after_each(function()
  for _, thing in ipairs(made) do
    if type(thing) == "string" then os.execute("rm -rf " .. thing) else thing:close(0) end
  end
  made = {}
end)

describe("a hooks folder", function()
  it("that does not exist starts nothing and costs nothing", function()
    local h = start({}, {dir = "/nowhere"})
    assert.is_nil(h:pid())
    assert.is_false(h:defined "before_run")
    assert.same({verdict = "run"}, h:call("before_run", event "backup"))
    h:fire("on_failed", event "backup")
    assert.same({}, h:problems())
    assert.equal(0, h:counters().calls)
  end)

  it("tells its files, their hooks, and what is defined", function()
    local h = start {["b.lua"] = "function on_failed() end", ["a.lua"] = "function before_run() end",
      ["lib/x.lua"] = "return 1", [".hidden.lua"] = "error 'no'", ["notes.txt"] = ""}
    assert.same({"a.lua", "b.lua"}, {h:files()[1].file:match("[^/]+$"), h:files()[2].file:match("[^/]+$")})
    assert.same({"before_run"}, h:files()[1].hooks)
    assert.is_true(h:defined "on_failed")
    assert.is_false(h:defined "on_started")
  end)

  it("reads a mounted ConfigMap's links", function()
    local dir = folder {["..2026/a.lua"] = "function before_run() return false, 'linked' end"}
    os.execute(("cd %s && ln -s ..2026 ..data && ln -s ..data/a.lua a.lua"):format(dir))
    assert.equal("linked", start({}, {dir = dir}):call("before_run", event "x").reason)
  end)

  it("keeps a file's load error from the others", function()
    local h = start {["a.lua"] = "x = = 1", ["b.lua"] = "function before_run() return false, 'b' end",
      ["c.lua"] = "\n\nerror 'broken'", ["d.lua"] = "while true do end", ["e.lua"] = "('a'):rep(1 << 30)"}
    assert.equal("b", h:call("before_run", event "x").reason)
    local wrong = h:problems()
    assert.equal(4, #wrong)
    assert.matches("^a.lua:1: ", wrong[1].message)
    assert.matches("^c.lua:3: broken", wrong[2].message)
    assert.matches("^d.lua:1: ran longer than its deadline of 2000 ms", wrong[3].message)
    assert.matches("not enough memory.*\n.*e.lua:1:", wrong[4].message)
    assert.equal("load", wrong[1].kind)
    assert.matches("/a.lua$", wrong[1].file)
    assert.truthy(logged "c.lua:3: broken")
  end)

  it("leaves out a file that hangs where Lua cannot stop it", function()
    local h = start({["a.lua"] = "string.find(('a'):rep(20000), '.-.-.-.-b$')",
      ["b.lua"] = "function before_run() return false, 'b' end"}, {deadlines = {load = 0.1}})
    assert.equal("b", h:call("before_run", event "x").reason)
    assert.matches("^a.lua: while it was loaded, the host was killed", h:problems()[1].message)
  end)

  it("refuses a misspelt hook, a global, a second definition and a hook that is none", function()
    for text, message in pairs {
      ["\nfunction on_fialed() end"] = "^x.lua:2: on_fialed is not a hook; did you mean on_failed?",
      ["function before_breakfast() end"] = "^x.lua:1: before_breakfast is not a hook %(there are: before_run, ",
      ["count = 1"] = "^x.lua:1: 'count' is not declared: write 'local count = …'",
      ["local total = 0\ntotla = 1"] = "^x.lua:2: 'totla' is not declared.*did you mean total?",
      ["print = nil"] = "^x.lua:1: 'print' is built in",
      ["function on_failed() end\nfunction on_failed() end"] = "^x.lua:2: on_failed is defined a second time",
      ["on_failed = 'x'"] = "^x.lua:1: on_failed must be a function, not a string",
      ["alert{title = 'x'}"] = "^x.lua:1: alert is for hooks",
      ["http.request{url = 'http://x/'}"] = "^x.lua:1: http.request is for hooks",
      ["require 'nothing'"] =
        "^x.lua:1: module 'nothing' not found; tried in the hooks folder: nothing.lua, nothing/init.lua",
      ["require 'x'"] = "^x.lua has not loaded",
      ["\27Lua"] = "binary chunk",
    } do
      local h = start {["x.lua"] = text}
      assert.matches(message, (h:problems()[1] or {}).message, 1, false)
    end
  end)

  it("shares modules of the folder, which must not define hooks", function()
    local h = start {
      ["a.lua"] = "local m = require 'lib.words' function before_run() m.n = m.n + 1 return false, m.word .. m.n end",
      ["b.lua"] = "local m = require 'lib.words' function on_failed() m.n = m.n + 1 end",
      ["lib/words/init.lua"] = "return {word = 'no ', n = 0}",
      ["c.lua"] = "require 'lib.bad'", ["lib/bad.lua"] = "function on_failed() end",
    }
    h:fire("on_failed", event "x")
    eventually(function() return h.queue:idle() end)
    assert.equal("no 2", h:call("before_run", event "x").reason)
    assert.matches("^lib/bad.lua:1: on_failed: hooks are defined in files directly in the hooks folder",
      h:problems()[1].message)
  end)
end)

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

describe("an effect", function()
  local function effects(body, on_effect)
    local list = {}
    local h = start({["a.lua"] = "function on_failed(event)\n" .. body .. "\nend"},
      {on_effect = on_effect or function(effect) list[#list + 1] = effect end})
    h:fire("on_failed", event "x")
    eventually(function() return h.queue:idle() end)
    return list
  end

  it("is done after the hook has returned, in order", function()
    assert.same({
      {kind = "alert", title = "down", message = "m", severity = "critical"},
      {kind = "http.post", url = "https://a.example/x", body = '{"n":1}',
        headers = {["Content-Type"] = "application/json"}},
      {kind = "trigger", job = "cleanup"},
    }, effects [[
      alert{title = "down", message = "m", severity = "critical"}
      http.post{url = "https://a.example/x", json = {n = 1}}
      trigger("cleanup")]])
  end)

  it("is not done when the hook fails", function()
    assert.same({}, effects "alert{title = 'x'}\nerror 'later'")
    assert.equal("on_failed", logged("a.lua:3: later").fields.hook)
  end)

  it("is checked where it is asked for", function()
    for body, message in pairs {
      ["alert{titel = 'x'}"] = "a.lua:2: alert: there is no field 'titel'; did you mean title?",
      ["alert{}"] = "a.lua:2: alert: title is missing",
      ["alert'x'"] = "a.lua:2: alert: a table expected",
      ["alert{title = 'x', severity = 'eror'}"] = "a.lua:2: alert: there is no severity 'eror'; did you mean error?",
      ["http.post{url = 'file:///etc/passwd'}"] = "a.lua:2: http.post: url must begin with http",
      ["http.post{url = 'http://x/', headers = {A = 'b\\r\\nC: d'}}"] = "a.lua:2: http.post: header A must be one line",
      ["http.post{url = 'http://x/', json = print}"] = "a.lua:2: http.post: .*function",
      ["local t = {} t.t = t http.post{url = 'http://x/', json = t}"] = "a.lua:2: http.post: .*nested",
      ["trigger()"] = "a.lua:2: trigger: the name of a job expected",
      ["for i = 1, 101 do trigger 'x' end"] = "a.lua:2: trigger: a hook may ask for 100 effects",
      ["alert{title = ('x'):rep(2 << 20)}"] = "a.lua:2: alert: a hook may ask for",
    } do
      messages = {}
      assert.same({}, effects(body))
      assert.truthy(logged(message), message)
    end
  end)

  it("that the daemon cannot do is logged and harms nobody", function()
    local count = 0
    effects("trigger 'a' trigger 'b'", function() count = count + 1 error("no such job") end)
    assert.equal(2, count)
    assert.truthy(logged "effect trigger: .*no such job")
  end)
end)

describe("http.request", function()
  local function with(http, body)
    local h = start({["a.lua"] = "function before_run(event)\n" .. body .. "\nend"}, {http = http})
    return h:call("before_run", event "x")
  end

  it("waits for its answer without using up the deadline", function()
    local asked
    local answer, message = with({request = function(request)
      asked = request
      task.sleep(0.7)
      return {status = 503, headers = {["retry-after"] = "5"}, body = '{"open": false}'}
    end}, [[
      local answer = http.request{url = "http://a.example/", json = {a = 1}, timeout = 3}
      return false, answer.status .. tostring(json.decode(answer.body).open) .. answer.headers["retry-after"]
    ]])
    assert.equal("503false5", answer and answer.reason or message)
    assert.equal("POST", asked.method)
    assert.equal('{"a":1}', asked.body)
    assert.equal(3, asked.timeout)
  end)

  it("gives nil and the error, from whatever goes wrong", function()
    assert.equal("refused", with({request = function() return nil, "refused" end},
      "return false, select(2, http.request{url = 'http://x/'})").reason)
    assert.matches("oops", with({request = function() error "oops" end},
      "return false, select(2, http.request{url = 'http://x/'})").reason)
  end)

  it("works inside coroutines and pcall of the hook", function()
    assert.equal("a200 b200", with({request = function() return {status = 200, headers = {}, body = ""} end}, [[
      local function ask() coroutine.yield "a" return http.request{url = "http://x/"}.status end
      local co = coroutine.wrap(ask)
      local first = co() .. co()
      local ok, status = pcall(coroutine.wrap(function() return http.request{url = "http://x/"}.status end))
      return false, first .. " b" .. status
    ]]).reason)
  end)

  it("of one hook does not hold up another", function()
    local h = start({["a.lua"] = [[
      function on_failed() http.request{url = "http://x/"} end
      function before_run() return false, "quick" end]]},
      {http = {request = function() task.sleep(1) return {status = 200, headers = {}, body = ""} end}})
    h:fire("on_failed", event "x")
    local started = clock.monotonic()
    assert.equal("quick", h:call("before_run", event "x").reason)
    assert.is_true(clock.monotonic() - started < 0.9)
  end)

  it("may wait 30 s in all", function()
    local h = start({["a.lua"] = [[
      function before_run()
        local _, first = http.request{url = "http://x/", timeout = 30}
        return false, first .. select(2, http.request{url = "http://x/"})
      end]]}, {http = {request = function(request) return nil, ("timeout %g"):format(request.timeout) end}})
    local real = clock.monotonic
    local now = 0
    clock.monotonic = function() now = now + 31 return now end -- luacheck: ignore
    local answer = h:call("before_run", event "x")
    clock.monotonic = real -- luacheck: ignore
    assert.equal("timeout 30a hook may wait 30 s for answers, in all", answer.reason)
  end)
end)

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
      assert(string.dump == nil and getmetatable("") == false and getmetatable(_G) == false)
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
    for signal, message in pairs {SEGV = "SIGSEGV", KILL = "SIGKILL", TERM = "SIGTERM"} do
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
    assert.matches("^before_run in .*/a.lua is off until the hooks are loaded again: it failed 5 times in a row",
      call "good")
    assert.equal(9, #failures)
    assert.equal(1, #h:problems())
    assert.equal("off", h:problems()[1].kind)
    local lines = 0
    for _, m in ipairs(messages) do if m.text:find("is off until") then lines = lines + 1 end end
    assert.equal(1, lines)
  end)
end)

describe("hooks.post", function()
  it("gives up at once on what will not change, and repeats the rest", function()
    local tries = 0
    local function http(status)
      tries = 0
      return {request = function() tries = tries + 1 return {status = tries < 2 and status or 200} end}
    end
    assert.is_true(hooks.post({url = "http://x/"}, http(503)))
    assert.equal(2, tries)
    assert.same({nil, "http.post to http://x: status 404"},
      {hooks.post({url = "http://x/secret"}, {request = function() return {status = 404} end})})
  end)
end)
