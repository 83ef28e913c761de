-- Past slots of a job, run on purpose: so many at a time, oldest first, but for those that its calendars and freezes
-- drop; and while a freeze holds the job, none is started. What is under way is in the state before it
-- starts, so that a daemon that dies in the middle of it goes on where it was, and a slot whose run may have been
-- created is asked for again by the same name, which is the same run.
local calendar = require "calendar"
local clock = require "clock"
local json = require "json"
local log = require "log"
local task = require "task"

local Backfill = {}
Backfill.__index = Backfill

local MOST = 1000   -- slots, unless the asker says more
local LIMIT = 99999 -- what cron gives at once
local RETRY = 5     -- seconds until what was refused, or had no room, is tried again
local LOOK = 60     -- seconds between two looks at what only a reload or an hour can change

-- options: {runner=, registry=, state=, history=, job=function(name)}
function Backfill.new(options)
  local self = setmetatable(options, Backfill)
  self.orders, self.wakers = {}, {}
  self.history:listen(function(record, run) self:over(record, run) end)
  return self
end

-- An order: {job=, from=, to=, parallel=, by=, at=, next= (slots up to it are started), running={slots}, done=,
-- failed=, total=}. Never changed in place: the state writes what is another value.
function Backfill:put(id, change)
  local order = {}
  for key, value in pairs(self.orders[id] or {}) do order[key] = value end
  for key, value in pairs(change) do order[key] = value end
  self.orders[id] = order
  return order
end

function Backfill:save() return self.state:write("backfills", self.orders) end

