-- http.request inside hooks, and http.post for them. The specs wait, so they run as a task.
local clock = require "clock"
local hooks = require "hooks"
local kit = require "hooks_kit"
local task = require "task"

local event, eventually, logged, start = kit.event, kit.eventually, kit.logged, kit.start

before_each(kit.before)
after_each(kit.after)

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
