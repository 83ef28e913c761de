-- The kubelet: what was created starts, works for a while and ends, well or badly. A Job runs itself: its Pods are
-- left out.
local chance = require "sim.chance"
local clock = require "clock"
local json = require "json"

local kubelet = {}

local NS <const> = 1000000000

local function container(state) return json.array {{name = "main", restartCount = 0, state = state}} end

local function begin_work(world, kind, meta)
  local time = clock.format(world.now // NS)
  world.server:touch(kind, meta.name, meta.uid, function(object)
    if object.metadata.deletionTimestamp then return end
    object.status = {phase = "Running", startTime = time, active = 1}
    if kind == "Pod" then object.status.containerStatuses = container {running = {startedAt = time}} end
  end)
end

local function ended_job(good)
  return {type = good and "Complete" or "Failed", status = "True", reason = not good and "BackoffLimitExceeded" or nil}
end

local function end_work(world, kind, meta, good)
  local time = clock.format(world.now // NS)
  world.server:touch(kind, meta.name, meta.uid, function(object)
    local status = object.status
    if status.phase ~= "Running" then return end
    status.phase = good and "Succeeded" or "Failed"
    if kind == "Job" then
      status.active, status.completionTime = nil, good and time or nil
      status.conditions = json.array {ended_job(good)}
    else
      status.containerStatuses = container {terminated = {exitCode = good and 0 or 1,
        reason = good and "Completed" or "Error", startedAt = status.startTime, finishedAt = time}}
    end
  end)
end

-- A Pod or Job has changed.
function kubelet.see(world, change)
  local meta, kind = change.object.metadata, change.kind
  if change.what == "ADDED" then
    local starts, lasts, good = 0.5 + 2 * math.random(), chance.duration(), math.random() < 0.7
    world:after(starts, function() begin_work(world, kind, meta) end)
    world:after(starts + lasts, function() end_work(world, kind, meta, good) end)
  elseif change.what == "MODIFIED" and meta.deletionTimestamp and change.object.status.phase == "Running" then
    world:after(1, function() end_work(world, kind, meta, false) end)
  end
end

return kubelet
