-- How commands reach a daemon over HTTP: POST /v1/commands takes what the other ways take, and answers the same.
--   over.ask{server=, token_file= or nil, request=, seconds=} -> answer; or nil, message, code
--   over.get(options, path) -> the body, its headers; or nil and why     options: {server=, token_file=, seconds=}
local http = require "http"
local json = require "json"
local sys = require "sys"

local over = {}

local function headers_of(options)
  local headers = {["Content-Type"] = "application/json"}
  if not options.token_file then return headers end
  local token, message = sys.read(options.token_file)
  if not token then return nil, message end
  headers.Authorization = "Bearer " .. token:match "^%s*(.-)%s*$"
  return headers
end

local function url_of(options, path) return options.server:gsub("/+$", "") .. path end

-- What the API says of its refusal, with what to do where that is known.
local function refusal(reply)
  local told = json.parse(reply.body)
  local message = type(told) == "table" and told.message or ("it answers with status %d"):format(reply.status)
  if reply.status == 401 then message = message .. ": give --token-file" end
  return message
end

local function exchange(options, method, path, body)
  local headers, message = headers_of(options)
  if not headers then return nil, message end
  local reply
  reply, message = http.request {method = method, url = url_of(options, path), headers = headers, body = body,
    timeout = options.seconds, max_body = 64 << 20}
  if not reply then return nil, ("%s: %s"):format(options.server, message) end
  if reply.status ~= 200 then return nil, ("%s: %s"):format(options.server, refusal(reply)) end
  return reply.body
end

function over.get(options, path) return exchange(options, "GET", path) end

function over.ask(options)
  local body, message = exchange(options, "POST", "/v1/commands", json.encode(options.request))
  if not body then return nil, message, "failed" end
  local answer = json.parse(body)
  if type(answer) ~= "table" then return nil, "the daemon's answer is unreadable: look at its log", "failed" end
  return answer
end

return over
