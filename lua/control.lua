-- What a command does in the daemon that leads. How it arrives: control/local.lua, control/kubernetes.lua. What is
-- ordered is durable before it is answered, and holds again after a restart or failover.
--   control:handle(request) -> answer     request: {command=, id=, by=, …}; answer: what the command prints, or
--                                         {error=, code="refused"}. A request that comes again does nothing new.
local Backfill = require "backfill"
local clock = require "clock"
local control_kubernetes = require "control.kubernetes"
local control_local = require "control.local"
local log = require "log"
local names = require "names"
local read = require "control.read"
local requests = require "control.request"
local silence = require "incident.silence"
local text = require "text"

local Control = {}
Control.__index = Control

-- options: {runner=, registry=, lead=, state=, history=, alerts=: of incident.new, jobs={job, …}, bad={name, …},
-- instance=, where=: of place.open, state_dir=, reload=: set by the daemon}
function Control.new(options)
  local self = setmetatable(options, Control)
  self.listeners = {}
  self.backfill = Backfill.new {runner = self.runner, registry = self.registry, state = self.state,
    history = self.history, job = function(name) return self:job(name) end}
  return self
end

function Control:job(name)
  for _, job in ipairs(self.jobs) do
    if job.name == name then return job end
  end
end

-- The job that a request names; or nil and what to write instead.
function Control:wanted(name)
  if type(name) ~= "string" or name == "" then return nil, "which job? name one" end
  local job = self:job(name)
  if job then return job end
  local known = {}
  for i, each in ipairs(self.jobs) do known[i] = each.name end
  return nil, ("there is no job '%s'%s"):format(name, text.did_you_mean(name, known))
end

-- What was ordered earlier, once we lead and before the first slot is decided.
function Control:restore()
  self.runner:set_orders(self.state:read "suspended", self.state:read "paused".all)
  self.backfill:restore()
end

-- Takes commands from now on; what an earlier daemon had begun goes on.
function Control:serve()
  local function handle(request) return self:handle(request) end
  if self.where.kind ~= "kubernetes" then
    local server, message = control_local.serve {path = self.state_dir .. "/" .. control_local.NAME, handle = handle}
    if not server then log.warning("no commands can be taken", {error = message}) end
    self.server = server
  else
    self.server = control_kubernetes.serve {client = self.where.client, namespace = self.where.namespace,
      instance = self.instance, handle = handle}
  end
  self.backfill:begin()
end

function Control:stop()
  if self.server then self.server:close() end
end

local commands = {}

local function strings(list)
  if list == nil then return true end
  if type(list) ~= "table" then return false end
  for _, each in ipairs(list) do
    if type(each) ~= "string" then return false end
  end
  return true
end

function commands.trigger(self, request)
  local job, problem = self:wanted(request.job)
  if not job then return nil, problem end
  if not strings(request.args) then return nil, "args: a list of strings expected" end
  local done, message, code = self.runner:trigger(job.name,
    {id = request.id, args = request.args, reason = request.reason, by = request.by})
  if not done and code ~= "exists" then return nil, message end
  local run = names.request {instance = self.instance, namespace = job.namespace, job = job.name, request = request.id}
  return {job = job.name, id = request.id, run = run, again = not done}
end

-- An end that is still to come, or none.
local function until_of(request, now)
  local t = request["until"]
  if t == nil then return nil end
  if math.type(t) ~= "integer" then return nil, "until: unix seconds expected" end
  if t <= now then
    return nil, ("--until %s is past: it is %s now"):format(clock.format(t), clock.format(now))
  end
  return t
end

-- The table as it is with some entries changed, {name = order, or false: none}; what has ended by itself goes.
local function changed(orders, changes, now)
  local out = {}
  for each, old in pairs(orders) do
    if not old["until"] or old["until"] > now then out[each] = old end
  end
  for name, order in pairs(changes) do out[name] = order or nil end
  return out
end

