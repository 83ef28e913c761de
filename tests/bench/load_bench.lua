-- Loading a schedule of 100,000 jobs the second time in one process, as a reload does, in processor time; the peer is
-- libyaml's own parse of the same file. load.step is the longest step on the loop's thread. Prints "figure value unit".
local schedule = require "schedule"
local steps = require "steps"

collectgarbage("incremental", 200, 4) -- as scripts/daemon.lua
local JOBS <const> = 100000
local dir = (os.getenv "BUILD" or "build") .. "/tests/bench"

local function write(name, text)
  local file = assert(io.open(dir .. "/" .. name, "w"))
  file:write(text)
  file:close()
end

local lines = {"settings: {cron_dialect: standard}"}
for i = 1, JOBS do
  lines[i + 1] = ('job-%06d:\n  cron: "%d %d %d * *"\n  template: load.pod.yml\n  image: registry.example/report:%d\n' ..
    '  args: [--shard, "%d"]'):format(i, i % 60, i % 24, 1 + i % 28, i % 100, i)
end
write("load.yml", table.concat(lines, "\n") .. "\n")
write("load.pod.yml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: main, image: busybox}]}\n")
lines = nil
collectgarbage()

local longest, began
local step = steps.new {wait = function()
  longest = math.max(longest, os.clock() - began)
  began = os.clock()
end}
local function pause()
  began = began or os.clock()
  step()
end

local function load()
  local start = os.clock()
  longest, began = 0, nil
  local plan = schedule.load {dir = dir, name = "load.yml", instance = "bench", namespace = "default", pause = pause}
  assert(#plan.jobs == JOBS, #plan.jobs .. " jobs only")
  return os.clock() - start, math.max(longest, os.clock() - began)
end

load()
collectgarbage()
local seconds, longest_step = load()
print(("load.time %.0f ms"):format(seconds * 1000))
print(("load.step %.1f ms"):format(longest_step * 1000))
