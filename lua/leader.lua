-- Leading: take over what an earlier daemon left, then every two seconds write what was decided beside who leads,
-- and clean up what that allows. Slots are held while that cannot be done, or while our clock and the API
-- server's differ.
local baseline = require "baseline"
local clock = require "clock"
local event = require "event"
local log = require "log"
local steps = require "steps"
local task = require "task"

local Leader = {}
Leader.__index = Leader

local INTERVAL = 2        -- seconds, client-go's retry period
local RENEW_DEADLINE = 10 -- seconds without a renewal after which nothing new is decided
local MAX_SKEW = 5        -- seconds

-- options: {state=, registry=, alerts=, jobs=, whole=: the schedule had no mistake,
-- spec=function(job), restore=function: what was ordered earlier holds again, open=function: adopts,
-- on_lost=function(why): somebody else leads, client=}
function Leader.new(options) return setmetatable(options, Leader) end

-- Where nobody ever led, slots count from now, durably before the first of them: a leader that dies at once must
-- not leave its successor to begin later. The watermark; nil when somebody else leads.
function Leader:first_watermark()
  local now = clock.now()
  while true do
    local saved, message, code = self.state:save(now, {})
    if saved then return now end
    if code == "lost" then
      self.lost = message
      return nil
    end
    log.warning("the watermark could not be written yet", {error = message})
    task.sleep(INTERVAL)
  end
end

-- Durable before the first slot of a job that is new or was edited.
function Leader:apply_baselines()
  local pause = steps.new()
  self.baselines = self.state:read "baselines"
  local changed = baseline.apply(self.jobs, self.baselines, clock.now(), self.whole, pause)
  while changed and not self.lost do
    local saved, message = self.state:write("baselines", self.baselines, pause)
    if saved then break end
    log.warning("the baselines could not be written yet", {error = message})
    task.sleep(INTERVAL)
  end
end

-- A reload that began before we led ends first: what it changes from now on the registry would not hear of.
function Leader:wait_for_reload()
  while self.reloading do task.sleep(0.1) end
end

-- Waits until we lead, everything known is adopted and slots are decided: true. nil and why when we never will.
function Leader:start()
  local marks, failure = self.state:acquire()
  if not marks then return nil, failure end
  self.leads, self.saved_at, self.since = true, clock.monotonic(), clock.now()
  log.info("leading", {watermark = marks.watermark and clock.format(marks.watermark), undecided = #marks.open})
  marks.watermark = marks.watermark or self:first_watermark()
  if self.lost then return nil, self.lost end
  task.spawn(function() self:renew() end)
  self:wait_for_reload()
  self:apply_baselines()
  self.restore()
  local pause = steps.new()
  for _, job in ipairs(self.jobs) do
    if job.schedule then assert(self.registry:add(self.spec(job))) end
    pause()
  end
  self.open()
  if self.lost then return nil, self.lost end
  assert(self.registry:begin(marks.watermark, marks.open))
  self.begun = true
  return true
end

function Leader:hold(reason, detail)
  if self.held == reason then return end
  self.held = reason
  self.registry:hold(reason ~= nil)
  if not reason then
    log.info("slots are decided again")
    return self.alerts:send(event.of_scheduler("released", "held", "slots are decided again"))
  end
  log.error("slots are held: " .. reason, {detail = detail})
  self.alerts:send(event.of_scheduler("held", "held", ("slots are held: %s (%s)"):format(reason, detail)))
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

-- Every two seconds; at once after a try that took longer.
function Leader:renew()
  local next_at = clock.monotonic() + INTERVAL
  while not self.stopped and self:save() do
    task.sleep(math.max(0, next_at - clock.monotonic()))
    next_at = clock.monotonic() + INTERVAL
  end
  if self.lost then self.on_lost(self.lost) end
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
