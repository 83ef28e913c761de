-- What each route sends, and what it makes of an answer. tests/integration/alert_routes_test.py sends it for real.
local cjson = require "cjson"
local crypto = require "crypto"
local event = require "alert.sender.event"
local settings = require "alert.settings"

local ABOUT = {instance = "prod", environment = "eu", host = "pod-1", version = "1.2.3"}
local NOW = 1795507200
local SECRET = "whsec_" .. crypto.base64(("k"):rep(32))

local given = {
  slack = {url = "https://hooks.slack.example/services/T/B/x"},
  pagerduty = {routing_key = "rk"},
  opsgenie = {api_key = "gk"},
  alertmanager = {urls = {"https://a.example/", "https://b.example/pre"}},
  webhook = {url = "https://hook.example/x", secret = SECRET},
  healthchecks = {ping_key = "pk"},
  dead_man = {url = "https://ping.example/x"},
  sentry_checkins = {dsn = "https://public@sentry.example/42"},
}

local function none() end

local function failed(more)
  local e = {kind = "failed", job = "nightly", namespace = "batch", run = "nightly-1", slot_time = NOW - 60, exit_code = 3,
    incident = "failing", since = NOW - 60, log_tail = {"one", "<two> & three"}}
  for name, value in pairs(more or {}) do e[name] = value end
  return e
end

local function build(name, e)
  local route = require("alert." .. name)
  local config = assert(route.configure(none, given[name]))
  local complete = event.complete(e or failed(), ABOUT, NOW)
  local request = route.build(complete, config, NOW)
  local is_json = request.headers and request.headers["Content-Type"] == "application/json"
  return request, is_json and cjson.decode(request.body), complete
end

local function judge(name, status, body)
  return (require("alert." .. name).judge(status and {status = status, headers = {}, body = body or ""}))
end

local OVER = {kind = "recovered", run = "nightly-2", exit_code = false, log_tail = false}

