-- The calls of hooks, on their way to the hook host: one computes at a time, decisions go before events, and a call
-- that waits for http.request is in nobody's way.
local clock = require "clock"
local task = require "task"

local queue = {}
queue.__index = queue

local MAX_WAITING <const> = 16  -- calls that wait for http.request
local HTTP_SECONDS <const> = 30 -- of waiting for http.request, in all, for one call
local HTTP_BODY <const> = 1 << 20

local function new_fifo() return {first = 1, last = 0} end

local function put(fifo, item)
  fifo.last = fifo.last + 1
  fifo[fifo.last] = item
end

local function take(fifo)
  local item = fifo[fifo.first]
  if not item then return nil end
  fifo[fifo.first] = nil
  fifo.first = fifo.first + 1
  return item
end

-- keeper: where the host comes from. http: the module, for http.request. now: the time that hooks see; nil: the
-- machine's.
function queue.new(keeper, http, now)
  return setmetatable({keeper = keeper, http = http, now = now, answers = new_fifo(), decisions = new_fifo(),
    events = new_fifo(), waiting = 0, last_id = 0, kills = 0}, queue)
end

-- item: {hook, file, event, decision = boolean, budget = seconds, done = function(reply | nil, message, own_fault)}.
-- done gets the host's reply, or what went wrong and whether it is the hook's own doing.
function queue:add(item)
  self.last_id = self.last_id + 1
  item.id, item.http_seconds, item.seconds = self.last_id, HTTP_SECONDS, 0
  put(item.decision and self.decisions or self.events, item)
  self:work()
end

function queue:events_waiting() return self.events.last - self.events.first + 1 end

function queue:next_item() return take(self.answers) or take(self.decisions) or take(self.events) end

function queue:work()
  if self.working then return end
  self.working = true
  task.spawn(function()
    local item = self:next_item()
    while item do
      local ok, message = xpcall(self.serve, debug.traceback, self, item)
      if not ok then item.done(nil, message) end
      item = self:next_item()
    end
    self.working = false
    self:tell_idle()
  end)
end

function queue:idle() return not self.working and self.waiting == 0 end

function queue:tell_idle()
  if self.on_idle and self:idle() then self.on_idle() end
end

-- Waits until nothing is under way.
function queue:settle()
  if not self:idle() then task.await(function(resume) self.on_idle = resume end) end
  self.on_idle = nil
end

function queue:message_for(item)
  local store, now = item.host:news(), self.now and self.now()
  if item.answer then return {op = "answer", id = item.id, answer = item.answer, store = store, now = now} end
  return {op = "call", id = item.id, hook = item.hook, file = item.file, event = item.event,
    decision = item.decision, budget = item.budget, store = store, now = now}
end

function queue:serve(item)
  local host, message = self.keeper:get()
  if not host then return item.done(nil, message) end
  if item.host and item.host ~= host then
    return item.done(nil, "the hook host ended while this hook waited for its http.request")
  end
  item.host = host
  self.keeper.running = item
  local reply, why = host:exchange(self:message_for(item), item.budget)
  self.keeper.running = nil
  if not reply then
    self.kills = self.kills + 1
    return item.done(nil, ("%s in %s: the hook host %s"):format(item.hook, item.file, why), true)
  end
  item.seconds = item.seconds + reply.seconds
  item.budget = math.max(item.budget - reply.seconds, 0.001)
  if reply.op == "ask" then return self:ask(item, reply.request) end
  if reply.retire and self.waiting == 0 then self.keeper:replace(item) end
  if reply.error then return item.done(nil, reply.error, true) end
  item.done(reply)
end

function queue:answer(item, value)
  item.answer = value
  put(self.answers, item)
  self:work()
end

-- Performs http.request for a hook; the call goes on when the answer is there.
function queue:ask(item, request)
  if self.waiting >= MAX_WAITING then
    return self:answer(item, {error = ("%d hooks wait for answers already"):format(self.waiting)})
  elseif item.http_seconds <= 0 then
    return self:answer(item, {error = ("a hook may wait %d s for answers, in all"):format(HTTP_SECONDS)})
  end
  request.timeout = math.min(request.timeout or 10, item.http_seconds)
  request.max_body = HTTP_BODY
  self.waiting = self.waiting + 1
  task.spawn(function()
    local started = clock.monotonic()
    local ok, response, message = pcall(self.http.request, request)
    self.waiting = self.waiting - 1
    item.http_seconds = item.http_seconds - (clock.monotonic() - started)
    if not ok then response, message = nil, response end
    self:answer(item, response and {status = response.status, headers = response.headers, body = response.body}
      or {error = tostring(message)})
  end)
end

return queue
