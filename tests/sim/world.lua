-- The world of one schedule of faults: time, the API server, the way between it and the daemons, and what goes
-- wrong on it. All chance comes from one seed.
local Audit = require "sim.audit"
local Server = require "sim.server"
local chance = require "sim.chance"
local json = require "json"
local kubelet = require "sim.kubelet"

local World = {}
World.__index = World

local NS <const> = 1000000000
local START <const> = 1795507200 -- 2026-11-24T08:00:00Z
local CALM <const> = 20   -- seconds without faults at the end, at least,
local LONGEST <const> = 300 -- and at most: then what is undecided is lost

local worlds = {} -- of living daemons, by id

function sim.on_request(id, request)
  local daemon = worlds[id]
  if daemon then daemon.world:request(daemon, request) end
end
function sim.on_cancel(id, call)
  local daemon = worlds[id]
  if not daemon then return end
  for _, stream in ipairs(daemon.streams) do
    if stream.request.id == call then stream.over = true end
  end
end
function sim.on_tell(id, text)
  local daemon = worlds[id]
  if not daemon then return end
  local told = json.parse(text)
  if told.ordered then return daemon.world.audit:ordered(daemon, told) end
  daemon.world.audit:told(told)
end

-- options: {seed=, mutant=, trace=}
function World.new(options)
  math.randomseed(options.seed)
  local self = setmetatable({seed = options.seed, mutant = options.mutant, trace = options.trace, now = START * NS,
    heap = {}, orders = 0, daemons = {}, lives = 0, weather = chance.weather()}, World)
  self.chaos_ends = self.now + chance.length() * NS
  self.ends = self.chaos_ends + LONGEST * NS
  self.audit = Audit.new(self)
  self.server = Server.new {
    now = function() return self.now // NS end,
    on_change = function(change, old) self:changed(change, old) end,
  }
  return self
end

function World:note(format, ...)
  if self.trace then
    io.stderr:write(("%9.3f "):format((self.now - START * NS) / NS), format:format(...), "\n")
  end
end

function World:is_calm() return self.now >= self.chaos_ends end

-- Time: a heap of what happens when, in the order of asking among equals.

local function before(a, b) return a.at < b.at or a.at == b.at and a.order < b.order end