describe("every route", function()
  it("that is an address refuses one that is none, without repeating it", function()
    for name in pairs(given) do
      for key, value in pairs(given[name]) do
        if key == "url" or key == "endpoint" then
          local got, err = require("alert." .. name).configure(none, {[key] = "topsecret " .. value})
          assert.is_nil(got)
          assert.is_nil(err:find("topsecret", 1, true))
        end
      end
    end
  end)

  it("retries what may pass, gives up what will not", function()
    for _, name in ipairs(settings.BUNDLED) do
      if given[name] and name ~= "dead_man" and name ~= "sentry_checkins" then
        assert.same({"retry", "retry", "retry", "final", "suspend"},
          {judge(name, nil), judge(name, 429), judge(name, 503), judge(name, 400), judge(name, 403)}, name)
        assert.equal("ok", judge(name, 200, "ok"), name)
      end
    end
  end)

  it("takes a text as long as may come, and stays small", function()
    for name in pairs(given) do
      local long = ("€<&\n"):rep(20000)
      local request = build(name, failed {reason = long, title = long, job = "n" .. ("ä"):rep(300), log_tail = {long, long}})
      local body = request.body or ""
      assert.is_true(utf8.len(body) ~= nil, name)
      assert.is_true(#body < (name == "webhook" and 40000 or 200000), name .. " " .. #body)
    end
  end)
end)

describe("slack", function()
  it("says it in one message, escaped", function()
    local request, body = build("slack")
    assert.equal(given.slack.url, request.url)
    assert.equal(":x: nightly failed: exit code 3\neu · prod · nightly-1 · 2026-11-24T07:59:00Z\n```one\n&lt;two&gt; &amp; three```",
      body.text)
    assert.matches("^:white_check_mark: ", select(2, build("slack", failed(OVER))).text)
  end)

  it("believes 200 only with the word ok", function()
    assert.same({"ok", "final"}, {judge("slack", 200, "ok"), judge("slack", 200, "<html>")})
  end)

  it("keeps a text under 3,000 characters", function()
    local _, body = build("slack", failed {reason = ("x"):rep(9000), log_tail = {("y"):rep(4000)}})
    assert.is_true(utf8.len(body.text) < 3000)
  end)
end)

describe("pagerduty", function()
  it("opens and resolves by one key, which no run changes", function()
    local request, body = build("pagerduty")
    assert.equal("https://events.pagerduty.com/v2/enqueue", request.url)
    assert.same({"rk", "trigger", "nightly failed: exit code 3", "prod", "error"},
      {body.routing_key, body.event_action, body.payload.summary, body.payload.source, body.payload.severity})
    local _, over = build("pagerduty", failed(OVER))
    assert.same({"rk", "resolve", body.dedup_key}, {over.routing_key, over.event_action, over.dedup_key})
    assert.is_nil(over.payload)
    assert.equal(body.dedup_key, select(2, build("pagerduty", failed {kind = "timeout", run = "nightly-9"})).dedup_key)
    assert.is_true(#body.dedup_key <= 255)
    local _, long = build("pagerduty", failed {reason = ("x"):rep(9000)})
    assert.is_true(#long.payload.summary <= 1024)
  end)
end)

describe("opsgenie", function()
  it("opens and closes by one alias", function()
    local request, body = build("opsgenie")
    assert.equal("GenieKey gk", request.headers.Authorization)
    assert.same({"nightly failed", "P2"}, {body.message, body.priority})
    local close = build("opsgenie", failed(OVER))
    assert.equal("https://api.opsgenie.com/v2/alerts/" .. body.alias .. "/close?identifierType=alias", close.url)
    local _, long = build("opsgenie", failed {title = ("ä"):rep(300), log_tail = {("x"):rep(20000)}})
    assert.is_true(utf8.len(long.message) <= 130 and #long.description <= 15000)
  end)
end)

describe("alertmanager", function()
  it("has one identity for the incident, and ends it", function()
    local request, body = build("alertmanager")
    assert.same({"https://a.example/api/v2/alerts", "https://b.example/pre/api/v2/alerts"}, request.urls)
    local over = select(2, build("alertmanager", failed(OVER)))
    assert.same(body[1].labels, over[1].labels)
    assert.same(body[1].labels, select(2, build("alertmanager", failed {kind = "timeout", run = "other", exit_code = 9}))[1].labels)
    assert.same({"2026-11-24T07:59:00Z", "2026-11-24T08:10:00Z", "2026-11-24T08:00:00Z"},
      {body[1].startsAt, body[1].endsAt, over[1].endsAt})
    assert.same({alertname = "KubeSchedulerJobFailing", severity = "error", job_name = "nightly", namespace = "batch",
      scheduler = "prod", environment = "eu"}, body[1].labels)
  end)
end)

describe("webhook", function()
  it("signs the bytes it sends, anew in each try, by every key", function()
    local request, body, complete = build("webhook")
    assert.same({"job.failed", complete.key}, {body.type, body.data.key})
    request.before(NOW)
    local function expected(time, key)
      return "v1," .. crypto.base64(crypto.hmac_sha256(key, ("msg_%s.%d.%s"):format(complete.id, time, request.body)))
    end
    assert.equal(expected(NOW, ("k"):rep(32)), request.headers["webhook-signature"])
    request.before(NOW + 5)
    assert.equal(expected(NOW + 5, ("k"):rep(32)), request.headers["webhook-signature"])
    assert.same({tostring(NOW + 5), "msg_" .. complete.id}, {request.headers["webhook-timestamp"], request.headers["webhook-id"]})
    given.webhook.previous_secret = "whsec_" .. crypto.base64(("o"):rep(24))
    request = build("webhook")
    request.before(NOW)
    assert.equal(expected(NOW, ("k"):rep(32)) .. " " .. expected(NOW, ("o"):rep(24)), request.headers["webhook-signature"])
  end)

  it("refuses a secret that is none", function()
    for _, secret in ipairs {"abc", "whsec_abc", "whsec_" .. crypto.base64("short")} do
      local got, err = require "alert.webhook".configure(none, {url = "https://h.example", secret = secret})
      assert.is_nil(got)
      assert.is_nil(err:find(secret, 1, true))
    end
  end)
end)

describe("check-ins", function()
  local STARTED = {kind = "started", run = "nightly-1-r2", incident = false, exit_code = false}

  it("of healthchecks pair start and end of a run, whatever attempt", function()
    local start = build("healthchecks", failed(STARTED))
    local rid = start.url:match "^https://hc%-ping%.com/pk/nightly/start%?create=1&rid=(.+)$"
    assert.matches("^%x+%-%x%x%x%x%-4%x%x%x%-8%x%x%x%-%x+$", rid)
    assert.equal("https://hc-ping.com/pk/nightly/fail?create=1&rid=" .. rid, build("healthchecks").url)
    assert.equal("https://hc-ping.com/pk/nightly?create=1&rid=" .. rid, build("healthchecks", failed {kind = "succeeded"}).url)
    assert.are_not.equal(build("healthchecks").url, build("healthchecks", failed {run = "nightly-2"}).url)
  end)

  local function check_in(e)
    local request = build("sentry_checkins", e)
    local _, item, payload = request.body:match "^([^\n]*)\n([^\n]*)\n([^\n]*)\n$"
    assert.same({type = "check_in", length = #payload}, cjson.decode(item))
    return cjson.decode(payload)
  end

  it("of Sentry too, with the monitor's schedule", function()
    local monitor = {schedule = "0 5 * * *", timezone = "Europe/Berlin", timeout = 5400, deadline = 300, jitter = 0}
    local start, stop = check_in(failed {kind = "started", monitor = monitor}), check_in(failed {started = 100, finished = 160})
    assert.same({"in_progress", "error", 60}, {start.status, stop.status, stop.duration})
    assert.equal(start.check_in_id, stop.check_in_id)
    assert.same({schedule = {type = "crontab", value = "0 5 * * *"}, timezone = "Europe/Berlin", checkin_margin = 5,
      max_runtime = 90}, start.monitor_config)
    monitor.schedule = "0 0 5 * * *"
    assert.is_nil(check_in(failed {kind = "started", monitor = monitor}).monitor_config)
  end)

  it("name a monitor by a slug that no two jobs share", function()
    local slug = require "alert.sender.run_ids".slug
    assert.equal("nightly-1", slug("nightly-1", 50))
    assert.matches("^nightly%-x%-%x+$", slug("Nightly x", 50))
    assert.are_not.equal(slug(("x"):rep(60) .. "1", 50), slug(("x"):rep(60) .. "2", 50))
    assert.equal(50, #slug(("x"):rep(60), 50))
  end)
end)
