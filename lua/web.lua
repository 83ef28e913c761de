-- The daemon over HTTP: probes, metrics, the API (lua/HTTP.md). Each request goes through here: who may, which
-- handler, and what to say when that fails.
--   web.start(options, daemon) -> web; or nil and what is wrong
--     options: {listen=, auth=, token_file=, auth_audience=, metrics_jobs=}
--   daemon: {state=, lead=, …, stopping=}: the parts of scripts/daemon.lua
--   web:leave(), then web:close()
local access = require "web.access"
local address = require "web.address"
local api = require "api"
local Feed = require "web.feed"
local Guard = require "web.guard"
local log = require "log"
local Measured = require "metrics.daemon"
local page = require "web.page"
local probes = require "web.probes"
local reply = require "web.reply"
local Routes = require "web.routes"
local server = require "server"

local Web = {}
Web.__index = Web

local MOST <const> = 32 -- requests that are worked on at once; streams and probes do not count

local function failed(request, failure)
  log.error("a request failed", {method = request.method, path = request.path, error = failure})
end

-- A stream that breaks off is cut, so that nobody takes it for whole.
local function guarded(request, response)
  local stream = response.stream
  function response.stream(out)
    local went_well, failure = xpcall(stream, debug.traceback, out)
    if went_well then return end
    if failure ~= reply.GONE then failed(request, failure) end
    out:cut()
  end
  return response
end

-- Whoever may ask learns what the handler says; the rest why not.
function Web:respond(route, request)
  local refusal = self.guard:refused(request, route.open)
  if refusal then return refusal end
  if not route.open then access.attach(request, self.guard.auth) end
  local response = route.handler(request)
  if response.stream then return guarded(request, response) end
  return request.method == "GET" and reply.tagged(request, response) or response
end

-- An error in a handler is ours, and the client learns no more than that.
function Web:run(route, request)
  if route.open then return self:respond(route, request) end
  if self.busy >= MOST then
    return reply.error(429, ("%d requests are worked on already"):format(self.busy), {retryAfterSeconds = 1})
  end
  self.busy = self.busy + 1
  local went_well, response = xpcall(self.respond, debug.traceback, self, route, request)
  self.busy = self.busy - 1
  if went_well then return response end
  failed(request, response)
  return reply.error(500, "an error in the scheduler; its log has more")
end

function Web:answer(request)
  local route, found = self.routes:find(request.method, request.path)
  if not route then return found, "none" end
  request.segments = found
  return self:run(route, request), route.path
end

function Web:handle(request)
  local response, route = self:answer(request)
  self.measured.answered(route, response.status or 200)
  return response
end

function Web.start(options, daemon)
  local where, problem = address.parse(options.listen)
  if not where then return nil, problem end
  local self = setmetatable({routes = Routes.new(), busy = 0}, Web)
  self.guard, problem = Guard.new {loopback = where.loopback, address = where.address, auth = options.auth,
    token_file = options.token_file, client = daemon.where.client, audience = options.auth_audience}
  if not self.guard then return nil, problem end
  self.measured = Measured.new(daemon, options.metrics_jobs or "basic")
  self.routes:add(probes.routes(daemon))
  self.routes:add(page.routes())
  self.routes:add {{"GET", "/metrics", function(request)
    return request.refuse_path "/metrics" or self.measured:respond(request)
  end,
    summary = "Measurements, as Prometheus reads them"}}
  self.feed = Feed.new()
  self.measured.clients = function() return self.feed:count() end
  self.routes:add(api.routes(daemon, self.feed))
  api.tell(daemon, self.feed)
  self.server, problem = server.listen {address = where.address, port = where.port,
    handler = function(request) return self:handle(request) end}
  if not self.server then return nil, problem end
  log.info("listening", {address = where.address, port = self.server:port()})
  return self
end

-- Those who listen are told that we go; the rest is answered until close.
function Web:leave() self.feed:close() end

function Web:close() self.server:close() end

return Web
