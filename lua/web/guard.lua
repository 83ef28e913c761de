-- Who may ask. Browsers are the danger on a loopback address: any page can make one send requests there, so the
-- Host must be ours (DNS rebinding) and what changes something must not come from another site (forgery).
local clock = require "clock"
local crypto = require "crypto"
local log = require "log"
local reply = require "web.reply"
local sys = require "sys"

local Guard = {}
Guard.__index = Guard

local FRESH = 10 -- seconds until the token file is read again: mounted secrets change

local safe = {GET = true, HEAD = true}

local function read_token(path)
  local text, message, code = sys.read(path)
  if not text then return nil, message, code end
  local token = text:match "^%s*(%S+)%s*$"
  if not token or #token < 16 then
    return nil, ("%s: one token of at least 16 characters without spaces expected"):format(path)
  end
  return token
end

-- options: {loopback=, address=, token_file=}. nil and what to do when anybody could give commands. The token file may
-- come later, as a Secret does in a cluster: until then nobody is let in.
function Guard.new(options)
  local self = setmetatable({loopback = options.loopback, path = options.token_file}, Guard)
  self.hosts = {localhost = true, ["127.0.0.1"] = true, ["[::1]"] = true, [options.address] = true}
  if not self.path then
    if self.loopback then return self end
    return nil, ("--listen %s is open to others: give --token-file FILE too, or listen on 127.0.0.1"):format(
      options.address)
  end
  local token, message, code = read_token(self.path)
  if code == "notfound" then
    log.warning("only probes are answered until the token file is there", {file = self.path})
  elseif not token then
    return nil, "--token-file: " .. message
  end
  self.token, self.read_at = token, clock.monotonic()
  return self
end

-- A file that cannot be read now leaves the token as it was.
function Guard:current()
  if clock.monotonic() - self.read_at > FRESH then
    self.token, self.read_at = read_token(self.path) or self.token, clock.monotonic()
  end
  return self.token
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

-- By digests, whose comparison tells nothing by how long it takes.
function Guard:token_refused(request)
  if not self.path then return nil end
  local given = (request.headers.authorization or ""):match "^[Bb]earer%s+(%S+)$"
  local token = self:current()
  if given and token and crypto.sha256(given) == crypto.sha256(token) then return nil end
  return reply.error(401, "a token is needed: Authorization: Bearer …", nil,
    {["WWW-Authenticate"] = 'Bearer realm="kube-scheduler"'})
end

-- An answer, when the request is refused. open: no token is needed.
function Guard:refused(request, open)
  return self:host_refused(request) or forged(request) or not open and self:token_refused(request) or nil
end

-- Who gives a command, for the log and the history.
function Guard:who(request)
  return ("%s by HTTP from %s"):format(self.path and "the token" or "someone", request.peer)
end

return Guard
