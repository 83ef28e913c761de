-- From a slot's instant to its create, 1,000 slots a second: policy, template and registry as in the daemon, with an
-- executor that runs nothing. Prints "figure value unit". LATENESS_SECONDS: how long (60).
local alert = require "alert"
local clock = require "clock"
local executor = require "executor"
local history = require "history"
local incident = require "incident"
local log = require "log"
local registry = require "registry"
local Runner = require "runner"
local schedule = require "schedule"
local sys = require "sys"
local task = require "task"

local JOBS <const> = 1000
local seconds = tonumber(os.getenv "LATENESS_SECONDS") or 60
log.level "error"

local dir = os.tmpname()
os.remove(dir)
assert(sys.mkdir(dir))
local function write(name, text)
  local file = assert(io.open(dir .. "/" .. name, "w"))
  file:write(text)
  file:close()
end
write("pod.yml", "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: main, image: busybox}]}\n")
local lines = {"settings: {cron_dialect: standard}"}
for i = 1, JOBS do lines[i + 1] = ("job-%d: {cron: '* * * * * *', template: pod.yml}"):format(i) end
write("schedule.yml", table.concat(lines, "\n"))
local plan = schedule.load {dir = dir, name = "schedule.yml", instance = "bench", namespace = "default"}
os.execute("rm -r " .. dir)
assert(#plan.jobs == JOBS)

local runner = Runner.new {
  instance = "bench", jobs = plan.jobs, settings = plan.settings,
  alerts = incident.new {sender = assert(alert.new {instance = "bench"}), jobs = plan.jobs, whole = true},
  hooks = {defined = function() return false end, fire = function() end}, history = history.new {},
}
local handlers = runner:handlers()
handlers.executor, handlers.instance = executor.simulated {duration = 0}, "bench"
local ready
handlers.on_ready = function() ready() end

-- When each slot's event came, and how late its create left.
local lateness, asked, spent = {}, {}, 0
local on_slot, on_begun, ahead = handlers.on_slot, handlers.on_begun, 0
handlers.on_begun = function(run)
  lateness[#lateness + 1], ahead = run.lateness, ahead + 1
  on_begun(run)
end
handlers.on_slot = function(run)
  asked[run.id] = {run.lateness, clock.monotonic()}
  on_slot(run)
end
local jobs = registry.new(handlers)
local watched = {}
function watched.start(_, id, ...)
  local at = asked[id]
  asked[id] = nil
  lateness[#lateness + 1] = at[1] + clock.monotonic() - at[2]
  return jobs:start(id, ...)
end
runner:attach(setmetatable(watched, {__index = function(_, name)
  return function(_, ...) return jobs[name](jobs, ...) end
end}))

task.await(function(resume)
  ready = resume
  assert(jobs:open())
end)
for _, job in ipairs(plan.jobs) do
  job.baseline = clock.now() + 1
  assert(jobs:add(Runner.spec(job)))
end
spent = os.clock()
assert(jobs:begin(clock.now(), {}))
task.sleep(seconds + 1.5)
jobs:stop()
spent = os.clock() - spent

table.sort(lateness)
local function percentile(p) return lateness[math.max(1, math.ceil(#lateness * p))] * 1000 end
assert(#lateness >= JOBS * seconds * 0.9, #lateness .. " slots only")
print(("lateness.p50 %.2f ms"):format(percentile(0.5)))
print(("lateness.p99 %.2f ms"):format(percentile(0.99)))
print(("lateness.ahead %.1f %%"):format(100 * ahead / #lateness))
print(("lateness.cpu %.1f us/slot"):format(spent / #lateness * 1e6))
