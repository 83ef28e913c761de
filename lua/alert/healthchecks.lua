-- healthchecks.io or one's own: https://healthchecks.io/docs/http_api/. Each run's start and end is told; what is late
-- or failed is decided there. A check is found by its slug, which is the job's name, and made when it is not there.
local answer = require "alert.sender.answer"
local post = require "alert.sender.post"
local run_ids = require "alert.sender.run_ids"
local text = require "alert.sender.text"

local healthchecks = {fields = {ping_key = {"secret", required = true}, endpoint = {"string"}}, check_ins = true}

local ENDPOINT = "https://hc-ping.com"
local TIMEOUT = 10
local LOG_MAX = 10000 -- bytes; what one's own keeps, of the head, so the tail is sent

function healthchecks.configure(_, settings)
  local url, err = post.address("healthchecks: endpoint", settings.endpoint or ENDPOINT)
  if not url then return nil, err end
  if settings.ping_key:find "[^%w_-]" then return nil, "healthchecks: ping_key holds characters that no key has" end
  return {url = url .. "/" .. settings.ping_key, timeout = settings.timeout or TIMEOUT, ca_file = settings.ca_file}
end

local SIGNAL = {started = "/start", succeeded = "", recovered = ""}

function healthchecks.build(event, config)
  local signal = SIGNAL[event.kind] or "/fail"
  return {
    method = "POST", timeout = config.timeout, ca_file = config.ca_file,
    url = ("%s/%s%s?create=1&rid=%s"):format(config.url, run_ids.slug(event.job, 100), signal,
      run_ids.uuid(event)),
    headers = {["Content-Type"] = "text/plain; charset=utf-8"},
    body = text.last(event.log_tail and event.text .. "\n" .. event.log_tail or event.text, LOG_MAX),
  }
end

-- 404 and 409: this job's check; the others may be well.
function healthchecks.judge(response)
  if response and response.status == 404 then return "final" end
  return answer.judge(response)
end

return healthchecks
