-- Who may ask at all. Browsers are the danger on a loopback address: any page can make one send requests there, so the
-- Host must be ours (DNS rebinding) and what changes something must not come from another site (forgery). Who somebody
-- is, and what they may do, is lua/web/auth/.
local Kubernetes = require "web.auth.kubernetes"
local log = require "log"
local none = require "web.auth.none"
local reply = require "web.reply"
local Token = require "web.auth.token"

local Guard = {}
Guard.__index = Guard

local safe = {GET = true, HEAD = true}

local makers = {}

function makers.none(options)
  if options.loopback then return none end
  log.warning("anybody who reaches this address may give commands: --auth none", {address = options.address})
  return none
end

function makers.token(options)
  if not options.token_file then return nil, "--auth token: --token-file FILE is missing" end
  return Token.new(options.token_file)
end

function makers.kubernetes(options)
  if not options.client then return nil, "--auth kubernetes: there is no cluster to ask" end
  return Kubernetes.new {client = options.client, audience = options.audience}
end

-- options: {loopback=, address=, auth= "none", "token", "kubernetes" or nil, token_file=, client=, audience=}. Without
-- auth: the token, where there is a file; nobody is asked on a loopback address. nil and what to do when anybody could
-- give commands.
function Guard.new(options)
  local self = setmetatable({loopback = options.loopback}, Guard)
  self.hosts = {localhost = true, ["127.0.0.1"] = true, ["[::1]"] = true, [options.address] = true}
  local kind = options.auth or options.token_file and "token" or options.loopback and "none"
  if not kind then
    return nil, ("--listen %s is open to others: give --token-file FILE too, or listen on 127.0.0.1"):format(
      options.address)
  end
  local problem
  self.auth, problem = makers[kind](options)
  if not self.auth then return nil, problem end
  return self
end

function Guard:host_refused(request)
  local host = (request.headers.host or ""):lower():gsub(":%d+$", "")
  if not self.loopback or self.hosts[host] then return nil end
  return reply.error(403, ("the Host '%s' is not served here: use localhost"):format(host))
end

-- As Go 1.25's CrossOriginProtection: a program sends neither header.
local function forged(request)
  if safe[request.method] then return nil end
  local site, origin = request.headers["sec-fetch-site"], request.headers.origin
  if site == "same-origin" or site == "none" then return nil end
  if not site and (not origin or origin:match "^%w+://(.+)$" == request.headers.host) then return nil end
  return reply.error(403, "a page of another site may not ask for this")
end

-- An answer, when the request is refused, else who asks: request.who, and request.by for the log and the history.
-- open: nobody has to say who they are. May wait.
function Guard:refused(request, open)
  local refusal = self:host_refused(request) or forged(request)
  if refusal or open then return refusal end
  request.who, refusal = self.auth:identify(request)
  if not request.who then return refusal end
  request.by = ("%s by HTTP from %s"):format(request.who.name, request.peer)
end

return Guard
