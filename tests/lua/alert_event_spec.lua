-- What an event becomes, and the notices that Honeybadger and Sentry get.
local cjson = require "cjson"
local event = require "alert.sender.event"
local kit = require "alert_kit"

local ABOUT, DSN, KEY, failed = kit.ABOUT, kit.DSN, kit.KEY, kit.failed

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
