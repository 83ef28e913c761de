-- Answers as server.listen wants them. Errors have the form of Kubernetes' Status, so that its clients can read them.
local crypto = require "crypto"
local json = require "json"

local reply = {}

reply.GONE = {} -- raised by a stream whose client has gone: no mistake of anybody

function reply.text(status, text, headers)
  headers = headers or {}
  headers["Content-Type"] = headers["Content-Type"] or "text/plain; charset=utf-8"
  headers["Cache-Control"] = "no-store"
  return {status = status, headers = headers, body = text}
end

function reply.json(status, value, headers)
  headers = headers or {}
  headers["Content-Type"], headers["X-Content-Type-Options"] = "application/json", "nosniff"
  return {status = status, headers = headers, body = json.encode(value) .. "\n"}
end

local reasons = {
  [400] = "BadRequest", [401] = "Unauthorized", [403] = "Forbidden", [404] = "NotFound", [405] = "MethodNotAllowed",
  [415] = "UnsupportedMediaType", [422] = "Invalid", [500] = "InternalError", [503] = "ServiceUnavailable",
}

-- details: {name=, kind=, causes={{reason=, message=, field=}}, retryAfterSeconds=}
function reply.error(status, message, details, headers)
  headers = headers or {}
  if details and details.retryAfterSeconds then headers["Retry-After"] = tostring(details.retryAfterSeconds) end
  return reply.json(status, {kind = "Status", apiVersion = "v1", status = "Failure", code = status,
    reason = reasons[status] or "Unknown", message = message, details = details}, headers)
end

-- An answer to GET with its ETag; 304 when the client has the same.
function reply.tagged(request, response)
  if response.status ~= 200 or response.stream or response.headers["Cache-Control"] then return response end
  local tag = '"' .. crypto.sha256(response.body):sub(1, 32) .. '"'
  response.headers.ETag = tag
  response.headers["Cache-Control"] = "no-cache"
  if request.headers["if-none-match"] ~= tag then return response end
  return {status = 304, headers = response.headers}
end

return reply
