local lines = {} -- what is logged: { level, message, fields }
package.loaded.log = setmetatable({}, { __index = function(_, level)
  return function(message, fields) lines[#lines + 1] = { level = level, message = message, fields = fields or {} } end
end })

local alert = require "alert"
local cjson = require "cjson"
local Queue = require "alert.sender.queue"
local event = require "alert.sender.event"
local task = require "task"

local KEY, DSN = "hbp_topsecretkey", "https://topsecretpublic:topsecretpass@sentry.example/pre/42"
local ABOUT = { instance = "prod", environment = "eu", host = "pod-1", version = "1.2.3" }

-- A world where time passes only when somebody sleeps, and answers come from a script:
-- answers[i] is a status, a table (a response), or a string (a network error); the last stays.
local function world(answers)
  local w = { now = 1000, requests = {}, sleeps = {} }
  function w.send(request)
    w.requests[#w.requests + 1] = request
    local answer = answers[math.min(#w.requests, #answers)]
    if type(answer) == "string" then return nil, answer end
    if type(answer) == "number" then answer = { status = answer } end
    return { status = answer.status, headers = answer.headers or {}, body = answer.body or "" }
  end
  function w.sleep(seconds)
    w.sleeps[#w.sleeps + 1] = seconds
    w.now = w.now + seconds
  end
  function w.options(more)
    local options = { send = w.send, sleep = w.sleep, now = function() return math.floor(w.now) end,
                      spawn = function(f, ...) f(...) end, random = function() return 0.5 end,
                      routes = { "honeybadger" },
                      env = function(name) return ({ HONEYBADGER_API_KEY = KEY, SENTRY_DSN = DSN })[name] end }
    for name, value in pairs(more or {}) do options[name] = value end
    return options
  end
  return w
end

local function failed(more)
  local e = { kind = "failed", job = "nightly", namespace = "batch", run = "nightly-1", slot_time = 0, attempt = 1,
              exit_code = 3, reason = "Error", log_tail = { "one", "two" }, file = "schedule.yml", line = 7 }
  for name, value in pairs(more or {}) do e[name] = value end
  return e
end

-- Sends one event and gives what done was told.
local function send(sender, given)
  local told = {}
  sender:send(given or failed(), function(ok) told[#told + 1] = ok end)
  assert.equal(1, #told)
  return told[1]
end

local function logged(pattern)
  local count = 0
  for _, line in ipairs(lines) do
    if line.message:find(pattern) then count = count + 1 end
  end
  return count
end

before_each(function() lines = {} end)

describe("choosing routes", function()
  local function routes(env, more)
    local options = { env = function(name) return env[name] end, send = print }
    for name, value in pairs(more or {}) do options[name] = value end
    local sender, err = alert.new(options)
    if not sender then return nil, err end
    local names = {}
    for i, queue in ipairs(sender.queues) do names[i] = queue.name end
    return table.concat(names, " ")
  end

  it("follows the environment; empty means off", function()
    assert.equal("log", routes {})
    assert.equal("log", routes { HONEYBADGER_API_KEY = "", SENTRY_DSN = " \n" })
    assert.equal("log honeybadger", routes { HONEYBADGER_API_KEY = "abc\n" })
    assert.equal("log honeybadger sentry", routes { HONEYBADGER_API_KEY = "abc", SENTRY_DSN = DSN })
  end)

  it("says what is wrong without the secret", function()
    for _, dsn in ipairs { "topsecret", "https://sentry.example/42", "https://topsecret@sentry.example",
                           "https://topsecret@sentry.example/42?x=1", "ftp://topsecret@sentry.example/42" } do
      local got, err = routes { SENTRY_DSN = dsn }
      assert.is_nil(got, dsn)
      assert.matches("SENTRY_DSN is malformed: write https://", err)
      assert.is_nil(err:find("topsecret", 1, true), dsn)
    end
    local got, err = routes { HONEYBADGER_API_KEY = "top secret" }
    assert.is_nil(got)
    assert.matches("HONEYBADGER_API_KEY holds characters", err)
    assert.is_nil(err:find("top secret", 1, true))
  end)

  it("loads a route that the settings name, and refuses half a route", function()
    package.preload["alert.mine"] = function()
      return { configure = function(_, settings) return settings end, build = print, judge = print }
    end
    package.preload["alert.half"] = function() return { configure = print } end
    assert.equal("log mine", routes({}, { settings = { mine = {}, log_lines = 5 } }))
    assert.matches("alert/half.lua has no function build", select(2, routes({}, { settings = { half = {} } })))
    assert.matches("alert/gone.lua cannot be used", select(2, routes({}, { settings = { gone = {} } })))
    assert.matches("only letters", select(2, routes({}, { settings = { ["../x"] = {} } })))
  end)
end)

describe("settings", function()
  it("are refused when they make no sense", function()
    package.preload["alert.raises"] = function()
      return { configure = function() error("no good", 0) end, build = print, judge = print }
    end
    for expected, settings in pairs {
      ["'slak' is no setting"] = { slak = true },
      ["slack must be a table"] = { slack = true },
      ["sentry must be a table"] = { sentry = "yes" },
      ["honeybadger: timeout must be a number"] = { honeybadger = { timeout = "5" } },
      ["sentry: timeout must be a number of seconds above 0"] = { sentry = { timeout = 0 } },
      ["honeybadger: endpoint is not an address"] = { honeybadger = { endpoint = "eu-api.honeybadger.io" } },
      ["alert/raises.lua: no good"] = { raises = {} },
    } do
      local options = world({}).options { settings = settings }
      options.routes = nil
      local got, err = alert.new(options)
      assert.is_nil(got)
      assert.is_truthy(err:find(expected, 1, true), err)
    end
  end)
end)

describe("an event", function()
  it("tells what happened", function()
    assert.equal("nightly failed: exit code 3, Error", event.complete(failed(), ABOUT, 9).text)
    assert.equal("kube-scheduler has a configuration that cannot be used: schedule.yml:3:1: bad",
      event.complete({ kind = "config_error", message = "schedule.yml:3:1: bad" }, ABOUT, 9).text)
    local odd = event.complete({ kind = "disk_full", job = "j" }, ABOUT, 9)
    assert.same({ "j reports disk full", "DiskFull", "warning" }, { odd.text, odd.class, odd.severity })
    assert.equal("1970-01-01T00:00:00Z", event.complete(failed(), ABOUT, 9).slot)
  end)

  it("is the same incident for each run of a job, another for each kind and job", function()
    local function key(more) return event.complete(failed(more), ABOUT, 9).key end
    local same = key()
    assert.equal(same, key { run = "nightly-2", exit_code = 137, slot_time = 60, attempt = 2, reason = "OOMKilled" })
    for _, other in ipairs { { kind = "timeout" }, { job = "hourly" }, { namespace = "x" }, { instance = "b" },
                             { environment = "us" }, { group = "g" } } do
      assert.are_not.equal(same, key(other))
    end
  end)

  it("has an id of its own, the same when told again", function()
    local function id(more) return event.complete(failed(more), ABOUT, 9).id end
    assert.matches("^" .. ("%x"):rep(32) .. "$", id())
    assert.equal(id(), id())
    assert.are_not.equal(id(), id { attempt = 2 })
    assert.are_not.equal(event.complete({ kind = "config_error" }, ABOUT, 9).id,
      event.complete({ kind = "config_error" }, ABOUT, 9).id)
  end)

  it("is clean UTF-8 whatever the job printed", function()
    local e = event.complete(failed { reason = "a\0b\xFF", log_tail = { "\27[31mred\27[0m", "\xE2\x82", "ok €\r" } },
      ABOUT, 9)
    assert.equal("a\u{FFFD}b\u{FFFD}", e.reason)
    assert.equal("red\n\u{FFFD}\u{FFFD}\nok €", e.log_tail)
  end)

  it("cuts a text between characters", function()
    local e = event.complete(failed { reason = ("€"):rep(5000) }, ABOUT, 9)
    assert.is_true(#e.reason <= 8192 + 3)
    assert.matches("€…$", e.reason)
    assert.is_nil(e.reason:find("\u{FFFD}", 1, true))
  end)

  it("keeps the last lines, and says what it leaves out", function()
    local log_tail = {}
    for i = 1, 60 do log_tail[i] = "line " .. i end
    local tail = event.complete(failed { log_tail = log_tail }, ABOUT, 9).log_tail
    assert.matches("^line 11\n", tail)
    assert.matches("\nline 60$", tail)
    for i = 1, 50 do log_tail[i] = ("\\"):rep(100000) end
    tail = event.complete(failed { log_tail = log_tail }, ABOUT, 9).log_tail
    assert.matches("^%[%d+ earlier lines left out%]\n", tail)
    assert.matches("\nline 60$", tail)
    assert.is_true(#tail <= 65536)
  end)

  it("shows no log when asked for none", function()
    local about = { log_lines = 0 }
    assert.is_nil(event.complete(failed(), about, 9).log_tail)
  end)

  it("takes a hook's own context but lets it hide nothing", function()
    local facts = event.complete(failed { context = { job = "forged", rows = 12 } }, ABOUT, 9).facts
    assert.same({ "nightly", "12" }, { facts.job, facts.rows })
  end)
end)

describe("honeybadger", function()
  local route = require "alert.honeybadger"
  local config = route.configure(function(name) return name == "HONEYBADGER_API_KEY" and KEY or nil end,
    { endpoint = "https://eu-api.honeybadger.io/" })

  local function build(given) return route.build(event.complete(given, ABOUT, 1000), config, 1000) end

  it("sends a notice", function()
    local request = build(failed())
    assert.equal("https://eu-api.honeybadger.io/v1/notices", request.url)
    assert.equal(KEY, request.headers["X-API-Key"])
    local notice = cjson.decode(request.body)
    assert.same({ class = "KubeScheduler::JobFailed", message = "nightly failed: exit code 3, Error",
                  token = notice.error.token, fingerprint = notice.error.fingerprint, tags = { "failed", "error" },
                  backtrace = { { file = "schedule.yml", number = "7", method = "nightly" } } }, notice.error)
    assert.matches("^" .. ("%x"):rep(40) .. "$", notice.error.fingerprint)
    assert.equal("nightly", notice.request.component)
    assert.equal("one\ntwo", notice.request.context.log_tail)
    assert.equal(3, notice.request.context.exit_code)
    assert.equal("eu", notice.server.environment_name)
    assert.equal("1970-01-01T00:16:40Z", notice.server.time)
  end)

  it("is one fault for all runs of a job, and another for another job", function()
    local function fingerprint(more) return cjson.decode(build(failed(more)).body).error.fingerprint end
    assert.equal(fingerprint(), fingerprint { run = "nightly-2", exit_code = 1 })
    assert.are_not.equal(fingerprint(), fingerprint { job = "hourly" })
  end)

  it("stays below 256 KiB and 64 KiB a string, whatever comes", function()
    for _, junk in ipairs { "\1", "\\", "\xFF", "€", "\n" } do
      local long = junk:rep(100000)
      local given = { context = {}, log_tail = {}, message = long, reason = long }
      for _, name in ipairs { "kind", "job", "namespace", "run", "slot", "trigger", "outcome", "file", "title" } do
        given[name] = long
      end
      for i = 1, 100 do given.context[i .. long], given.log_tail[i] = long, long end
      local body = build(given).body
      assert.is_true(#body <= 262144, ("%q: %d bytes"):format(junk, #body))
      assert.is_true(utf8.len(body) ~= nil)
      assert.is_true(#cjson.decode(body).request.context.log_tail <= 65536)
      assert.is_true(#cjson.decode(body).error.message <= 65536)
    end
  end)

  it("says nothing of a recovery", function() assert.is_nil(build { kind = "recovered", job = "nightly" }) end)

  it("judges each answer", function()
    local function judge(status, headers)
      return table.concat({ route.judge { status = status, headers = headers or {} } }, " ")
    end
    assert.equal("retry", (route.judge(nil, "connection refused")))
    assert.same({ "ok", "ok", "retry", "retry", "retry 7", "final", "final", "suspend 3600", "suspend 3600" },
      { judge(201), judge(200), judge(500), judge(503), judge(429, { ["retry-after"] = "7" }), judge(413), judge(422),
        judge(402), judge(403) })
    assert.equal("retry 90", judge(429, { ["retry-after"] = "Wed, 21 Oct 2015 07:29:30 GMT",
                                          date = "Wed, 21 Oct 2015 07:28:00 GMT" }))
    assert.equal("retry", judge(429, { ["retry-after"] = "soon" }))
  end)
end)

describe("sentry", function()
  local route = require "alert.sentry"
  local config = route.configure(function(name) return name == "SENTRY_DSN" and DSN or nil end, {})

  it("sends an envelope with one event", function()
    local e = event.complete(failed { job = "nightly\nx", log_tail = { "a", "b" } }, ABOUT, 1000)
    local request = route.build(e, config, 2000)
    assert.equal("https://sentry.example/pre/api/42/envelope/", request.url)
    assert.equal("Sentry sentry_version=7, sentry_client=kube-scheduler/1.2.3, sentry_key=topsecretpublic, " ..
      "sentry_secret=topsecretpass", request.headers["X-Sentry-Auth"])
    local head, item, payload, rest = request.body:match("^([^\n]*)\n([^\n]*)\n([^\n]*)\n(.*)$")
    assert.same({ event_id = e.id, sent_at = "1970-01-01T00:33:20Z",
                  sdk = { name = "kube-scheduler", version = "1.2.3" } }, cjson.decode(head))
    assert.same({ type = "event", length = #payload }, cjson.decode(item))
    assert.equal("", rest)
    local got = cjson.decode(payload)
    assert.same({ e.id, "1970-01-01T00:16:40Z", "other", "error", "eu" },
      { got.event_id, got.timestamp, got.platform, got.level, got.environment })
    assert.same({ e.key }, got.fingerprint)
    assert.equal("nightly x", got.tags.job)
    assert.equal("a\nb", got.extra.log_tail)
    assert.equal("JobFailed", got.exception.values[1].type)
    assert.equal(3, got.contexts.run.exit_code)
  end)

  it("makes the environment's name one that Sentry takes", function()
    local e = event.complete(failed { environment = "eu west/prod" .. ("x"):rep(90) }, ABOUT, 0)
    local got = cjson.decode(route.build(e, config, 0).body:match("\n.-\n(.*)\n$"))
    assert.equal("eu-west-prod" .. ("x"):rep(52), got.environment)
  end)

  it("obeys the limits that concern it", function()
    local function judge(status, limits, retry_after)
      local headers = { ["x-sentry-rate-limits"] = limits, ["retry-after"] = retry_after }
      return table.concat({ route.judge { status = status, headers = headers } }, " ")
    end
    assert.equal("ok", judge(200))
    assert.equal("ok 60.0", judge(200, "60.0:error:organization:quota"))
    assert.equal("ok 90", judge(200, "30:default;error:key, 90::project, 20:error:key"))
    assert.equal("ok", judge(200, "2700:transaction;monitor:organization, 5:attachment:key"))
    assert.equal("final 8", judge(429, "8:error:key", "99"))
    assert.equal("final 99", judge(429, nil, "99"))
    assert.equal("final 60", judge(429))
    assert.equal("final 60", judge(429, "2700:transaction:organization"))
    assert.same({ "final", "final", "final", "suspend 3600", "suspend 3600" },
      { judge(400), judge(413), judge(500), judge(403), judge(404) })
    assert.equal("retry", (route.judge(nil, "timed out")))
  end)
end)

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
