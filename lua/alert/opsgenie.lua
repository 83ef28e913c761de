-- Opsgenie's alerts: https://docs.opsgenie.com/docs/alert-api; and Jira Service Management's, which take the same at
-- another endpoint. The alias makes later ones part of the open alert, and lets the end close it.
local answer = require "alert.sender.answer"
local post = require "alert.sender.post"
local text = require "alert.sender.text"

local opsgenie = {fields = {api_key = {"secret", required = true}, endpoint = {"string"}}}

local ENDPOINT = "https://api.opsgenie.com/v2/alerts"
local TIMEOUT = 10
local MESSAGE_MAX, DESCRIPTION_MAX, TAG_MAX = 120, 14000, 45 -- bytes; 130, 15,000 and 50 characters are taken
local PRIORITY = {fatal = "P1", error = "P2", warning = "P3", info = "P5"}

function opsgenie.configure(_, settings)
  local url, err = post.address("opsgenie: endpoint", settings.endpoint or ENDPOINT)
  if not url then return nil, err end
  return {url = url, key = settings.api_key, timeout = settings.timeout or TIMEOUT, ca_file = settings.ca_file}
end

local function details(event)
  local out = {}
  for name, value in pairs(event.facts) do out[name] = tostring(value) end
  return out
end

function opsgenie.build(event, config)
  local headers = {["Authorization"] = "GenieKey " .. config.key}
  if event.kind == "recovered" then
    local url = ("%s/%s/close?identifierType=alias"):format(config.url, event.key)
    return post.json(config, {source = "kube-scheduler", note = text.cut(event.text, MESSAGE_MAX)}, headers, url)
  end
  local description = event.log_tail and event.text .. "\n\n" .. event.log_tail or event.text
  return post.json(config, {
    message = text.cut(event.title, MESSAGE_MAX),
    alias = event.key,
    description = text.last(description, DESCRIPTION_MAX),
    source = "kube-scheduler",
    entity = event.job,
    priority = PRIORITY[event.severity],
    tags = {text.cut(event.kind, TAG_MAX)},
    details = details(event),
  }, headers)
end

-- To close an alert that they never had is no mistake of ours.
function opsgenie.judge(response)
  local path = response and response.status == 404
  if path then return "final" end
  return answer.judge(response)
end

return opsgenie
