-- A web service of one's own, signed as Standard Webhooks says: https://www.standardwebhooks.com. The id is the same
-- in each try, so that the receiver can take an event once; the time and with it the signature are new.
local answer = require "alert.sender.answer"
local clock = require "clock"
local crypto = require "crypto"
local post = require "alert.sender.post"
local text = require "alert.sender.text"

local webhook = {fields = {url = {"secret", required = true}, secret = {"secret"}, previous_secret = {"secret"}}}

local TIMEOUT = 20
local LOG_MAX = 8000 -- bytes; a body should stay under 20 kB

-- The bytes of whsec_BASE64, or nil and what is wrong.
local function key_of(secret)
  local bytes = crypto.base64_decode(secret:match "^whsec_(.+)$" or "")
  if bytes and #bytes >= 24 and #bytes <= 64 then return bytes end
  return nil, "webhook: secret is not whsec_ and the base64 of 24 to 64 bytes"
end

function webhook.configure(_, settings)
  local url, err = post.address("webhook: url", settings.url)
  if not url then return nil, err end
  local keys = {}
  for _, name in ipairs {"secret", "previous_secret"} do
    if settings[name] then
      keys[#keys + 1], err = key_of(settings[name])
      if err then return nil, err end
    end
  end
  return {url = url, keys = keys, timeout = settings.timeout or TIMEOUT, ca_file = settings.ca_file}
end

-- "v1,BASE64 …": one for each key, so that a receiver may have the old or the new one.
local function signatures(keys, id, time, body)
  local out = {}
  for i, key in ipairs(keys) do
    out[i] = "v1," .. crypto.base64(crypto.hmac_sha256(key, ("%s.%d.%s"):format(id, time, body)))
  end
  return table.concat(out, " ")
end

local function data(event)
  local out = {key = event.key, title = event.title, text = event.text, severity = event.severity,
    log_tail = event.log_tail and text.last(event.log_tail, LOG_MAX), environment = event.environment}
  for name, value in pairs(event.facts) do out[name] = value end
  return out
end

function webhook.build(event, config)
  local request = post.json(config, {
    type = "job." .. event.kind, timestamp = clock.format(event.time), data = data(event),
  }, {["webhook-id"] = "msg_" .. event.id})
  function request.before(now)
    request.headers["webhook-timestamp"] = tostring(now)
    if #config.keys == 0 then return end
    request.headers["webhook-signature"] = signatures(config.keys, "msg_" .. event.id, now, request.body)
  end
  return request
end

webhook.judge = answer.judge

return webhook
