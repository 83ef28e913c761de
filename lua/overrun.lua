-- Runs that take longer than was expected, told while they run: hook on_overrun beyond the job's expect_duration,
-- on_slow beyond what 95 of 100 of its own runs took. Each once a run.
--   overrun.watch{runner=, registry=} -> w; w:stop()
local clock = require "clock"
local log = require "log"
local task = require "task"

local Watch = {}
Watch.__index = Watch

local LOOK <const> = 5 -- seconds

local overrun = {}

function Watch:tell(hook, run, limit)
  self.told[run.id][hook] = true
  self.runner:tell_running(hook, run, ("it runs for more than %d s"):format(limit))
end

function Watch:look_at(run, now)
  local told, seconds = self.told[run.id] or {}, now - run.started
  self.told[run.id] = told
  local job, hooks = self.runner.jobs[run.job], self.runner.hooks
  local expected = job and job.expect_duration
  if expected and seconds > expected and not told.on_overrun and hooks:defined "on_overrun" then
    self:tell("on_overrun", run, expected)
  end
  if told.on_slow or not hooks:defined "on_slow" then return end
  local usual = self.runner.summary:of(run.job).p95
  if usual and seconds > usual then self:tell("on_slow", run, usual) end
end

function Watch:look()
  local hooks, now, there = self.runner.hooks, clock.now(), {}
  if not (hooks:defined "on_overrun" or hooks:defined "on_slow") then return end
  for _, run in ipairs(self.registry:runs()) do
    if run.state == "started" and run.started then
      there[run.id] = true
      self:look_at(run, now)
    end
  end
  for id in pairs(self.told) do
    if not there[id] then self.told[id] = nil end
  end
end

function overrun.watch(options)
  local self = setmetatable({runner = options.runner, registry = options.registry, told = {}}, Watch)
  task.spawn(function()
    while not self.stopped do
      task.sleep(LOOK)
      local done, failure = xpcall(self.look, debug.traceback, self)
      if not done then log.error("runs could not be looked at", {error = failure}) end
    end
  end)
  return self
end

function Watch:stop() self.stopped = true end

return overrun
