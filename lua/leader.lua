-- Leading: take over what an earlier daemon left, then every two seconds write what was decided beside who leads,
-- and clean up what that allows. Slots are held while that cannot be done, or while our clock and the API
-- server's differ.
local baseline = require "baseline"
local clock = require "clock"
local event = require "event"
local log = require "log"
local task = require "task"

local Leader = {}
Leader.__index = Leader

local INTERVAL = 2        -- seconds, client-go's retry period
local RENEW_DEADLINE = 10 -- seconds without a renewal after which nothing new is decided
local MAX_SKEW = 5        -- seconds

-- options: {state=, registry=, alerts=, jobs=, whole=: the schedule had no mistake,
-- spec=function(job), open=function: adopts, client=}
function Leader.new(options) return setmetatable(options, Leader) end

-- A first watermark, durable before the first slot: a daemon that is killed then must not take it along.
function Leader:first_mark()
  local mark = clock.now()
  while not self.state:save(mark, {}) do task.sleep(INTERVAL) end
  return mark
end

-- Waits until we lead, everything known is adopted and slots are decided.
function Leader:start()
  local mark, open = self.state:acquire()
  mark = mark or self:first_mark()
  self.leads, self.saved_at = true, clock.monotonic()
  task.spawn(function() self:renew() end)
  local keep, changed = baseline.apply(self.jobs, self.state:baselines(), clock.now(), self.whole)
  while changed do
    local saved, message = self.state:save_baselines(keep)
    if saved then break end
    log.warning("the baselines could not be written yet", {error = message})
    task.sleep(INTERVAL)
  end
  for _, job in ipairs(self.jobs) do
    if job.schedule then assert(self.registry:add(self.spec(job))) end
  end
  self.open()
  assert(self.registry:begin(mark, open))
  self.begun = true
end

function Leader:hold(reason, detail)
  if self.held == reason then return end
  self.held = reason
  self.registry:hold(reason ~= nil)
  if not reason then return log.info("slots are decided again") end
  log.error("slots are held: " .. reason, {detail = detail})
  self.alerts:send(event.of_scheduler("held", reason, ("slots are held: %s (%s)"):format(reason, detail)))
end

function Leader:look_at_clock()
  local skew = self.client and self.client:skew() or 0
  local wrong = math.abs(skew) > MAX_SKEW
  self:hold(wrong and "our clock and the API server's differ by more than 5 s" or nil, ("by %d s"):format(skew))
end

-- One write of lease and watermark. false when somebody else leads.
function Leader:save()
  local mark, open
  if self.begun then mark, open = self.registry:watermark() end
  local saved, message, code = self.state:save(mark, open)
  if saved then
    self.saved_at = clock.monotonic()
    if mark then self.registry:acknowledge(mark) end
    self:look_at_clock()
  elseif code == "lost" then
    self.lost = message
    return false
  else
    log.warning("the watermark could not be written", {error = message})
    if clock.monotonic() - self.saved_at > RENEW_DEADLINE then self:hold("the lease could not be renewed", message) end
  end
  return true
end

function Leader:renew()
  while not self.stopped and self:save() do task.sleep(INTERVAL) end
  if self.on_end then self.on_end() end
end

-- Returns the reason when somebody else leads.
function Leader:keep()
  if not self.lost then task.await(function(resume) self.on_end = resume end) end
  return self.lost or "stopped"
end

-- Writes the watermark a last time and lets go, so that the next takes over at once.
function Leader:stop()
  self.stopped = true
  if not self.leads or self.lost then return end
  local mark, open
  if self.begun then mark, open = self.registry:watermark() end
  local done, message = self.state:release(mark, open)
  if not done then log.warning("the lease could not be given up", {error = message}) end
end

return Leader
