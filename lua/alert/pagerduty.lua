-- PagerDuty's Events API v2: https://developer.pagerduty.com/docs/events-api-v2/overview/. The dedup_key makes later
-- triggers part of the open incident, and lets the end resolve it.
local answer = require "alert.sender.answer"
local clock = require "clock"
local post = require "alert.sender.post"
local text = require "alert.sender.text"

local pagerduty = {fields = {routing_key = {"secret", required = true}, endpoint = {"string"}}}

local ENDPOINT = "https://events.pagerduty.com/v2/enqueue"
local TIMEOUT = 10
local SUMMARY_MAX = 1000 -- bytes; they take 1,024 characters
local SEVERITY = {fatal = "critical", error = "error", warning = "warning", info = "info"}

function pagerduty.configure(_, settings)
  local url, err = post.address("pagerduty: endpoint", settings.endpoint or ENDPOINT)
  if not url then return nil, err end
  return {url = url, key = settings.routing_key, timeout = settings.timeout or TIMEOUT, ca_file = settings.ca_file}
end

local function payload(event)
  local details = {log_tail = event.log_tail}
  for name, value in pairs(event.facts) do details[name] = value end
  return {
    summary = text.cut(event.text, SUMMARY_MAX),
    source = event.instance or event.host or "kube-scheduler",
    severity = SEVERITY[event.severity],
    timestamp = clock.format(event.time),
    component = event.job, group = event.namespace, class = event.class,
    custom_details = details,
  }
end

function pagerduty.build(event, config)
  local over = event.kind == "recovered"
  return post.json(config, {
    routing_key = config.key,
    event_action = over and "resolve" or "trigger",
    dedup_key = event.key,
    client = "kube-scheduler",
    payload = not over and payload(event) or nil,
  })
end

pagerduty.judge = answer.judge

return pagerduty
