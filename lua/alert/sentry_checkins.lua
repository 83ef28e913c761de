-- Sentry's cron monitors: a check-in at each run's start and end, in an envelope to the same DSN as events. The monitor
-- is made, or its schedule kept, by what the first check-in of a run says.
-- https://develop.sentry.dev/sdk/telemetry/check-ins/
local cjson = require "cjson"
local clock = require "clock"
local run_ids = require "alert.sender.run_ids"
local sentry = require "alert.sentry"

local checkins = {fields = {dsn = {"secret"}, environment = {"string"}}, check_ins = true}

local CATEGORIES = {monitor = true} -- what Sentry calls what we send
local SLUG_MAX = 50
local MINUTES_MAX = 40320
local DAY = 1440 -- minutes: when the job has no timeout; Sentry's own default of 30 fails long jobs
local STATUS = {started = "in_progress", succeeded = "ok", recovered = "ok"}

function checkins.configure(env, settings)
  local config, err = sentry.configure(env, settings)
  if not config then return nil, err or "sentry_checkins: set SENTRY_DSN, or dsn" end
  return config
end

local function minutes(seconds, otherwise)
  if not seconds or seconds <= 0 then return otherwise end
  return math.min(MINUTES_MAX, math.max(1, math.ceil(seconds / 60)))
end

-- What Sentry's crontab understands: five fields without the extras of other dialects.
local function crontab(expression)
  local five = select(2, expression:gsub("%S+", "")) == 5 and not expression:find "[^%w%s*/,-]"
    and not expression:find "[LWH#?~]"
  return five and expression or nil
end

-- job: {schedule=, timezone=, timeout=, deadline=, jitter=}
local function monitor(job)
  local expression = crontab(job.schedule or "")
  if not expression then return nil end
  return {
    schedule = {type = "crontab", value = expression}, timezone = job.timezone,
    checkin_margin = minutes((job.deadline or 0) + (job.jitter or 0), 1), max_runtime = minutes(job.timeout, DAY),
  }
end

local function payload(event, config)
  local status = STATUS[event.kind] or "error"
  return {
    check_in_id = run_ids.hex(event), monitor_slug = run_ids.slug(event.job, SLUG_MAX), status = status,
    duration = status ~= "in_progress" and event.started and event.finished and
      math.max(0, event.finished - event.started) or nil,
    environment = sentry.environment_name(config.environment or event.environment),
    monitor_config = event.monitor and monitor(event.monitor) or nil,
  }
end

function checkins.build(event, config, now)
  local item = cjson.encode(payload(event, config))
  return sentry.request(event, config, table.concat({
    cjson.encode {event_id = event.id, sent_at = clock.format(now)},
    cjson.encode {type = "check_in", length = #item},
    item, "",
  }, "\n"))
end

function checkins.judge(response) return sentry.judge(response, nil, CATEGORIES) end

return checkins
