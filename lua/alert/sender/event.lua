-- Makes a complete event out of what the daemon or a hook tells: every text is clean and bounded, so that no
-- route has to care. lua/ALERTS.md lists the fields.
local clock = require "clock"
local crypto = require "crypto"
local text = require "alert.sender.text"

local event = {}

-- Bytes. All together stay below the 262,144 that Honeybadger takes, whatever the bytes are; the tail also
-- below its 65,536 for one string.
local NAME_MAX, MESSAGE_MAX, TAIL_MAX = 512, 8192, 60000
local CONTEXT = { entries = 30, name = 64, value = 512 }
local TAIL_LINES = 50

-- kind = { severity, what happened to the job, class }
local KINDS = {
  failed = { "error", "failed", "JobFailed" },
  start_failed = { "error", "could not start", "JobStartFailed" },
  timeout = { "error", "ran too long", "JobTimeout" },
  evicted = { "error", "was evicted", "JobEvicted" },
  lost = { "error", "was lost with its node", "JobLost" },
  missed = { "error", "missed its slot", "JobMissed" },
  skipped = { "warning", "was skipped", "JobSkipped" },
  recovered = { "info", "recovered", "JobRecovered" },
  hook = { "warning", "has an alert from a hook", "HookAlert" },
  hook_error = { "warning", "has a hook that failed", "HookError" },
  config_error = { "error", "has a configuration that cannot be used", "ConfigError" },
  overdue = { "error", "is overdue", "JobOverdue" },
  deleted = { "error", "was deleted while it ran", "JobDeleted" },
  unknown = { "error", "ended nobody knows how", "JobUnknown" },
  held = { "error", "decides no slots", "SlotsHeld" },
  many = { "error", "has many jobs in trouble", "ManyJobs" },
  started = { "info", "started", "JobStarted" },
  succeeded = { "info", "succeeded", "JobSucceeded" },
  alive = { "info", "is alive", "SchedulerAlive" },
  namespace_refused = { "error", "may not look into a namespace and starts nothing there", "NamespaceRefused" },
  clock_skew = { "error", "has a clock that differs from the API server's", "ClockSkew" },
}
local SEVERITIES = { fatal = true, error = true, warning = true, info = true }

-- Also for kinds that a hook or a newer caller invents.
local function kind_of(kind)
  local known = KINDS[kind]
  if known then return table.unpack(known) end
  local words = kind:gsub("_", " ")
  return "warning", "reports " .. words, (words:gsub("%w+", function(w)
    return w:sub(1, 1):upper() .. w:sub(2)
  end):gsub("%W", ""))
end

local function details(e)
  local parts = {}
  if e.exit_code then parts[#parts + 1] = "exit code " .. e.exit_code end
  if e.reason then parts[#parts + 1] = e.reason end
  return #parts > 0 and table.concat(parts, ", ") or nil
end

local function digest(...)
  local parts = table.pack(...)
  for i = 1, parts.n do parts[i] = tostring(parts[i] or "") end
  return crypto.sha256(table.concat(parts, "\0"))
end

-- What the operator wants to see beside the message, under names that every route uses.
local function facts_of(e, extra)
  local facts = {
    instance = e.instance, namespace = e.namespace, job = e.job, kind = e.kind, run = e.run, slot = e.slot,
    attempt = e.attempt, trigger = e.trigger, outcome = e.outcome, exit_code = e.exit_code, reason = e.reason,
  }
  local count = 0
  for name, value in pairs(type(extra) == "table" and extra or {}) do
    count = count + 1
    name = text.clean(name, CONTEXT.name)
    if count <= CONTEXT.entries and facts[name] == nil then facts[name] = text.clean(value, CONTEXT.value) end
  end
  return facts
end

local NAMES = { "kind", "job", "namespace", "run", "slot", "trigger", "outcome", "file", "group", "title", "incident",
                "instance", "environment", "host", "version" }
local NUMBERS = { "slot_time", "attempt", "exit_code", "line", "since", "started", "finished" }

local function copy(given, about)
  local e = {}
  for _, name in ipairs(NAMES) do
    local value = given[name]
    if value == nil then value = about[name] end
    if value ~= nil then e[name] = text.clean(value, NAME_MAX) end
  end
  for _, name in ipairs(NUMBERS) do e[name] = math.tointeger(given[name]) end
  for _, name in ipairs { "reason", "message" } do
    if given[name] ~= nil then e[name] = text.clean(given[name], MESSAGE_MAX) end
  end
  return e
end

-- The same alert told again (after a restart, by the next leader) has the same id, so that a service which
-- knows ids takes it once. What belongs to no run is a new alert each time.
local function identity(e)
  if not (e.run or e.slot_time) then return (crypto.uuid():gsub("-", "")) end
  return digest(e.environment, e.instance, e.namespace, e.job, e.run, e.slot_time, e.attempt, e.kind,
    e.text):sub(1, 32)
end

-- about: { instance, environment, host, version, log_lines }. now: unix seconds.
function event.complete(given, about, now)
  local e = copy(given, about)
  e.kind = e.kind or "hook"
  local severity, phrase, class = kind_of(e.kind)
  e.severity = SEVERITIES[given.severity] and given.severity or severity
  e.class = class
  e.time = math.tointeger(given.time) or now
  e.slot = e.slot or e.slot_time and clock.format(e.slot_time)
  e.title = e.title or (e.job or "kube-scheduler") .. " " .. phrase
  local message = e.message or details(e)
  e.text = message and e.title .. ": " .. message or e.title
  if given.instead_of then e.text = ("%s (the route %s did not take this)"):format(e.text, given.instead_of) end
  -- What makes two alerts the same incident: never the run, the time or the exit code.
  e.key = digest(e.environment, e.instance, e.namespace, e.job, e.incident or e.kind,
    e.group or e.kind == "hook" and e.title)
  e.id = identity(e)
  e.monitor = given.monitor -- what a check-in says of the job, see incident/rules.lua
  e.facts = facts_of(e, given.context)
  e.log_tail = event.tail(given.log_tail, about.log_lines or TAIL_LINES)
  return e
end

-- nil when there is nothing to show.
function event.tail(lines, count)
  if type(lines) ~= "table" or #lines == 0 or count <= 0 then return nil end
  return text.tail(table.move(lines, math.max(1, #lines - count + 1), #lines, 1, {}), TAIL_MAX)
end

return event
