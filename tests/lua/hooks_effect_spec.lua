-- What hooks ask the daemon for. The specs wait, so they run as a task.
local kit = require "hooks_kit"

local event, eventually, logged, start = kit.event, kit.eventually, kit.logged, kit.start

before_each(kit.before)
after_each(kit.after)

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
