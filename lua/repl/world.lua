-- What a REPL session works on: a schedule, its hooks, and time, which is the machine's until the clock is touched.
-- From then on it is virtual, and the jobs of the schedule live in it as in a simulation.
local clock = require "clock"
local hook_names = require "hooks.known"
local nearest = require "nearest"
local problems = require "problems"
local schedule = require "schedule"
local simulation = require "simulation"
local text = require "text"

local World = {}
World.__index = World

local MOST_LINES <const> = 40 -- of what happens in one go

-- options: of cli.fill; say(text): prints a line
function World.new(options, say)
  local self = setmetatable({options = options, say = say, plan = {jobs = {}, settings = {}, bad = {}}}, World)
  self.watch = self:make_watch()
  return self
end

function World:make_watch()
  local function told(what, job, more)
    self:happened(("%s  %s  %s%s"):format(clock.format(clock.now()), job or "-", what, more and ": " .. more or ""))
  end
  return {
    started = function(run)
      self.counts.runs = self.counts.runs + 1
      told("runs", run.job, run.attempt > 0 and "attempt " .. run.attempt or nil)
    end,
    ended = function(run) told(run.outcome, run.job) end,
    skipped = function(run, reason)
      self.counts.skipped = self.counts.skipped + 1
      told("skipped", run.job, reason)
    end,
    alert = function(event) told("alert", event.job, event.title or event.message or event.kind) end,
    post = function(effect, event) told("http.post", event.job, effect.url) end,
    trigger = function(job, event) told("trigger", event.job, job) end,
    store = function(effect, event) told("store.set", event.job, ("%s = %s"):format(effect.key, effect.text)) end,
  }
end

function World:happened(line)
  self.lines = self.lines + 1
  if self.lines <= MOST_LINES then self.say(line) end
end

function World:begin_counting() self.lines, self.counts = 0, {runs = 0, skipped = 0} end

-- Reads a schedule; the one before stays when there is nothing good in it. Waits for its hooks.
function World:load(path)
  local dir, name = path:match "^(.*)/([^/]*)$"
  dir, name = dir or ".", name or path
  local plan = schedule.load {dir = dir, name = name, instance = self.options.instance,
    namespace = self.options.namespace, hooks = self.options.hooks}
  for _, problem in ipairs(plan.problems) do io.stderr:write(problems.format(problem), "\n") end
  if #plan.jobs == 0 and plan.problems:errors() > 0 then error(path .. " has no good job", 0) end
  self.plan, self.dir, self.name = plan, dir, name
  self:close_hooks()
  if self.virtual then self:simulate() end
  return plan
end

function World:close_hooks()
  if self.hooks then self.hooks.host:close(0) end
  self.hooks = nil
end

-- The hooks, started when first needed.
function World:need_hooks()
  if self.hooks then return self.hooks end
  local dir = self.options.hooks or (self.dir or self.options.dir) .. "/hooks"
  local function print_log(level)
    return function(message, fields)
      local at = fields and fields.file and ("%s: "):format(fields.file) or ""
      self.say(("  %s: %s%s%s"):format(level, at, message, fields and fields.error and ": " .. fields.error or ""))
    end
  end
  self.hooks = simulation.hooks(dir, self.watch,
    {info = print_log "hook", warning = print_log "warning", error = print_log "error"})
  return self.hooks
end

function World:job_names()
  local names = {}
  for i, job in ipairs(self.plan.jobs) do names[i] = job.name end
  return names
end

function World:job(name)
  local job = schedule.find(self.plan, name)
  if job then return job end
  local hint = #self.plan.jobs == 0 and "; load a schedule first: load \"schedule.yml\""
    or text.did_you_mean(tostring(name), self:job_names())
  error(("there is no job '%s'%s"):format(tostring(name), hint), 0)
end

-- Time

function World:simulate()
  if self.simulation then self.simulation:stop() end
  self:begin_counting()
  self.simulation = simulation.new {jobs = self.plan.jobs, settings = self.plan.settings, clock = self.virtual,
    hooks = self:need_hooks(), watch = self:make_watch(), instance = self.options.instance}
  self.simulation:begin()
end

-- Time stands at t, and the jobs' life begins anew there.
function World:set_clock(t)
  self:need_hooks() -- they start in real time
  if self.virtual then
    self.virtual:set(t)
  else
    self.virtual = clock.virtual(t)
  end
  self:simulate()
end

-- Waits while everything up to t happens; says what.
function World:run_until(t)
  if not self.virtual then self:set_clock(clock.now()) end
  if t < clock.now() then error("that time has passed; clock.set goes back", 0) end
  self:begin_counting()
  self.moving = true
  self.virtual:run_until(t)
  self.moving = false
  local more = self.lines - MOST_LINES
  if more > 0 then self.say(("… and %d lines more"):format(more)) end
  return ("%s: %d runs, %d skipped"):format(clock.format(clock.now()), self.counts.runs, self.counts.skipped)
end

-- Ctrl-C while time goes on.
function World:interrupt()
  if self.moving then self.virtual:stop() end
end

-- Hooks by hand

-- Calls all hooks of that name with the event, and waits until they, and what they caused, are done.
function World:fire(hook, event)
  if not hook_names.hooks[hook] then
    error(("there is no hook '%s'%s"):format(tostring(hook), nearest.hint(tostring(hook), hook_names.names())), 0)
  end
  local host = self:need_hooks().host
  self:begin_counting()
  if not host:defined(hook) then return ("no file in %s has %s"):format(host.dir, hook) end
  if hook_names.hooks[hook].decision then
    local verdict, message = host:call(hook, event)
    if not verdict then error(message, 0) end
    return verdict
  end
  host:fire(hook, event)
  host:settle()
end

function World:close() self:close_hooks() end

return World
