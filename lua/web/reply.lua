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

-- {kind=, metadata=, items=, …more}: each row is made by show(value) and written by itself, for a whole page at once
-- would take too long. pause: of lua/steps.lua.
function reply.list(kind, metadata, values, show, pause, more)
  local head = {kind = kind, metadata = next(metadata) and metadata or nil}
  for name, value in pairs(more or {}) do head[name] = value end
  local rows = {}
  for i, value in ipairs(values) do
    rows[i] = json.encode(show(value))
    pause()
  end
  local response = reply.json(200, head)
  response.body = ("%s,\"items\":[%s]}\n"):format(response.body:match "^(.*)}\n$", table.concat(rows, ","))
  return response
end

local reasons = {
  [400] = "BadRequest", [401] = "Unauthorized", [403] = "Forbidden", [404] = "NotFound", [405] = "MethodNotAllowed",
  [409] = "Conflict", [412] = "PreconditionFailed",
  [415] = "UnsupportedMediaType", [422] = "Invalid", [429] = "TooManyRequests",
  [500] = "InternalError", [503] = "ServiceUnavailable",
}

-- details: {name=, kind=, causes={{reason=, message=, field=}}, retryAfterSeconds=}
function reply.error(status, message, details, headers)
  headers = headers or {}
  if details and details.retryAfterSeconds then headers["Retry-After"] = tostring(details.retryAfterSeconds) end
  return reply.json(status, {kind = "Status", apiVersion = "v1", status = "Failure", code = status,
    reason = reasons[status] or "Unknown", message = message, details = details}, headers)
end

-- The token that the request shows, or nil.
function reply.bearer(request) return (request.headers.authorization or ""):match "^[Bb]earer%s+(%S+)$" end

function reply.unauthorized(what)
  return reply.error(401, (what or "a token") .. " is needed: Authorization: Bearer …", nil,
    {["WWW-Authenticate"] = 'Bearer realm="kube-scheduler"'})
end

function reply.tag(body) return '"' .. crypto.sha256(body):sub(1, 32) .. '"' end

-- An answer to GET with its ETag; 304 when the client has the same.
function reply.tagged(request, response)
  if response.status ~= 200 or response.stream or response.headers["Cache-Control"] then return response end
  local tag = reply.tag(response.body)
  response.headers.ETag = tag
  response.headers["Cache-Control"] = "no-cache"
  if request.headers["if-none-match"] ~= tag then return response end
  return {status = 304, headers = response.headers}
end

return reply