-- Later by so many seconds.
function World:after(seconds, act)
  self.orders = self.orders + 1
  local item, heap = {at = self.now + math.floor(seconds * NS), order = self.orders, act = act}, self.heap
  local i = #heap + 1
  while i > 1 and before(item, heap[i // 2]) do
    heap[i] = heap[i // 2]
    i = i // 2
  end
  heap[i] = item
end

local function pop(heap)
  local first, last = heap[1], table.remove(heap)
  if #heap == 0 then return first end
  local i = 1
  while true do
    local child = i * 2
    if child > #heap then break end
    if child < #heap and before(heap[child + 1], heap[child]) then child = child + 1 end
    if before(last, heap[child]) then break end
    heap[i] = heap[child]
    i = child
  end
  heap[i] = last
  return first
end

-- Who is next: a daemon, or the world.
function World:step()
  local at, who = self.heap[1] and self.heap[1].at or math.maxinteger, nil
  for _, daemon in ipairs(self.daemons) do
    local due = daemon.handle and not daemon.frozen and daemon.handle:next() or math.maxinteger
    if due < at then at, who = due, daemon end
  end
  if at > self.ends then return false end
  self.now = math.max(self.now, at)
  if who then self:run(who) else pop(self.heap).act() end
  return true
end

-- Daemons

function World:run(daemon)
  daemon.handle:run(self.now)
  if daemon.handle and daemon.handle:ended() then
    self:note("%s ends by itself", daemon.name)
    self:kill(daemon, 1 + 4 * math.random())
  end
end

-- Not from inside a daemon: its Lua state goes.
function World:kill(daemon, pause)
  if not daemon.handle then return end
  self:note("%s is dead for %.1f s", daemon.name, pause)
  worlds[daemon.id] = nil
  daemon.handle:kill()
  daemon.handle, daemon.frozen = nil, nil
  self:after(pause, function() self:start(daemon) end)
end

function World:start(daemon)
  self.lives = self.lives + 1
  daemon.world, daemon.life = self, self.lives
  daemon.identity = daemon.name .. self.lives
  daemon.streams, daemon.late, daemon.order = {}, {}, nil
  self:note("%s starts", daemon.identity)
  local seed = math.random(1 << 40)
  -- Its first requests come while it is being started.
  daemon.id = sim.next_id()
  worlds[daemon.id] = daemon
  daemon.handle = sim.start("tests/sim/daemon.lua",
    json.encode {identity = daemon.identity, seed = seed, mutant = self.mutant}, seed, self.now)
end

function World:freeze(daemon, seconds)
  if not daemon.handle or daemon.frozen then return end
  self:note("%s is frozen for %.1f s", daemon.identity, seconds)
  daemon.frozen = true
  local life = daemon.life
  self:after(seconds, function()
    if daemon.life == life and daemon.handle then self:thaw(daemon) end
  end)
end

-- What came meanwhile and what is overdue meet it in either order.
function World:thaw(daemon)
  self:note("%s is thawed", daemon.identity)
  daemon.frozen = nil
  daemon.handle:thaw(self.now)
  local late, life = daemon.late, daemon.life
  daemon.late = {}
  if math.random() < 0.5 then self:run(daemon) end
  for _, deliver in ipairs(late) do self:to(daemon, life, deliver) end
  if daemon.life == life and daemon.handle then self:run(daemon) end
end

-- SIGTERM: it lets go of the lease and ends.
function World:terminate(daemon)
  if not daemon.handle then return end
  self:note("%s is told to end", daemon.identity)
  self:to(daemon, daemon.life, function() daemon.handle:terminate() end)
end

-- Something reaches the daemon, when it lives; in its hand once it is thawed.
function World:to(daemon, life, deliver)
  if daemon.life ~= life or not daemon.handle then return end
  if daemon.frozen then
    daemon.late[#daemon.late + 1] = deliver
    return
  end
  daemon.handle:thaw(self.now)
  deliver()
  self:run(daemon)
end

-- The way of a request

local function answer(daemon, request, reply)
  if request.answered then return end
  request.answered = true
  daemon.handle:answer(request.id, reply.status, reply.body, reply.reason, reply.message, reply.retry_after,
    reply.sent ~= false)
end

function World:answer_after(seconds, daemon, life, request, reply)
  self:after(seconds, function()
    if request.answered then return end
    self:to(daemon, life, function() answer(daemon, request, reply) end)
  end)
end

function World:request(daemon, request)
  request.at = Server.parse_path(request.path)
  local fate, life = chance.fate(self, request), daemon.life
  self:after(fate.queued, function()
    self:to(daemon, life, function() self:leave(daemon, request, fate) end)
  end)
end

-- The client hands it to the network.
function World:leave(daemon, request, fate)
  local life = daemon.life
  if not daemon.handle:leaves(request.id) then
    return answer(daemon, request, {status = 0, message = "dropped", sent = false})
  end
  if fate.kill == "leaving" then return self:kill_soon(daemon) end
  self.audit:sent(daemon, request)
  self:watch_clock(daemon, life, request)
  if fate.cut then self:answer_after(fate.cut, daemon, life, request, {status = 0, message = "connection reset"}) end
  if fate.lost then return self:note("%s: %s %s is lost", daemon.identity, request.method, request.path) end
  self:after(fate.travel, function() self:arrive(daemon, life, request, fate) end)
  if fate.twice then self:after(fate.travel + fate.twice, function() self.server:handle(request) end) end
end

-- The client's patience: for the answer as a whole, and for a stream's next byte.
function World:watch_clock(daemon, life, request)
  local left = request.timeout > 0 and request.timeout or math.maxinteger
  if request.not_after > 0 then left = math.min(left, request.not_after - self.now) end
  if left < math.maxinteger then
    self:answer_after(left / NS, daemon, life, request, {status = 0, message = "timeout"})
  end
  if request.silence == 0 then return end
  request.heard = self.now
  local function look()
    local quiet = self.now - request.heard
    if request.answered or daemon.life ~= life then return end
    if quiet < request.silence then return self:after((request.silence - quiet) / NS, look) end
    self:to(daemon, life, function() answer(daemon, request, {status = 0, message = "silence"}) end)
  end
  self:after(request.silence / NS, look)
end

function World:kill_soon(daemon)
  local life = daemon.life
  self:after(0, function()
    if daemon.life == life then self:kill(daemon, chance.pause()) end
  end)
end

-- The API server has it.
function World:arrive(daemon, life, request, fate)
  if request.at.query.watch then return self:watch(daemon, life, request, fate) end
  if request.at.sub == "log" then return self:answer_after(fate.travel, daemon, life, request, {status = 200}) end
  local reply = fate.refused or self.server:handle(request)
  self:note("%s: %s %s %d%s", daemon.identity, request.method, request.path, reply.status,
    fate.deaf and ", unheard" or "")
  if fate.kill == "executed" and daemon.life == life then return self:kill(daemon, chance.pause()) end
  if fate.deaf then return end
  self:after(fate.back, function()
    if request.answered then return end
    self:to(daemon, life, function()
      if request.streams and reply.status == 200 then daemon.handle:data(request.id, reply.body) end
      answer(daemon, request, reply)
    end)
    if fate.kill == "answered" and daemon.life == life then self:kill(daemon, chance.pause()) end
  end)
end

-- Watches

local function event_line(change) return ('{"type":"%s","object":%s}\n'):format(change.what, change.text) end

function World:watch(daemon, life, request, fate)
  if fate.refused then return self:answer_after(fate.back, daemon, life, request, fate.refused) end
  local from = tonumber(request.at.query.resourceVersion)
  local stream = {daemon = daemon, life = life, request = request, ready = self.now, kind = request.at.kind,
    selector = request.at.query.labelSelector}
  if daemon.life ~= life then return end
  for i = #daemon.streams, 1, -1 do
    if daemon.streams[i].over or daemon.streams[i].request.answered then table.remove(daemon.streams, i) end
  end
  table.insert(daemon.streams, stream)
  for _, change in ipairs(self.server.changes) do
    if change.version > from then self:show(stream, change) end
  end
  self:after(chance.watch_length(), function() self:end_stream(stream, {status = 200}) end)
  self:bookmark(stream)
end

function World:end_stream(stream, reply)
  if stream.over then return end
  stream.over = true
  self:to(stream.daemon, stream.life, function() answer(stream.daemon, stream.request, reply) end)
end

function World:bookmark(stream)
  self:after(50, function()
    if stream.over or stream.stalled or stream.daemon.life ~= stream.life then return end
    self:send(stream, ('{"type":"BOOKMARK","object":{"kind":"%s","metadata":{"resourceVersion":"%d"}}}\n')
      :format(stream.kind, self.server.version))
    self:bookmark(stream)
  end)
end

-- In order, so nothing overtakes what is late.
function World:send(stream, text, ending)
  stream.ready = math.max(stream.ready, self.now + math.floor(chance.lag(self) * NS))
  self:after((stream.ready - self.now) / NS, function()
    if stream.over or stream.stalled then return end
    self:to(stream.daemon, stream.life, function()
      if stream.request.answered or stream.over then return end
      stream.request.heard = self.now
      stream.daemon.handle:data(stream.request.id, text)
    end)
    if ending then self:end_stream(stream, ending) end
  end)
end

local GONE = '{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",'
  .. '"message":"too old resource version","reason":"Expired","code":410}}\n'

function World:show(stream, change)
  if change.kind ~= stream.kind or not Server.selects(stream.selector, change.object) then return end
  local fault, text = chance.watch_fault(self), event_line(change)
  if fault then self:note("%s: its watch of %ss: %s", stream.daemon.identity, stream.kind, fault) end
  if fault == "cut" then return self:send(stream, text:sub(1, #text // 2), {status = 0, message = "cut"}) end
  if fault == "gone" then return self:send(stream, GONE, {status = 200}) end
  if fault == "stall" then stream.stalled = true end
  self:send(stream, text)
  if fault == "twice" then self:send(stream, text) end
end

-- Something in the cluster changed: watches tell, the kubelet acts, the auditor takes notes.
function World:changed(change, old)
  self.audit:changed(change, old)
  for _, daemon in ipairs(self.daemons) do
    for _, stream in ipairs(daemon.streams or {}) do
      if not stream.over and not stream.request.answered then self:show(stream, change) end
    end
  end
  if change.kind == "Pod" or change.kind == "Job" then kubelet.see(self, change) end
end

function World:look_for_end()
  if self.audit:is_settled() then
    self.ends = self.now
  else
    self:after(5, function() self:look_for_end() end)
  end
end

-- Runs the schedule. What was wrong, as texts; none: nothing.
function World:play()
  for i = 1, self.weather.replicas do
    local daemon = {name = string.char(64 + i)}
    self.daemons[i] = daemon
    self:after(i == 1 and 0 or 60 * math.random(), function() self:start(daemon) end)
  end
  chance.disasters(self)
  self:after((self.chaos_ends - self.now) / NS + CALM, function() self:look_for_end() end)
  while not self.audit.full and self:step() do end
  self.audit:finish()
  for _, daemon in ipairs(self.daemons) do
    if daemon.handle then
      worlds[daemon.id] = nil
      daemon.handle:kill()
    end
  end
  return self.audit.wrongs
end

return World
