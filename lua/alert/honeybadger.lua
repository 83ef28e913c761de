-- Honeybadger notices: https://docs.honeybadger.io/api/reporting-exceptions/. On when HONEYBADGER_API_KEY is set.
local answer = require "alert.sender.answer"
local clock = require "clock"
local crypto = require "crypto"
local post = require "alert.sender.post"
local sys = require "sys"
local text = require "alert.sender.text"

local honeybadger = {}

-- on without settings too, by the environment
honeybadger.by_environment = true
honeybadger.fields = { api_key = { "secret" }, endpoint = { "string" }, environment = { "string" } }

local ENDPOINT = "https://api.honeybadger.io" -- accounts in the EU: https://eu-api.honeybadger.io
local TIMEOUT = 10

-- config | nil: off | nil, error
function honeybadger.configure(env, settings)
  local key = settings.api_key or text.setting(env "HONEYBADGER_API_KEY")
  if not key then return nil end
  if key:find("[^%w_-]") then
    return nil, "HONEYBADGER_API_KEY holds characters that no key has: copy it again from the project's settings"
  end
  local endpoint = settings.endpoint or ENDPOINT
  if not endpoint:find("^https?://[^/%s]+/*$") then
    return nil, "honeybadger: endpoint is not an address: write " .. ENDPOINT
  end
  return {
    url = endpoint:gsub("/+$", "") .. "/v1/notices",
    key = key,
    environment = settings.environment or text.setting(env "HONEYBADGER_ENV"),
    timeout = settings.timeout or TIMEOUT,
    ca_file = settings.ca_file,
    secrets = { key },
  }
end

local function fault(event)
  return {
    token = event.id:gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)", "%1-%2-%3-%4-"),
    class = "KubeScheduler::" .. event.class,
    message = event.text,
    fingerprint = crypto.sha1(event.key),
    tags = { (event.kind:gsub("[%s,]", "_")), event.severity },
    -- the place where the job is defined stands in for the code that failed: their grouping wants one
    backtrace = { { file = event.file or "schedule.yml", number = tostring(event.line or 1),
                    method = event.job or event.kind } },
  }
end

local function request(event)
  local context = { log_tail = event.log_tail }
  for name, value in pairs(event.facts) do context[name] = value end
  return { component = event.job or "kube-scheduler", action = event.kind, context = context }
end

local function server(event, config)
  return {
    environment_name = config.environment or event.environment or event.namespace or "default",
    hostname = event.host,
    pid = sys.pid(),
    revision = event.version,
    time = clock.format(event.time),
  }
end

function honeybadger.build(event, config)
  if event.kind == "recovered" then return nil end -- a notice opens a fault; none closes it
  return post.json(config, {
    notifier = { name = "kube-scheduler", version = event.version, language = "lua" },
    error = fault(event),
    request = request(event),
    server = server(event, config),
  }, {
    ["X-API-Key"] = config.key,
    ["Accept"] = "application/json",
    ["User-Agent"] = ("kube-scheduler %s; %s; linux"):format(event.version, _VERSION),
  })
end

-- 429 and 503: too fast. 402 and 403: unpaid, or a bad key. 413 and 422: this notice will never do.
honeybadger.judge = answer.judge

return honeybadger
