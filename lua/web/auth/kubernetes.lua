-- The cluster says who somebody is (TokenReview) and what they may do (SubjectAccessReview). Tokens must be made for
-- our own audience, so that one shown here cannot be used elsewhere, nor one for the API server here. Rights are those
-- of group kube-scheduler.io: it needs no resource definition, and rights on paths would be everybody's, since
-- Kubernetes lets every user read /api/*.
--   kubernetes.new{client=, audience=} -> auth
local Cache = require "web.auth.cache"
local clock = require "clock"
local crypto = require "crypto"
local json = require "json"
local log = require "log"
local reply = require "web.reply"

local Kubernetes = {kind = "kubernetes"}
Kubernetes.__index = Kubernetes

local GROUP <const> = "kube-scheduler.io"
-- Seconds that an answer holds: what kube-rbac-proxy has as defaults. A token that is refused is asked for again soon.
local KNOWN <const>, UNKNOWN <const>, ALLOWED <const>, DENIED <const> = 120, 10, 300, 30
local MOST <const> = 2000   -- answers of each kind that are kept
local TIMEOUT <const> = 10  -- seconds

function Kubernetes.new(options)
  return setmetatable({client = options.client, audience = options.audience, tokens = Cache.new(MOST),
    rights = Cache.new(MOST), complained = -math.huge}, Kubernetes)
end

-- A review's status; nil and why there is none.
function Kubernetes:review(kind, group, spec)
  local answer = self.client:request("POST", ("/apis/%s/v1/%ss"):format(group, kind:lower()), {timeout = TIMEOUT,
    body = json.encode {apiVersion = group .. "/v1", kind = kind, spec = spec}})
  local review = answer.status == 201 and json.parse(answer.body)
  if type(review) == "table" and type(review.status) == "table" then return review.status end
  if clock.monotonic() - self.complained > 60 then
    self.complained = clock.monotonic()
    log.warning("the API server does not say who may what", {kind = kind, error = answer.message})
  end
  return nil, ("%s: %s"):format(kind, answer.message)
end

local function contains(list, value)
  for _, each in ipairs(type(list) == "table" and list or {}) do
    if each == value then return true end
  end
  return false
end

-- A server that knows no audiences names none in its answer: then the token could be anybody's.
local function user_of(status, audience)
  local user = status.user
  if status.authenticated ~= true or type(user) ~= "table" or not contains(status.audiences, audience) then
    return false
  end
  return {name = user.username, uid = user.uid, groups = user.groups, extra = user.extra}
end

function Kubernetes:identify(request)
  local token = reply.bearer(request)
  if not token then return nil, reply.unauthorized() end
  local key = crypto.sha256(token)
  local who = self.tokens:get(key)
  if who == nil then
    local status, problem = self:review("TokenReview", "authentication.k8s.io",
      {token = token, audiences = json.array {self.audience}})
    if not status then return nil, reply.error(503, problem, {retryAfterSeconds = 5}) end
    who = user_of(status, self.audience)
    self.tokens:put(key, who, who and KNOWN or UNKNOWN)
  end
  if who then return who end
  return nil, reply.unauthorized(("a token for the audience %s"):format(self.audience))
end

local function key_of(who, asked)
  local groups = table.concat(who.groups or {}, "\1")
  return table.concat({who.name, who.uid or "", groups, asked.verb, asked.path or asked.resource, asked.namespace or "",
    asked.name or ""}, "\0")
end

local function attributes_of(asked)
  if asked.path then return nil, {verb = asked.verb, path = asked.path} end
  local resource, subresource = asked.resource:match "^([^/]+)/?(.*)$"
  return {group = GROUP, verb = asked.verb, resource = resource, subresource = subresource,
    namespace = asked.namespace, name = asked.name}
end

-- asked: {verb=, resource=, namespace= ("" for all), name=} or {verb=, path=}. true or false; nil and why when nobody
-- knows.
function Kubernetes:allows(who, asked)
  local key = key_of(who, asked)
  local allowed = self.rights:get(key)
  if allowed ~= nil then return allowed end
  local of_resource, of_path = attributes_of(asked)
  local status, problem = self:review("SubjectAccessReview", "authorization.k8s.io", {user = who.name, uid = who.uid,
    groups = who.groups, extra = who.extra, resourceAttributes = of_resource, nonResourceAttributes = of_path})
  if not status then return nil, problem end
  allowed = status.allowed == true
  self.rights:put(key, allowed, allowed and ALLOWED or DENIED)
  return allowed
end

return Kubernetes
