-- One route's queue: its alerts wait here, go out one after the other, and never wait for another route's.
local log = require "log"
local text = require "alert.sender.text"

local Queue = {}
Queue.__index = Queue

Queue.BOUND = 1000

local PAUSES = { 5, 30 } -- seconds before the second and third try, jittered by half
local TRIES = #PAUSES + 1
local HOLD = 300 -- alerts wait for a route that is closed for less; otherwise they fail at once

-- tools: send(request) -> response | nil, err; sleep(seconds); now(); spawn(f, …); random() in [0, 1); secrets,
-- a list of what no line may show.
function Queue.new(name, route, config, tools)
  return setmetatable({
    name = name, route = route, config = config, tools = tools,
    items = {}, first = 1, last = 0, -- items[first..last] wait
    open_at = 0, -- unix seconds before which the service does not want to be called
    stats = { delivered = 0, failed = 0, dropped = 0, retried = 0 },
  }, Queue)
end

-- Waiting or under way.
function Queue:pending()
  return self.last - self.first + 1 + (self.busy and 1 or 0)
end

function Queue:log(level, message, fields)
  fields.route = self.name
  if fields.error then fields.error = text.redact(fields.error, self.tools.secrets) end
  log[level](message, fields)
end

-- Until `seconds` from now nobody calls the service. A longer closure that stands already stays.
function Queue:close(seconds)
  if seconds then self.open_at = math.max(self.open_at, self.tools.now() + math.ceil(seconds)) end
end

local function explain(response, err)
  if not response then return tostring(err or "no answer") end
  return ("status %s: %s"):format(response.status, text.clean(response.body or "", 200))
end

function Queue:suspend(seconds, why)
  self:close(seconds)
  self:log("error", "alerts are suspended", { kind = "route_error", seconds = seconds, error = why })
end

function Queue:fail(event, why)
  self:log("error", "an alert was not delivered", {
    kind = "route_error", job = event.job, run = event.run, alert = event.kind, error = why,
  })
  return false
end

-- How long to wait after the given try; nil when there is no other.
local function pause_after(try, asked, random)
  if not PAUSES[try] then return nil end
  return math.max(PAUSES[try] * (0.5 + random()), asked or 0)
end

-- The last try's response or error decides; the body is the same bytes each time;
-- request.before(now), if any, is called before each.
function Queue:transmit(event, request)
  for try = 1, TRIES do
    if request.before then request.before(self.tools.now()) end
    local response, err = self.tools.send(request)
    local verdict, seconds = self.route.judge(response, err)
    if verdict == "ok" then
      self:close(seconds)
      return true
    end
    local why = explain(response, err)
    if verdict == "suspend" then
      self:suspend(seconds, why)
      return false
    end
    local pause = verdict == "retry" and pause_after(try, seconds, self.tools.random)
    if not pause or pause > HOLD then
      self:close(seconds)
      return self:fail(event, why)
    end
    self.stats.retried = self.stats.retried + 1
    self.tools.sleep(pause)
  end
end

function Queue:deliver(event)
  local closed = self.open_at - self.tools.now()
  if closed > HOLD then return false end -- said once, when it was closed
  if closed > 0 then self.tools.sleep(closed) end
  local request = self.route.build(event, self.config, self.tools.now())
  if not request then return true end -- not a thing for this route
  return self:transmit(event, request)
end

-- A route is a file that anybody may add: its mistakes end here.
function Queue:attempt(event)
  local ran, ok = pcall(self.deliver, self, event)
  if not ran then ok = self:fail(event, tostring(ok)) end
  local outcome = ok and "delivered" or "failed"
  self.stats[outcome] = self.stats[outcome] + 1
  return ok
end

function Queue:drain()
  while self.first <= self.last do
    local item = self.items[self.first]
    self.items[self.first] = nil
    self.first = self.first + 1
    item.done(self:attempt(item.event))
  end
  self.busy = false
  if self.overflow then
    self:log("warning", "alerts were dropped while the queue was full", { dropped = self.overflow })
    self.overflow = nil
  end
end

function Queue:drop()
  self.stats.dropped = self.stats.dropped + 1
  if not self.overflow then
    local fields = { kind = "route_error", bound = Queue.BOUND }
    self:log("error", "the queue of alerts is full: new ones are dropped", fields)
  end
  self.overflow = (self.overflow or 0) + 1
end

-- done(ok) is called once, perhaps before this returns; it must not raise.
function Queue:push(event, done)
  if self:pending() >= Queue.BOUND then
    self:drop()
    return done(false)
  end
  self.last = self.last + 1
  self.items[self.last] = { event = event, done = done }
  if self.busy then return end
  self.busy = true
  self.tools.spawn(self.drain, self)
end

return Queue
