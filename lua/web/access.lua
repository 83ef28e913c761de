-- What whoever asks may do: put on each request, for handlers to use.
--   access.attach(request, auth)          auth: of lua/web/auth/…; request.who is set
--   request.refuse(verb, resource, namespace, name) -> an answer, when they may not
--   request.refuse_path(path) -> the same of what is no resource
--   request.scope(verb, resource) -> f(namespace) -> boolean: what a list shows
--   request.rights(job or nil) -> {"trigger", …}: the orders that they may give for it, or for all
local reply = require "web.reply"

local access = {}

-- Orders, by what RBAC calls them.
access.orders = {
  {"backfill", "create", "jobs/backfill"}, {"pause", "update", "jobs/suspend"}, {"resume", "update", "jobs/suspend"},
  {"silence", "update", "jobs/silence"}, {"suspend", "update", "jobs/suspend"}, {"trigger", "create", "jobs/trigger"},
}

local function refuse(request, auth, asked)
  local allowed, message = auth:allows(request.who, asked)
  if allowed then return nil end
  if message then return reply.error(503, message, {retryAfterSeconds = 5}) end
  if asked.path then return reply.error(403, ("%s may not get %s"):format(request.who.name, asked.path)) end
  local where = asked.namespace ~= "" and " in namespace " .. asked.namespace or " in all namespaces"
  return reply.error(403, ("%s may not %s %s%s%s"):format(request.who.name, asked.verb, asked.resource,
    asked.name and (" '%s'"):format(asked.name) or "", where))
end

local function scope(request, auth, verb, resource)
  if auth:allows(request.who, {verb = verb, resource = resource, namespace = ""}) then
    return function() return true end
  end
  local known = {}
  return function(namespace)
    if known[namespace] == nil then
      known[namespace] = auth:allows(request.who, {verb = verb, resource = resource, namespace = namespace}) or false
    end
    return known[namespace]
  end
end

local function rights(request, auth, job)
  local out = {}
  for _, order in ipairs(access.orders) do
    local of_job = job and order[1] ~= "pause"
    local asked = {verb = order[2], resource = order[3], namespace = of_job and job.namespace or "",
      name = of_job and job.name or nil}
    if auth:allows(request.who, asked) then out[#out + 1] = order[1] end
  end
  return out
end

function access.attach(request, auth)
  request.auth = auth.kind
  function request.refuse(verb, resource, namespace, name)
    return refuse(request, auth, {verb = verb, resource = resource, namespace = namespace or "", name = name})
  end
  function request.refuse_path(path) return refuse(request, auth, {verb = "get", path = path}) end
  function request.scope(verb, resource) return scope(request, auth, verb, resource) end
  function request.rights(job) return rights(request, auth, job) end
end

return access
