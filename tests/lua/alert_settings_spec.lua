-- What a schedule may say about alerts: each mistake at its place; secrets that stay secret.
local settings = require "alert.settings"
local sys = require "sys"

local folder = require "schedule_kit".new()
local dir, load, write = folder.dir, folder.load, folder.write

local JOB = 'job: {cron: "0 5 * * *", template: pod.yml%s}\n'

describe("alerts in a schedule", function()
  it("are checked field by field", function()
    local _, lines = load([[
settings:
  cron_dialect: standard
  alerts:
    slak: {}
    group_wait: soon
    sentry: {dsn: "https://key@host/1"}
    honeybadger: {api_kye: {env: X}}
    escalate: {after: 5m, to: [pager]}
]] .. JOB:format ", alerts: [log, sentri], alert_after: 0")
    assert.same({
      "schedule.yml:4:5: error: unknown key 'settings.alerts.slak'",
      "schedule.yml:5:17: error: 'settings.alerts.group_wait': a duration such as 30s, 5m or 1h30m expected, this is a string",
      "schedule.yml:6:19: error: 'settings.alerts.sentry.dsn': {env: NAME} or {file: PATH} expected: a secret does not " ..
        "belong into a schedule",
      "schedule.yml:7:19: error: unknown key 'settings.alerts.honeybadger.api_kye' (did you mean 'api_key'?)",
      "schedule.yml:8:15: error: there is no alert route 'pager': write it under settings, alerts",
      "schedule.yml:9:53: error: there is no alert route 'sentri' (did you mean 'sentry'?): write it under settings, alerts",
      "schedule.yml:9:81: error: 'job.alert_after': a whole number from 1 on expected",
    }, (function()
      for i, line in ipairs(lines) do lines[i] = line:gsub("slak'.*", "slak'") end
      return lines
    end)())
  end)

  it("may name a route of one's own, which is a file beside the hooks", function()
    write("hooks/alerts/pager.lua", "return {}")
    local plan, lines = load("settings: {cron_dialect: standard, alerts: {pager: {number: 5}}}\n" .. JOB:format ", alerts: [pager]")
    assert.same({}, lines)
    assert.equal(5, plan.settings.alerts.pager.number)
    assert.same({"pager"}, plan.jobs[1].alerts)
  end)

  it("name a fallback and routes to escalate to that take incidents", function()
    local _, lines = load("settings:\n  cron_dialect: standard\n  alerts:\n    fallback: dead_man\n" ..
      "    escalate: {after: 5m, to: [log]}\n    group_by: route\n" .. JOB:format "")
    assert.same({
      "schedule.yml:4:15: error: the route 'dead_man' takes no incidents: name another",
      "schedule.yml:5:15: error: the route 'log' takes no incidents: name another",
      "schedule.yml:6:15: error: 'settings.alerts.group_by': one of job, all expected",
    }, lines)
  end)

  it("may be turned off for a job", function()
    local plan, lines = load("settings: {cron_dialect: standard}\n" .. JOB:format ", alerts: none")
    assert.same({}, lines)
    assert.equal("none", plan.jobs[1].alerts)
    lines = select(2, load("settings: {cron_dialect: standard}\n" .. JOB:format ", alerts: []"))
    assert.matches("'alerts': a list of routes, or none, expected", lines[1])
  end)
end)

describe("a secret", function()
  local function env(name) return ({KEY = "abc\n", EMPTY = " "})[name] end

  it("is read from the environment or a file, without the line's end", function()
    write("key", "xyz\n")
    assert.equal("abc", settings.secret({env = "KEY"}, env))
    assert.equal("xyz", settings.secret({file = dir .. "/key"}, env))
  end)

  it("that is not there is named", function()
    write("empty", "\n")
    assert.equal("the environment variable NONE is not set", select(2, settings.secret({env = "NONE"}, env)))
    assert.equal("the environment variable EMPTY is not set", select(2, settings.secret({env = "EMPTY"}, env)))
    assert.matches("cannot be read", select(2, settings.secret({file = dir .. "/none"}, env)))
    assert.matches("is empty", select(2, settings.secret({file = dir .. "/empty"}, env)))
  end)
end)

describe("a route of one's own", function()
  local alert = require "alert"

  local function try(source)
    write("hooks/alerts/mine.lua", source)
    local sent = {}
    local sender, err = alert.new {hooks = dir .. "/hooks", settings = {mine = {to = "x"}}, routes = {"mine"},
      send = function(request) sent[#sent + 1] = request.body return {status = 200, headers = {}, body = ""} end,
      spawn = function(f, ...) f(...) end}
    if not sender then return nil, err end
    sender:send {kind = "failed", job = "j"}
    return sent
  end

  local HEAD = "local post, answer = require 'alert.sender.post', require 'alert.sender.answer'\n" ..
    "return {configure = function(_, s) return {url = 'https://' .. s.to} end, judge = answer.judge,\n"

  it("is a file beside the hooks", function()
    assert.same({'{"said":"j failed"}'}, try(HEAD .. "build = function(e, c) return post.json(c, {said = e.text}) end}"))
  end)

  it("sees no files, processes or network", function()
    for _, what in ipairs {"io", "debug", "package", "load", "dofile", "os.execute", "os.getenv"} do
      assert.same({}, try(HEAD .. "build = function(e, c) return post.json(c, {said = e.text}, {x = " .. what .. ".y}) end}"))
    end
    assert.matches("cannot use 'http'", select(2, try "return require 'http'"))
  end)

  it("with a mistake is refused by its place", function()
    assert.matches("mine.lua cannot be used: .*hooks/alerts/mine.lua:1:", select(2, try "return {"))
    assert.matches("has no function build", select(2, try "return {configure = function() end}"))
  end)
end)

describe("lua/ALERTS.md", function()
  local reference = sys.read "lua/ALERTS.md"

  it("has a schedule without a mistake", function()
    local _, lines = load(reference:match "```yaml\n(.-)```")
    assert.same({}, lines)
  end)

  it("names every route and each of its settings", function()
    for _, name in ipairs(settings.BUNDLED) do
      local row = reference:match("\n| `" .. name .. "` |([^\n]*)")
      assert.is_truthy(row, name)
      for field in pairs(require("alert." .. name).fields or {}) do
        assert.is_truthy(row:find("`" .. field .. "`", 1, true), name .. "." .. field)
      end
    end
    for name in pairs(settings.general) do assert.is_truthy(reference:find("`" .. name .. "`", 1, true), name) end
  end)
end)
