-- Queues: tries, pauses, silence that a service asks for, and secrets that no line shows.
local kit = require "alert_kit" -- first: it takes the place of the log
local alert = require "alert"
local Queue = require "alert.sender.queue"
local task = require "task"

local DSN, KEY, failed, lines, logged, send, world = kit.DSN, kit.KEY, kit.failed, kit.lines, kit.logged, kit.send, kit.world

before_each(kit.forget_lines)

describe("delivery", function()
  it("tries three times, the same bytes each time, with growing pauses", function()
    local w = world { 500, "reset", 201 }
    local sender = alert.new(w.options())
    assert.is_true(send(sender))
    assert.same({ 5, 30 }, w.sleeps)
    assert.equal(3, #w.requests)
    assert.equal(w.requests[1].body, w.requests[3].body)
    assert.same({ delivered = 1, failed = 0, dropped = 0, retried = 2 }, sender.stats.honeybadger)
  end)

  it("gives up after the third, with one line", function()
    local w = world { 500 }
    local sender = alert.new(w.options())
    assert.is_false(send(sender))
    assert.equal(3, #w.requests)
    assert.equal(1, #lines)
    assert.same({ "error", "route_error", "honeybadger", "nightly" },
      { lines[1].level, lines[1].fields.kind, lines[1].fields.route, lines[1].fields.job })
    assert.same({ delivered = 0, failed = 1, dropped = 0, retried = 2 }, sender.stats.honeybadger)
  end)

  it("jitters the pauses by half", function()
    for _, random in ipairs { 0, 0.999 } do
      local w = world { 500, 201 }
      send(alert.new(w.options { random = function() return random end }))
      assert.is_true(math.abs(w.sleeps[1] - 5 * (0.5 + random)) < 1e-9)
    end
  end)

  it("waits as long as Retry-After says, and not less than it would have", function()
    local w = world { { status = 429, headers = { ["retry-after"] = "40" } },
                      { status = 503, headers = { ["retry-after"] = "1" } }, 201 }
    assert.is_true(send(alert.new(w.options())))
    assert.same({ 40, 30 }, w.sleeps)
  end)

  it("does not sit out a Retry-After beyond five minutes, but obeys it", function()
    local w = world { { status = 429, headers = { ["retry-after"] = "301" } }, 201 }
    local sender = alert.new(w.options())
    assert.is_false(send(sender))
    assert.is_false(send(sender)) -- 301 s away: fails at once
    assert.equal(1, #w.requests)
    w.now = w.now + 100
    assert.is_true(send(sender)) -- 201 s away: waits
    assert.same({ 201 }, w.sleeps)
  end)

  it("suspends a route for an hour when its key is refused, with one line", function()
    local w = world { 403, 201 }
    local sender = alert.new(w.options())
    for _ = 1, 3 do assert.is_false(send(sender)) end
    assert.equal(1, #w.requests)
    assert.equal(1, #lines)
    assert.same({ "alerts are suspended", 3600 }, { lines[1].message, lines[1].fields.seconds })
    w.now = w.now + 3600
    assert.is_true(send(sender))
  end)

  it("holds alerts while Sentry's limit lasts, also one told with a success", function()
    local w = world { { status = 200, headers = { ["x-sentry-rate-limits"] = "20:error:key" } }, 200 }
    local sender = alert.new(w.options { routes = { "sentry" } })
    assert.is_true(send(sender))
    assert.is_true(send(sender))
    assert.same({ 20 }, w.sleeps)
  end)

  it("sends what Sentry answered once only, and what it did not answer with the same id", function()
    for answer, tries in pairs { [429] = 1, [413] = 1, [500] = 1, reset = 3 } do
      local w = world { answer }
      assert.is_false(send(alert.new(w.options { routes = { "sentry" } })))
      assert.equal(tries, #w.requests)
      assert.equal(w.requests[1].body, w.requests[#w.requests].body)
    end
  end)

  it("is done at once when there is no route", function()
    assert.is_true(send(alert.new(world({}).options { routes = {} })))
  end)

  it("tells done once, when the last route has reported", function()
    local w = world { 500 }
    local sender = alert.new(w.options { routes = { "log", "honeybadger" } })
    assert.is_false(send(sender))
    assert.equal(1, logged "^alert: nightly failed")
  end)

  it("lets no slow route hold another", function()
    local w, stuck = world { 200 }, {}
    function w.send(request)
      if request.url:find("honeybadger") then coroutine.yield() end
      stuck[#stuck + 1] = request.url
      return { status = 200, headers = {} }
    end
    local sender = alert.new(w.options { send = w.send, routes = { "honeybadger", "sentry" },
                                         spawn = function(f, ...) coroutine.wrap(f)(...) end })
    local told
    sender:send(failed(), function(ok) told = ok end)
    sender:send(failed())
    assert.same({ "https://sentry.example/pre/api/42/envelope/", "https://sentry.example/pre/api/42/envelope/" }, stuck)
    assert.is_nil(told)
    assert.equal(2, sender:pending())
  end)

  it("drops what does not fit, says so once, and counts", function()
    local w = world { 201 }
    local resume
    local sender = alert.new(w.options { spawn = function(f, ...)
      local args = table.pack(...)
      resume = function() f(table.unpack(args)) end
    end })
    local results = { [true] = 0, [false] = 0 }
    for _ = 1, Queue.BOUND + 7 do sender:send(failed(), function(ok) results[ok] = results[ok] + 1 end) end
    assert.same({ [true] = 0, [false] = 8 }, results) -- the one under way counts
    assert.equal(1, #lines)
    resume()
    assert.same({ [true] = 999, [false] = 8 }, results)
    assert.equal(8, sender.stats.honeybadger.dropped)
    assert.same({ "alerts were dropped while the queue was full", 8 }, { lines[2].message, lines[2].fields.dropped })
    sender:send(failed(), function(ok) results[ok] = results[ok] + 1 end)
    resume()
    assert.equal(1000, results[true])
    assert.equal(2, #lines)
  end)

  it("survives a broken route, a broken event and a broken callback", function()
    package.preload["alert.broken"] = function()
      return { configure = function() return { secrets = { "topsecret" } } end, judge = print,
               build = function() error("no such field, topsecret") end }
    end
    local w = world { 201 }
    local sender = alert.new(w.options { routes = { "broken" } })
    assert.is_false(send(sender))
    assert.matches("no such field, %[redacted%]", lines[1].fields.error)
    sender:send(nil)
    assert.is_false(send(alert.new(w.options { routes = { "log", "honeybadger" } }),
      failed { slot_time = math.maxinteger }))
    assert.equal(0, #w.requests)
    sender:send(failed(), function() error("on purpose") end)
    assert.equal(1, logged "^after an alert")
    assert.equal(2, logged "^an alert could not be made")
  end)

  it("flushes: until all is over, or for the time that there is", function()
    local w = world { 201 }
    local function slow(request)
      task.sleep(0.2)
      return w.send(request)
    end
    local sender = alert.new(w.options { send = slow, sleep = task.sleep, spawn = task.spawn })
    sender:send(failed())
    assert.is_false(sender:flush(0.05))
    assert.is_true(sender:flush(10))
    assert.equal(1, sender.stats.honeybadger.delivered)
  end)
end)

describe("secrets", function()
  it("are in no line and no error, whatever the services answer", function()
    for _, answer in ipairs { "could not reach https://user:topsecretpass@h.example/T/topsecretpath?k=topsecretquery",
                              { status = 403, body = "bad key " .. KEY }, { status = 400, body = "bad " .. DSN },
                              { status = 500, body = "sentry_key=topsecretpublic" } } do
      local w = world { answer }
      assert.is_false(send(alert.new(w.options { routes = { "honeybadger", "sentry" } })))
    end
    assert.equal(8, #lines)
    for _, line in ipairs(lines) do
      for _, value in pairs(line.fields) do
        assert.is_nil(tostring(value):find("topsecret", 1, true), tostring(value))
      end
    end
    assert.equal("could not reach https://h.example/…", lines[1].fields.error)
    assert.equal("status 403: bad key [redacted]", lines[3].fields.error)
  end)
end)
