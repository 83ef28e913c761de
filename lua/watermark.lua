-- Keeps the watermark durable, and with it the lease: every two seconds what was decided is written beside who
-- leads, and what is durable may be cleaned up. Holds the slots while that cannot be done, or while our clock
-- and the API server's differ.
local clock = require "clock"
local event = require "event"
local log = require "log"
local task = require "task"

local watermark = {}

local INTERVAL = 2       -- seconds, client-go's retry period
local RENEW_DEADLINE = 10 -- seconds without a renewal after which nothing new is decided
local MAX_SKEW = 5       -- seconds

local function hold(self, reason, detail)
  if self.held == reason then return end
  self.held = reason
  self.registry:hold(reason ~= nil)
  if not reason then
    log.info("slots are decided again")
    return
  end
  log.error("slots are held: " .. reason, {detail = detail})
  self.alerts:send(event.of_scheduler("held", reason, "slots are held: " .. reason .. " (" .. tostring(detail) .. ")"))
end

local function look_at_clock(self)
  local skew = self.client and self.client:skew() or 0
  if math.abs(skew) > MAX_SKEW then
    hold(self, "the clock differs from the API server's by more than 5 s", ("by %d s"):format(skew))
    return true
  end
end

local function save(self)
  local mark, open = self.registry:watermark()
  local saved, message, code = self.state:save(mark, open)
  if saved then
    self.saved_at = clock.monotonic()
    self.registry:acknowledge(mark)
    if not look_at_clock(self) then hold(self, nil) end
    return true
  end
  if code == "lost" then return nil, message end
  log.warning("the watermark could not be written", {error = message})
  if clock.monotonic() - self.saved_at > RENEW_DEADLINE then hold(self, "the lease could not be renewed", message) end
  return true
end

-- options: {registry=, state=, alerts=, client=}. Returns when another scheduler leads, with the reason, or
-- after self.stop was set.
function watermark.keep(self)
  self.saved_at = clock.monotonic()
  while not self.stop do
    local leads, message = save(self)
    if not leads then return message end
    task.sleep(INTERVAL)
  end
end

return watermark
