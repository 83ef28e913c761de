-- Slack's incoming webhooks: https://api.slack.com/messaging/webhooks. The address is the secret. Nothing ends a
-- message, so the end of an incident is one more.
local answer = require "alert.sender.answer"
local post = require "alert.sender.post"
local text = require "alert.sender.text"

local slack = {fields = {url = {"secret", required = true}}}

local TIMEOUT = 10
local TEXT_MAX, LOG_MAX = 1500, 1000 -- bytes before escaping; a text under 3,000 characters is shown whole
local ICONS = {fatal = ":rotating_light:", error = ":x:", warning = ":warning:", info = ":white_check_mark:"}
local ESCAPES = {["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;"}

function slack.configure(_, settings)
  local url, err = post.address("slack: url", settings.url)
  if not url then return nil, err end
  return {url = url, timeout = settings.timeout or TIMEOUT, ca_file = settings.ca_file}
end

local function escape(s) return (s:gsub("[&<>]", ESCAPES)) end

function slack.build(event, config)
  local lines = {("%s %s"):format(ICONS[event.severity], escape(text.cut(event.text, TEXT_MAX)))}
  local where = {}
  for _, name in ipairs {"environment", "instance", "run", "slot"} do where[#where + 1] = event[name] end
  lines[2] = escape(table.concat(where, " · "))
  if event.log_tail and event.kind ~= "recovered" then
    lines[3] = ("```%s```"):format(escape(text.last(event.log_tail, LOG_MAX)))
  end
  return post.json(config, {text = table.concat(lines, "\n")})
end

-- 200 alone is not enough, the body says `ok`; 400, 404 and 410 mean that this webhook will never do.
function slack.judge(response)
  if response and response.status == 200 and response.body ~= "ok" then return "final" end
  return answer.judge(response)
end

return slack
