-- Sentry error events in envelopes: https://develop.sentry.dev/sdk/. On when SENTRY_DSN is set.
local answer = require "alert.sender.answer"
local clock = require "clock"
local cjson = require "cjson"
local text = require "alert.sender.text"

local sentry = {}

-- on without settings too, by the environment
sentry.by_environment = true
sentry.fields = { dsn = { "secret" }, environment = { "string" } }

local TIMEOUT = 30 -- their Python client's
local LIMIT_UNSAID = 60 -- a 429 that names no time
local CATEGORIES = { error = true, default = true } -- what Sentry calls what we send
local TAG_MAX, ENVIRONMENT_MAX = 190, 64

-- { origin, path, project, public, secret } of PROTO://PUBLIC[:SECRET]@HOST[:PORT][/PATH]/PROJECT, or nil
local function parse(dsn)
  local proto, user, host, rest = dsn:match("^(https?)://([^@/%s]+)@([^@/%s]+)(/[^%s?#]*)$")
  if not proto then return nil end
  local public, secret = user:match("^(%w+):?(%w*)$")
  local path, project = rest:match("^(.-)/([%w_-]+)/?$")
  if not public or not project then return nil end
  return { origin = proto .. "://" .. host, path = path, project = project, public = public,
           secret = secret ~= "" and secret or nil }
end

-- Sentry refuses environments with slashes, spaces or more than 64 characters.
function sentry.environment_name(name)
  return name and (name:gsub("[/%s]", "-"):sub(1, ENVIRONMENT_MAX))
end

-- config | nil: off | nil, error. The error does not repeat the DSN: it holds keys.
function sentry.configure(env, settings)
  local given = settings.dsn or text.setting(env "SENTRY_DSN")
  if not given then return nil end
  local dsn = parse(given)
  if not dsn then
    return nil, "SENTRY_DSN is malformed: write https://PUBLIC_KEY@HOST/PROJECT_ID as the project's settings show it"
  end
  return {
    url = ("%s%s/api/%s/envelope/"):format(dsn.origin, dsn.path, dsn.project),
    public = dsn.public,
    secret = dsn.secret,
    environment = settings.environment or text.setting(env "SENTRY_ENVIRONMENT"),
    release = text.setting(env "SENTRY_RELEASE"),
    timeout = settings.timeout or TIMEOUT,
    ca_file = settings.ca_file,
    secrets = { given, dsn.public, dsn.secret },
  }
end

local function tags(event)
  local out = {}
  for _, name in ipairs { "instance", "namespace", "job", "kind", "trigger", "outcome" } do
    if event[name] then out[name] = text.cut(event[name]:gsub("\n", " "), TAG_MAX) end
  end
  return out
end

local function exception(event)
  return { values = { {
    type = event.class,
    value = event.text,
    stacktrace = { frames = { { filename = event.file or "schedule.yml", lineno = event.line or 1,
                                ["function"] = event.job or event.kind, in_app = true } } },
  } } }
end

local function payload(event, config)
  return {
    event_id = event.id,
    timestamp = clock.format(event.time),
    platform = "other",
    level = event.severity,
    logger = "kube-scheduler",
    transaction = event.job and text.cut(event.job, TAG_MAX),
    server_name = event.host,
    release = config.release or "kube-scheduler@" .. event.version,
    environment = sentry.environment_name(config.environment or event.environment or event.namespace),
    fingerprint = { event.key },
    tags = tags(event),
    contexts = { run = event.facts },
    extra = { log_tail = event.log_tail },
    exception = exception(event),
  }
end

local function envelope(event, config, now)
  local item = cjson.encode(payload(event, config))
  local sdk = { name = "kube-scheduler", version = event.version }
  return table.concat({
    cjson.encode { event_id = event.id, sent_at = clock.format(now), sdk = sdk },
    cjson.encode { type = "event", length = #item },
    item,
    "",
  }, "\n")
end

local function authentication(event, config)
  local header = ("Sentry sentry_version=7, sentry_client=kube-scheduler/%s, sentry_key=%s"):format(
    event.version, config.public)
  return config.secret and header .. ", sentry_secret=" .. config.secret or header
end

-- An envelope's way to the DSN of the config.
function sentry.request(event, config, body)
  return {
    method = "POST",
    url = config.url,
    timeout = config.timeout,
    ca_file = config.ca_file,
    headers = {
      ["X-Sentry-Auth"] = authentication(event, config),
      ["Content-Type"] = "application/x-sentry-envelope",
      ["User-Agent"] = "kube-scheduler/" .. event.version,
    },
    body = body,
  }
end

function sentry.build(event, config, now)
  if event.kind == "recovered" then return nil end -- it would open an issue of its own
  return sentry.request(event, config, envelope(event, config, now))
end

local function concerns_us(categories, ours)
  if categories == "" then return true end -- all
  for category in categories:gmatch("[^;]+") do
    if ours[category] then return true end
  end
  return false
end

-- Seconds of `X-Sentry-Rate-Limits: seconds:categories:scope:reason:namespaces, …` that hold for us, or nil.
local function rate_limit(headers, ours)
  local longest
  for limit in (headers["x-sentry-rate-limits"] or ""):gmatch("[^,]+") do
    local seconds, categories = limit:match("^%s*([%d.]+):([^:]*)")
    seconds = tonumber(seconds)
    if seconds and concerns_us((categories:gsub("%s", "")), ours) then
      longest = math.max(longest or 0, seconds)
    end
  end
  return longest
end

-- Sentry asks not to send again what it answered, so only an alert without an answer is retried. categories: of
-- limits that concern what was sent; nil: an event.
function sentry.judge(response, _, categories)
  if not response then return "retry" end
  local limit = rate_limit(response.headers, categories or CATEGORIES)
  local status = response.status
  if status >= 200 and status < 300 then return "ok", limit end
  if status == 401 or status == 403 or status == 404 then return "suspend", answer.SUSPENSION end
  if status == 429 then limit = limit or answer.retry_after(response) or LIMIT_UNSAID end
  return "final", limit
end

return sentry