-- The slots in (from, to] as {slot=, dropped= why, or nil}, and those that are kept; nil and why not.
local function slots_of(job, request)
  if not job.schedule then return nil, ("job '%s' has no schedule"):format(job.name) end
  local from, to = request.from, request.to
  if math.type(from) ~= "integer" or math.type(to) ~= "integer" then return nil, "FROM and TO: times expected" end
  if from >= to then return nil, "FROM must be before TO" end
  if to > clock.now() then return nil, "TO is still to come: those slots run by themselves" end
  local most = math.min(request.max or MOST, LIMIT)
  local slots = job.schedule:between(from, to, most + 1)
  if #slots > most then
    return nil, ("more than %d slots: name a shorter span, or --max N (at most %d)"):format(most, LIMIT)
  end
  local rows, kept = json.array {}, {}
  for i, slot in ipairs(slots) do
    rows[i] = {slot = slot, dropped = calendar.reason(job, slot)}
    if not rows[i].dropped then kept[#kept + 1] = slot end
  end
  return rows, kept
end

-- Why no slot can be started now, or nil; and when it can.
local function held(job)
  local freeze = calendar.freeze(job, clock.now())
  if freeze then return ("freeze: %s, until %s"):format(freeze.reason, clock.format(freeze.to)), freeze.to end
end

-- Answers request: {id=, from=, to=, parallel=, dry_run=, max=, by=}.
function Backfill:order(job, request)
  if self.orders[request.id] then return {id = request.id, again = true, total = self.orders[request.id].total} end
  local rows, slots = slots_of(job, request)
  if not rows then return nil, slots end
  local answer = {job = job.name, total = #slots, dropped = #rows - #slots, waits = held(job)}
  if request.dry_run then
    answer.dry_run, answer.rows = true, rows
    return answer
  end
  if #slots == 0 then return answer end
  local parallel = math.type(request.parallel) == "integer" and math.max(1, request.parallel) or 1
  self:put(request.id, {job = job.name, from = request.from, to = request.to, parallel = parallel, by = request.by,
    at = clock.now(), next = request.from, running = {}, done = 0, failed = 0, total = #slots})
  local saved, message = self:save()
  if not saved then
    self.orders[request.id] = nil
    return nil, "nothing is started, the state could not be written: " .. message
  end
  task.spawn(function() self:run(request.id) end)
  answer.id, answer.from, answer.to, answer.parallel = request.id, slots[1], slots[#slots], parallel
  return answer
end

function Backfill:cancel(id)
  if not self.orders[id] then return nil, ("there is no backfill '%s': see status"):format(id) end
  local order = self.orders[id]
  self.orders[id] = nil
  local saved, message = self:save()
  if not saved then
    self.orders[id] = order
    return nil, "it goes on, the state could not be written: " .. message
  end
  self:wake(id)
  return {id = id, job = order.job, cancelled = true, done = order.done, total = order.total}
end

function Backfill:wake(id)
  if self.wakers[id] then self.wakers[id]() end
end

-- Until a run of it is over, or a while.
function Backfill:wait(id)
  task.await(function(resume)
    self.wakers[id] = resume
    task.spawn(function()
      task.sleep(RETRY)
      resume()
    end)
  end)
  self.wakers[id] = nil
end

local function without(list, slot)
  local out = {}
  for _, each in ipairs(list) do
    if each ~= slot then out[#out + 1] = each end
  end
  return out
end

-- The id is part of the run's name.
local function is_of(id, order, record)
  return record.job == order.job and record.run:find("-b" .. id .. "-", 1, true) ~= nil
end

-- A run is over: is it one of ours? One that will be tried again is not over.
function Backfill:over(record, run)
  if record.trigger ~= "backfill" or run.retry_at then return end
  for id, order in pairs(self.orders) do
    local running = without(order.running, record.slot)
    if is_of(id, order, record) and #running < #order.running then
      local failed = record.outcome ~= "succeeded" and 1 or 0
      self:put(id, {running = running, done = order.done + 1, failed = order.failed + failed})
      self:wake(id)
    end
  end
end

-- A job whose runs may not overlap takes one at a time, and waits for those of its schedule.
local function has_room(self, job, order)
  if #order.running >= order.parallel then return false end
  return job.overlap == "allow" or self.registry:active(job.name) == 0
end

-- Starts the next slot, durably noted before. false: it must be tried later.
function Backfill:start(id, job, slot)
  local order = self.orders[id]
  self:put(id, {next = slot, running = table.move(order.running, 1, #order.running, 2, {slot})})
  local saved, message = self:save()
  if not saved then
    self:put(id, {next = order.next, running = without(self.orders[id].running, slot)})
    log.warning("the backfill waits: the state could not be written", {backfill = id, error = message})
    return false
  end
  if self:ask(id, job, slot) then return true end
  if self.orders[id] then self:put(id, {next = order.next, running = without(self.orders[id].running, slot)}) end
  return false
end

function Backfill:ask(id, job, slot)
  local order = self.orders[id]
  local done, message, code = self.runner:backfill(job.name, {id = id, slot = slot, by = order.by})
  if done or code == "exists" then return true end
  log.warning("a slot of the backfill could not be started", {backfill = id, job = job.name,
    slot = clock.format(slot), error = message})
  return false
end

function Backfill:finish(id)
  local order = self.orders[id]
  self.orders[id] = nil
  while not self:save() do task.sleep(RETRY) end
  log.info("backfill finished", {backfill = id, job = order.job, done = order.done, failed = order.failed})
end

function Backfill:run(id)
  while self.orders[id] do
    local order = self.orders[id]
    local job = self.job(order.job)
    local slot = job and job.schedule and calendar.next(job, order.next)
    local why, thaws
    if job then why, thaws = held(job) end
    if not job then
      log.warning("the backfill waits: its job is not in the schedule", {backfill = id, job = order.job})
      task.sleep(LOOK)
    elseif why and slot and slot <= order.to then
      log.info("the backfill waits", {backfill = id, job = order.job, why = why})
      task.sleep(math.min(LOOK, thaws - clock.now()))
    elseif slot and slot <= order.to then
      if not has_room(self, job, order) or not self:start(id, job, slot) then self:wait(id) end
    elseif #order.running == 0 then
      return self:finish(id)
    else
      self:wait(id)
    end
  end
end

-- What an earlier daemon left: it goes on at `begin`.
function Backfill:restore() self.orders = self.state:read "backfills" end

-- Whether the slot's run ended while it could not be counted.
function Backfill:is_over(id, slot)
  local order = self.orders[id]
  for _, record in ipairs(self.history:find(order.job, slot)) do
    if is_of(id, order, record) then return record end
  end
end

-- Slots that were under way are asked for again: a run that exists is found, one that was never created starts.
function Backfill:resume(id, job)
  for _, slot in ipairs(self.orders[id].running) do
    local record = self:is_over(id, slot)
    if record then
      self:over(record, {})
    else
      while self.orders[id] and not self:ask(id, job, slot) do task.sleep(RETRY) end
    end
  end
end

function Backfill:begin()
  for id, order in pairs(self.orders) do
    log.info("backfill goes on", {backfill = id, job = order.job, done = order.done, total = order.total})
    task.spawn(function()
      local job = self.job(order.job)
      if job then self:resume(id, job) end
      self:run(id)
    end)
  end
end

-- For `status`.
function Backfill:describe()
  local out = {}
  for id, order in pairs(self.orders) do
    out[#out + 1] = {id = id, job = order.job, done = order.done, failed = order.failed, total = order.total,
      running = #order.running, by = order.by}
  end
  table.sort(out, function(a, b) return a.id < b.id end)
  return out
end

return Backfill
