-- Prometheus' Alertmanager, API v2: https://prometheus.io/docs/alerting/latest/alerts_api/. The labels are the
-- identity, so nothing of one run is among them. Alertmanager keeps nothing over a restart and ends what it is not
-- told again, so what lasts is told every two minutes, to each of a cluster's members.
local answer = require "alert.sender.answer"
local clock = require "clock"
local post = require "alert.sender.post"

local alertmanager = {fields = {urls = {"strings", required = true}}, refresh = 120}

local TIMEOUT = 10
local LASTS = 600 -- seconds that an alert outlives the last word of it
local NAMES = {failing = "KubeSchedulerJobFailing", ["not run"] = "KubeSchedulerJobNotRun",
  overdue = "KubeSchedulerJobOverdue", held = "KubeSchedulerSlotsHeld"}

function alertmanager.configure(_, settings)
  local urls = {}
  for i, given in ipairs(settings.urls or {}) do
    local url, err = post.address("alertmanager: urls", given)
    if not url then return nil, err end
    urls[i] = url .. "/api/v2/alerts"
  end
  if #urls == 0 then return nil, "alertmanager: urls: at least one expected" end
  return {urls = urls, timeout = settings.timeout or TIMEOUT, ca_file = settings.ca_file}
end

local function labels(event)
  return {
    alertname = NAMES[event.incident] or event.incident and "KubeSchedulerManyJobs" or "KubeScheduler" .. event.class,
    severity = event.incident == "not run" and "warning" or event.incident and "error" or event.severity,
    job_name = event.job, namespace = event.namespace, scheduler = event.instance, environment = event.environment,
  }
end

function alertmanager.build(event, config, now)
  local over = event.kind == "recovered"
  local annotations = {summary = event.title, description = event.text}
  for _, name in ipairs {"run", "slot", "reason", "exit_code"} do
    annotations[name] = event[name] and tostring(event[name])
  end
  local request = post.json(config, {{
    labels = labels(event), annotations = annotations,
    startsAt = clock.format(event.since or event.time), endsAt = clock.format(over and now or now + LASTS),
  }}, nil, config.urls[1])
  request.urls = config.urls
  return request
end

-- 400: what was good among several is stored; ours is one.
alertmanager.judge = answer.judge

return alertmanager
