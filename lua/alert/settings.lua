-- What `settings.alerts` and a job's `alerts` may say, for the check of a schedule; and how secrets are read.
-- Each bundled route lists its own fields in its file, as lua/schema.lua has them; a `secret` is {env: NAME} or
-- {file: PATH} and is read when the daemon starts.
local json = require "json"
local own = require "alert.own"
local schema = require "schema"
local sys = require "sys"
local text = require "text"
local yaml = require "yaml"

local settings = {}

settings.BUNDLED = {"log", "honeybadger", "sentry", "slack", "pagerduty", "opsgenie", "alertmanager", "webhook",
  "email", "healthchecks", "sentry_checkins", "dead_man"}

function settings.is_bundled(name)
  for _, each in ipairs(settings.BUNDLED) do
    if each == name then return true end
  end
  return false
end

-- Every route may have these.
local COMMON = {timeout = {"duration"}, ca_file = {"string"}}

local OWN_FOLDER = "alerts" -- of the hooks' folder

local PART_MIN = 8 -- bytes

local ESCALATE = {after = {"duration", required = true}, to = {"strings", required = true}}

local general = {
  log_lines = {"count"},
  group_by = {"choice", values = {"job", "all"}}, summary_over = {"count", min = 1},
  group_wait = {"duration"}, group_interval = {"duration"}, ["repeat"] = {"duration"},
  alert_after = {"count", min = 1}, recover_after = {"count", min = 1},
  escalate = {"object", fields = ESCALATE}, fallback = {"string"},
}
settings.general = general

-- The keys of a job that are about alerts.
settings.job_fields = {
  alert_after = {"count", min = 1}, recover_after = {"count", min = 1}, alerts = {"any"},
  success_within = {"duration"}, overdue = {"boolean"},
}

local function fields_of(name)
  local fields = {}
  for key, field in pairs(COMMON) do fields[key] = field end
  for key, field in pairs(require("alert." .. name).fields or {}) do fields[key] = field end
  return fields
end

-- The bundled routes' settings and the general ones, as fields of a schema.
local known
local function known_fields()
  if known then return known end
  known = {}
  for name, field in pairs(general) do known[name] = field end
  for _, name in ipairs(settings.BUNDLED) do known[name] = {"object", fields = fields_of(name)} end
  return known
end

-- Where one's own route of that name would stand.
function settings.own_path(hooks, name) return ("%s/%s/%s.lua"):format(hooks, OWN_FOLDER, name) end

-- A route that is to hear of incidents.
local function check_receiver(name, alerts, place, problems)
  settings.check_name(name, alerts, place, problems)
  local route = settings.is_bundled(name) and require("alert." .. name)
  if route and (route.each or route.check_ins or route.alive) then
    problems:error(place, "the route '%s' takes no incidents: name another", name)
  end
end

-- A mapping as the schedule has it -> a plain table of what is good. hooks: the folder of hooks.
function settings.check(raw, place, hooks, problems)
  if type(raw) ~= "table" or json.is_array(raw) then
    problems:error(place, "'settings.alerts': a mapping expected")
    return {}
  end
  local fields, of_operator = {}, {}
  for name, field in pairs(known_fields()) do fields[name] = field end
  for _, name in ipairs(yaml.keys(raw)) do
    if not fields[name] and name:find "^[%w_]+$" and own.exists(settings.own_path(hooks, name)) then
      fields[name], of_operator[name] = {"any"}, true
    end
  end
  local out = schema.check(raw, fields, place.file, problems, "settings.alerts.")
  for name in pairs(of_operator) do out[name] = out[name] ~= nil and type(out[name]) == "table" and out[name] or {} end
  for _, name in ipairs(out.escalate and out.escalate.to or {}) do
    check_receiver(name, out, schema.place(place.file, raw, "escalate"), problems)
  end
  if out.fallback then check_receiver(out.fallback, out, schema.place(place.file, raw, "fallback"), problems) end
  return out
end

-- A route that a job or an escalation names.
function settings.check_name(name, alerts, place, problems)
  local names = {}
  for _, each in ipairs(settings.BUNDLED) do names[each] = true end
  for each in pairs(alerts) do
    if not general[each] then names[each] = true end
  end
  if not names[name] then
    problems:error(place, "there is no alert route '%s'%s: write it under settings, alerts", name,
      text.did_you_mean(name, text.keys(names)))
  end
end

-- A job's `alerts`: a list of routes, or none. -> the list, "none", or nil with the mistake among the problems.
function settings.check_job(value, alerts, place, problems)
  if value == "none" then return "none" end
  local out = {}
  for i, name in ipairs(json.is_array(value) and value or {}) do
    out[i] = tostring(name)
    settings.check_name(out[i], alerts, place, problems)
  end
  if #out == 0 then problems:error(place, "'alerts': a list of routes, or none, expected") end
  return out
end

-- Secrets

-- The text of a secret, {env=} or {file=}, or nil and what is wrong, without it.
function settings.secret(value, env)
  if type(value) == "string" then return value end
  local found, message
  if value.env then
    found, message = env(value.env), ("the environment variable %s is not set"):format(value.env)
  else
    local why
    found, why = sys.read(value.file)
    message = ("the file %s cannot be read: %s"):format(value.file, why)
    if found then message = ("the file %s is empty"):format(value.file) end
  end
  found = (found or ""):match "^%s*(.-)%s*$"
  if found == "" then return nil, message end
  return found
end

-- What no line may show of a secret: the whole, and of an address each part that is long enough to be one by itself,
-- for a service may repeat it.
local function parts(secret)
  local out = {secret}
  for part in (secret:match "^https?://[^/]+(.*)$" or ""):gmatch "[^/?&=#]+" do
    if #part >= PART_MIN then out[#out + 1] = part end
  end
  return out
end

-- A route's settings with its secrets read, and the list of them; or nil and what is wrong.
function settings.resolve(name, fields, given, env)
  local out, secrets = {}, {}
  for key, value in pairs(given) do
    local field = fields and fields[key]
    out[key] = value
    if field and field[1] == "secret" then
      local message
      out[key], message = settings.secret(value, env)
      if not out[key] then return nil, ("alerts: %s.%s: %s"):format(name, key, message) end
      for _, part in ipairs(parts(out[key])) do secrets[#secrets + 1] = part end
    end
  end
  return out, secrets
end

return settings
