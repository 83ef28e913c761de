-- One token in a file, for all who know it; whoever has it may all.
--   token.new(path) -> auth; or nil and what is wrong. The file may come later, as a Secret does in a cluster: until
--   then nobody is let in.
local clock = require "clock"
local crypto = require "crypto"
local log = require "log"
local reply = require "web.reply"
local sys = require "sys"

local Token = {kind = "token"}
Token.__index = Token

local FRESH <const> = 10 -- seconds until the file is read again: mounted secrets change

local function read(path)
  local text, message, code = sys.read(path)
  if not text then return nil, message, code end
  local token = text:match "^%s*(%S+)%s*$"
  if not token or #token < 16 then
    return nil, ("%s: one token of at least 16 characters without spaces expected"):format(path)
  end
  return token
end

function Token.new(path)
  local token, message, code = read(path)
  if code == "notfound" then
    log.warning("only probes are answered until the token file is there", {file = path})
  elseif not token then
    return nil, "--token-file: " .. message
  end
  return setmetatable({path = path, token = token, read_at = clock.monotonic()}, Token)
end

-- A file that cannot be read now leaves the token as it was.
function Token:current()
  if clock.monotonic() - self.read_at > FRESH then
    self.token, self.read_at = read(self.path) or self.token, clock.monotonic()
  end
  return self.token
end

-- By digests, whose comparison tells nothing by how long it takes.
function Token:identify(request)
  local given, token = reply.bearer(request), self:current()
  if given and token and crypto.sha256(given) == crypto.sha256(token) then return {name = "the token"} end
  return nil, reply.unauthorized()
end

function Token.allows() return true end

return Token
