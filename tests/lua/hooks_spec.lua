-- What hooks can do, and what becomes of those that fail. The specs wait, so they run as a task.
local clock = require "clock"
local hooks = require "hooks"
local kit = require "hooks_kit"
local task = require "task"

local decide, event, eventually = kit.decide, kit.event, kit.eventually
local folder, logged, start = kit.folder, kit.logged, kit.start

before_each(kit.before)
after_each(kit.after)

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
      ["function before_breakfast() end"] = "^x.lua:1: before_breakfast is not a hook %(there are: before_create, before_run, ",
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
      {kind = "alert", title = "down", message = "m", severity = "fatal"},
      {kind = "http.post", url = "https://a.example/x", body = '{"n":1}',
        headers = {["Content-Type"] = "application/json"}},
      {kind = "trigger", job = "cleanup"},
    }, effects [[
      alert{title = "down", message = "m", severity = "fatal"}
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
      kit.before()
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

  it("that another hook answers in its place fails, and harms nobody else", function()
    local h = start({["a.lua"] = [[
      local waiting
      function on_failed()
        waiting = coroutine.running()
        http.request{url = "http://x/"}
      end
      function before_run(event)
        if event.job == "resume" then coroutine.resume(waiting, {}) else coroutine.close(waiting) end
        return false, "well"
      end]]}, {http = {request = function() task.sleep(0.1) return {status = 200, headers = {}, body = ""} end}})
    for _, job in ipairs {"resume", "close"} do
      h:fire("on_failed", event "x")
      assert.equal("well", h:call("before_run", event(job)).reason)
      assert.equal("well", h:call("before_run", event(job)).reason)
      eventually(function() return h.queue:idle() end)
      assert.equal(1, h:counters().starts)
    end
    assert.truthy(logged "cannot resume dead coroutine")
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
    for _, m in ipairs(kit.messages()) do if m.text:find("is off until") then lines = lines + 1 end end
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
