-- Hooks tried without a scheduler: the real hook host, a clock that is turned by hand, and effects that are kept
-- instead of done. What kube-scheduler test and replay share.
--   local t = trial.start{dir=, found= (of hooks.folder), now=, environ=};  t:fire(hook, event);  t:close()
local clock = require "clock"
local hooks = require "hooks"
local known = require "hooks.known"
local nearest = require "nearest"

local Trial = {}
Trial.__index = Trial

local event_fields = known.event_fields
local trial = {}

local NO_ANSWER <const> = "nothing is sent here, and the test says no answer (see answers)"

-- now: unix seconds. say(text, fields): what hooks print. answers(request): as http.request's.
function trial.start(options)
  local self = setmetatable({now = options.now or clock.now(), effects = {}, failures = {}, answers = nil}, Trial)
  local say = options.say or function() end
  self.hooks = hooks.start {
    dir = options.dir, found = options.found, environ = options.environ,
    now = function() return self.now end,
    http = {request = function(request)
      if not self.answers then return nil, NO_ANSWER end
      return self.answers(request)
    end},
    log = {info = say, warning = say, error = function() end}, -- failures are told by fire
    on_effect = function(effect) self.effects[#self.effects + 1] = effect end,
    on_error = function(failure) self.failures[#self.failures + 1] = failure.message end,
  }
  return self
end

-- What did not load, as texts.
function Trial:problems()
  local list = {}
  for i, problem in ipairs(self.hooks:problems()) do list[i] = problem.message end
  return list
end

-- The event with what every event has.
function Trial:complete(hook, given)
  local event = {kind = hook:gsub("^on_", ""), namespace = "default", slot = self.now, attempt = 0,
    trigger = "schedule", lateness = 0, job = "job"}
  local allowed = {}
  for _, name in ipairs(event_fields) do allowed[name] = true end
  for name, value in pairs(given) do
    if not allowed[name] then
      error(("an event has no field '%s'%s"):format(tostring(name), nearest.hint(tostring(name), event_fields)), 0)
    end
    event[name] = value
  end
  event.run = event.run or ("%s-%d"):format(event.job, event.slot)
  event.slot_time = event.slot_time or clock.format(event.slot)
  event.id = event.id or ("%s/%s/%s"):format(event.namespace, event.run, event.kind)
  return event
end

-- Calls all hooks of that name, and waits until they are done. The answer of one that decides; what failed, as texts.
function Trial:fire(hook, event)
  if not known.hooks[hook] then
    error(("there is no hook '%s'%s"):format(tostring(hook), nearest.hint(tostring(hook), known.names())), 0)
  end
  self.failures = {}
  local answer
  if known.hooks[hook].decision then
    local verdict, _, others = self.hooks:call(hook, event)
    answer = verdict or others
  else
    self.hooks:fire(hook, event)
  end
  self.hooks:settle()
  return answer, self.failures
end

function Trial:take_effects()
  local effects = self.effects
  self.effects = {}
  return effects
end

function Trial:close() self.hooks:close(0) end

return trial
