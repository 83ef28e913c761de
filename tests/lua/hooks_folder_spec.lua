-- Which files of a hooks folder are loaded, and what is refused in them. The specs wait, so they run as a task.
local kit = require "hooks_kit"

local event, eventually, folder, logged, start = kit.event, kit.eventually, kit.folder, kit.logged, kit.start

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
    assert.equal(0, h:counters().calls.before_run)
  end)

  it("tells its files, their hooks, and what is defined", function()
    local h = start {["b.lua"] = "function on_failed() end", ["a.lua"] = "function before_run() end",
      ["lib/x.lua"] = "return 1", [".hidden.lua"] = "error 'no'", ["a_test.lua"] = "test()", ["notes.txt"] = ""}
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
      ["require 'sys'"] = "^x.lua:1: module 'sys' not found", -- one of the daemon's
      ["require '../x'"] = "^x.lua:1: module '../x' not found",
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