-- One order for many jobs, written at once: order_of(job) gives each one's, or false.
function Control:order_all(request, order_of)
  if not strings(request.jobs) then return nil, "jobs: a list of names expected" end
  local changes = {}
  for _, name in ipairs(request.jobs) do
    local job = self.runner.jobs[name]
    if not job then return nil, ("there is no job '%s'"):format(name) end
    changes[name] = order_of(job)
  end
  local done, message = self:write_suspended(changed(self.runner.orders, changes, clock.now()))
  return done and {jobs = #request.jobs}, message
end

function Control:write_suspended(suspended)
  local done, message = self.state:write("suspended", suspended)
  if not done then return nil, "nothing changed, the state could not be written: " .. message end
  self.runner:set_orders(suspended, self.runner.paused)
  return true
end

function Control:write_paused(paused)
  local done, message = self.state:write("paused", {all = paused})
  if not done then return nil, "nothing changed, the state could not be written: " .. message end
  self.runner:set_orders(self.runner.orders, paused)
  return true
end

function commands.suspend(self, request)
  local now = clock.now()
  local till, problem = until_of(request, now)
  if problem then return nil, problem end
  local order = {["until"] = till, reason = request.reason, by = request.by, since = now}
  if request.jobs then return self:order_all(request, function(job) return not job.suspend and order end) end
  if not request.job then
    if not till then return nil, "a pause of all jobs needs an end: --until TIME" end
    local done, message = self:write_paused(order)
    return done and {["until"] = till}, message
  end
  local job
  job, problem = self:wanted(request.job)
  if not job then return nil, problem end
  if job.suspend then return self:suspend_again(job, till) end
  local done, message = self:write_suspended(changed(self.runner.orders, {[job.name] = order}, now))
  return done and {job = job.name, ["until"] = till}, message
end

-- What the schedule suspends is so again once nobody's order resumes it; an end of its own it cannot have.
function Control:suspend_again(job, till)
  if till then return nil, ("the schedule says 'suspend: true' of '%s', which has no end"):format(job.name) end
  if not self.runner.orders[job.name] then return {job = job.name, again = true} end
  local done, message = self:write_suspended(changed(self.runner.orders, {[job.name] = false}, clock.now()))
  return done and {job = job.name}, message
end

-- A suspension outlives its job's entry in the schedule, so it can be ended without it.
function commands.resume(self, request)
  local now = clock.now()
  local function order_of(job)
    return job.suspend and {resumed = true, by = request.by, reason = request.reason, since = now} or false
  end
  if request.jobs then return self:order_all(request, order_of) end
  if not request.job then
    local was = self.runner.paused ~= nil
    if not was then return {again = true} end
    local done, message = self:write_paused(nil)
    return done and {again = false}, message
  end
  local job, problem = self:wanted(request.job)
  if not self.runner.suspended[request.job] then
    local order = self.runner.orders[request.job]
    return job and {job = job.name, again = true, since = order and order.since}, problem
  end
  local changes = {[request.job] = job and order_of(job) or false}
  local done, message = self:write_suspended(changed(self.runner.orders, changes, now))
  return done and {job = request.job, again = false, since = clock.now()}, message -- it was suspended until now
end

-- What a silence is about: a job or "all".
function Control:silent_name(request)
  if request.job == "all" then return silence.ALL end
  local job, problem = self:wanted(request.job)
  return job and job.name, problem
end

function commands.silence(self, request)
  local name, problem = self:silent_name(request)
  if not name then return nil, problem end
  local order
  order, problem = silence.order(request, clock.now())
  if not order then return nil, problem end
  local done, message = self.alerts:silence(name, order)
  return done and {job = request.job, ["until"] = order["until"]}, message
end

-- A silence outlives its job's entry in the schedule, so it can be ended without it.
function commands.unsilence(self, request)
  local name = request.job == "all" and silence.ALL or request.job
  if not self.alerts.silences[name] then
    local known, problem = self:silent_name(request)
    return known and {job = request.job, again = true}, problem
  end
  local done, message = self.alerts:silence(name, nil)
  return done and {job = request.job, again = false}, message
end

function commands.backfill(self, request)
  if request.cancel then return self.backfill:cancel(request.cancel) end
  local job, problem = self:wanted(request.job)
  if not job then return nil, problem end
  return self.backfill:order(job, request)
end

local function detail(request, more)
  local out = more
  out.command, out.job, out.by, out.reason = request.command, request.job, request.by, request.reason
  out.request = request.id
  return out
end

-- The same with all that was ordered.
local function order_of(request)
  local out = detail(request, {})
  for _, name in ipairs {"until", "args", "from", "to", "cancel", "jobs"} do out[name] = request[name] end
  return out
end

-- f{command=, job=, by=, reason=, request=, until=, args=, from=, to=, cancel=, jobs=} is told of each command that was
-- followed, before it is answered, and may wait.
function Control:listen(f) self.listeners[#self.listeners + 1] = f end

function Control:run(request)
  local reader = read[request.command]
  if reader then return reader(self, request) end
  local command = commands[request.command]
  if not command then
    return nil, ("this daemon knows no command '%s': is it of another version?"):format(tostring(request.command))
  end
  local answer, problem = command(self, request)
  if answer then
    log.info("command", detail(request, {again = answer.again or nil}))
    if not answer.again and not request.dry_run then
      for _, listener in ipairs(self.listeners) do listener(order_of(request)) end
    end
  else
    log.warning("command refused", detail(request, {error = problem}))
  end
  return answer, problem
end

function Control:handle(request)
  if type(request) ~= "table" or not requests.is_id(request.id) then return {error = "the request is unreadable"} end
  local went_well, answer, problem = xpcall(self.run, debug.traceback, self, request)
  if went_well then return answer or {error = problem} end
  log.error("a command failed", detail(request, {error = answer}))
  return {error = "an error in the scheduler: " .. tostring(answer):match "[^\n]*" .. "; its log has more"}
end

return Control
