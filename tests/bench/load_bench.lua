-- Loading a schedule of 100,000 jobs, in processor time; the peer is libyaml's own parse of the same file. Prints
-- "figure value unit".
local schedule = require "schedule"

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

local start = os.clock()
local plan = schedule.load {dir = dir, name = "load.yml", instance = "bench", namespace = "default"}
print(("load.time %.0f ms"):format((os.clock() - start) * 1000))
assert(#plan.jobs == JOBS, #plan.jobs .. " jobs only")
