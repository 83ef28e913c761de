-- The samples that operators copy: those in lua/HOOKS.md. The files in scripts/hooks-samples have tests of their own, which
-- tests/integration/hooks_test.py runs.
local kit = require "hooks_kit"
local known = require "hooks.known"
local sys = require "sys"

before_each(kit.before)
after_each(kit.after)

local manual = assert(sys.read "lua/HOOKS.md")

-- The manual's samples: file name -> text.
local function samples()
  local files = {}
  for text in manual:gmatch "```lua\n(.-)```" do
    files[text:match "^%-%- hooks/([%w_]+%.lua)"] = text
  end
  return files
end

-- Starts one sample; what it asks for is in the list.
local function start(name, text, options)
  local effects = {}
  options = options or {}
  options.on_effect = function(effect) effects[#effects + 1] = effect end
  local h = kit.start({[name] = text}, options)
  assert.same({}, h:problems())
  return h, effects
end

local function tell(h, name, event)
  h:fire(name, event)
  kit.eventually(function() return h.queue:idle() end)
end

describe("lua/HOOKS.md", function()
  it("has samples that all load", function()
    local names = {}
    for name, text in pairs(samples()) do
      names[#names + 1] = name
      start(name, text)
    end
    table.sort(names)
    assert.same({"chain.lua", "freeze.lua", "gate.lua", "latest.lua", "memory.lua", "once.lua",
      "slow.lua"}, names)
  end)

  it("describes every hook and every field of an event", function()
    for _, name in ipairs(known.names()) do assert.truthy(manual:find("`" .. name .. "(event)`", 1, true), name) end
    local described = {}
    local section = manual:match "\n## The event\n(.-)\n## "
    for cell in section:gmatch "\n| (`[^|]+) |" do
      for name in cell:gmatch "`([%w_]+)`" do described[#described + 1] = name end
    end
    local fields = table.move(known.event_fields, 1, #known.event_fields, 1, {})
    table.sort(fields)
    table.sort(described)
    assert.same(fields, described)
  end)

  it("keeps Sundays quiet", function()
    local h = start("freeze.lua", samples()["freeze.lua"])
    local sunday = {id = "1", job = "backup", slot = 1795910400}
    assert.equal("Sunday is quiet", h:call("before_run", sunday).reason)
    assert.equal("run", h:call("before_run", {id = "2", job = "backup", slot = sunday.slot - 1}).verdict)
    assert.equal("run", h:call("before_run", {id = "3", job = "urgent-fix", slot = sunday.slot}).verdict)
  end)

  it("asks a gate", function()
    local answer, asked
    local h = start("gate.lua", samples()["gate.lua"], {http = {request = function(request)
      asked = request.url
      return answer, "refused"
    end}})
    assert.equal("run", h:call("before_run", kit.event "backup").verdict)
    assert.truthy(kit.logged "no gate: refused")
    assert.equal("http://gate.default.svc/backup", asked)
    answer = {status = 423, headers = {}, body = ""}
    assert.equal("the gate is closed", h:call("before_run", kit.event "backup").reason)
  end)

  it("runs one job after another", function()
    local h, effects = start("chain.lua", samples()["chain.lua"])
    tell(h, "on_succeeded", kit.event "extract")
    tell(h, "on_succeeded", kit.event "load")
    assert.same({{kind = "trigger", job = "transform"}}, effects)
  end)

  it("doubles memory up to a limit", function()
    local h = start("memory.lua", samples()["memory.lua"])
    local event = {id = "1", job = "a", reason = "OOMKilled", attempt = 1,
      manifest = {kind = "Pod", spec = {containers = {{name = "main"}}}}}
    local answer = h:call("on_attempt_failed", event)
    assert.same({{name = "main", resources = {limits = {memory = "4Gi"}}}}, answer.patches[1].patch.spec.containers)
    event.attempt = 3
    assert.equal("it needs more than 8 GiB", h:call("on_attempt_failed", event).reason)
    event.reason = "Error"
    assert.same({verdict = "run"}, h:call("on_attempt_failed", event))
  end)

  it("refuses images without a version", function()
    local h = start("latest.lua", samples()["latest.lua"])
    local function verdict(image)
      return h:call("before_create", {id = "1", job = "a",
        manifest = {kind = "Pod", spec = {containers = {{name = "main", image = image}}}}}).verdict
    end
    for image, expected in pairs {["a:1"] = "run", ["h:5000/a"] = "skip", ["h:5000/a:2"] = "run", a = "skip",
      ["a:latest"] = "skip", ["a@sha256:00"] = "run"} do
      assert.equal(expected, verdict(image), image)
    end
  end)

  it("alerts once a day", function()
    local h, effects = start("once.lua", samples()["once.lua"])
    local function alerts(job, slot)
      tell(h, "on_failed", {id = "1", job = job, outcome = "failed", reason = "Error", slot = slot})
      local titles = {}
      for _, effect in ipairs(effects) do titles[#titles + 1] = effect.title end
      return table.concat(titles, ", ")
    end
    assert.equal("a: Error", alerts("a", 1795507200))
    assert.equal("a: Error", alerts("a", 1795507260))
    assert.equal("a: Error, b: Error", alerts("b", 1795507260))
    assert.equal("a: Error, b: Error, a: Error", alerts("a", 1795507200 + 86400))
  end)

  it("tells of slow runs", function()
    local h, effects = start("slow.lua", samples()["slow.lua"])
    tell(h, "on_succeeded", {id = "1", job = "backup", started = 1000, finished = 4600})
    assert.same({}, effects)
    tell(h, "on_succeeded", {id = "2", job = "backup", started = 1000, finished = 4601})
    assert.same({{kind = "alert", title = "backup is slow", message = "It ran for 3601 s.", severity = "warning"}},
      effects)
  end)
end)

describe("scripts/hooks-samples/webhook.lua", function()
  local text = assert(sys.read "scripts/hooks-samples/webhook.lua")
  local process = require "process"
  local environ = process.environ
  after_each(function() process.environ = environ end)

  local function with_url(url)
    process.environ = function() return {HOOK_WEBHOOK_URL = url} end
  end

  it("says what it lacks", function()
    with_url(nil)
    local h = kit.start {["webhook.lua"] = text}
    assert.matches("^set HOOK_WEBHOOK_URL", h:problems()[1].message)
  end)
end)
