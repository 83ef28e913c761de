-- What hooks cost the daemon, in CPU time of its own process (the hook host's is not counted: it has its own core):
--   hooks.call      one call of a hook, as an event and as a decision; 1,000 a second may cost 5 % of a core: 50 us
--   hooks.slot      a due slot up to its create, without hooks and with a before_run hook
--   hooks.burst     ms by the wall clock that the hook adds to a burst of 500, whose creates cost nothing here
--   hooks.late      how late the loop is, in 99 of 100 looks at most, while hooks loop for ever, backtrack, fill memory
-- Prints "figure value unit".
local clock = require "clock"
local executor = require "executor"
local hooks = require "hooks"
local log = require "log"
local registry = require "registry"
local Runner = require "runner"
local schedule = require "schedule"
local sys = require "sys"
local task = require "task"

local CALLS <const>, SLOTS <const>, BURSTS <const> = 2000, 500, 5
log.level "error"

local function nothing() end
local silent = {info = nothing, warning = nothing, error = nothing}

local function folder(files)
  local dir = os.tmpname()
  os.remove(dir)
  assert(sys.mkdir(dir))
  for name, text in pairs(files) do
    local file = assert(io.open(dir .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end
  return dir
end

local function start(text, deadlines)
  local dir = folder {["a.lua"] = text}
  local started = hooks.start {dir = dir, deadlines = deadlines, log = silent}
  os.execute("rm -r " .. dir)
  assert(#started:problems() == 0, (started:problems()[1] or {}).message)
  return started
end

local function event(number)
  return {id = "default/backup-bc941695-1795514310/failed", job = "backup", namespace = "default", kind = "failed",
    run = "backup-bc941695-1795514310", slot = 1795514310 + number, slot_time = "2026-11-24T09:58:30Z", attempt = 0,
    trigger = "schedule", lateness = 0.001, outcome = "failed", exit_code = 1, reason = "Error", started = 1795514310,
    finished = 1795514320, schedule = "* * * * *", file = "./schedule.yml", line = 12,
    log_tail = {"one line of what the job printed", "and another one"},
    history = {runs = 100, failures_in_a_row = 1, p95 = 12}}
end

local function per_call(f)
  local spent = os.clock()
  for i = 1, CALLS do f(i) end
  return (os.clock() - spent) / CALLS * 1e6
end

local quick = start [[
  function before_run(event) if event.job == "other" then return false, "no" end end
  function on_failed(event) if event.exit_code == 137 then alert{title = "out of memory"} end end]]
print(("hooks.call[decision] %.1f us"):format(per_call(function(i) quick:call("before_run", event(i)) end)))
print(("hooks.call[event] %.1f us"):format(per_call(function(i)
  quick:fire("on_failed", event(i))
  if i % SLOTS == 0 then quick:settle() end
end)))

-- Slots

local lines = {"settings: {cron_dialect: standard}"}
for i = 1, SLOTS do lines[i + 1] = ("job-%d: {cron: '0 0 1 1 *', template: pod.yml}"):format(i) end
local dir = folder {["schedule.yml"] = table.concat(lines, "\n"),
  ["pod.yml"] = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: main, image: busybox}]}\n"}
local plan = schedule.load {dir = dir, name = "schedule.yml", instance = "bench", namespace = "default"}
os.execute("rm -r " .. dir)
assert(#plan.jobs == SLOTS)

-- Triggers all jobs at once, waits for all creates: CPU seconds, wall seconds.
local function burst(host)
  local runner = Runner.new {instance = "bench", jobs = plan.jobs, settings = plan.settings, hooks = host,
    alerts = {send = function(_, _, done) if done then done(true) end end, note = nothing, minds = function() return false end},
    history = {add = function() end}}
  local handlers = runner:handlers()
  handlers.executor, handlers.instance = executor.simulated {duration = 0}, "bench"
  local ready, finished
  local count = 0
  handlers.on_ready = function() ready() end
  local jobs = registry.new(handlers)
  runner:attach(setmetatable({start = function(_, ...)
    count = count + 1
    if count == SLOTS then finished() end
    return jobs:start(...)
  end}, {__index = function(_, name) return function(_, ...) return jobs[name](jobs, ...) end end}))
  task.await(function(resume)
    ready = resume
    assert(jobs:open())
  end)
  for _, job in ipairs(plan.jobs) do
    job.baseline = clock.now()
    assert(jobs:add(Runner.spec(job)))
  end
  assert(jobs:begin(clock.now(), {}))
  local spent, began = os.clock(), clock.monotonic()
  task.await(function(resume)
    finished = resume
    for i, job in ipairs(plan.jobs) do assert(runner:trigger(job.name, {id = "r" .. i})) end
  end)
  spent, began = os.clock() - spent, clock.monotonic() - began
  jobs:stop()
  return spent, began
end

local nobody = {defined = function() return false end, fire = function() end}
local cpu, wall = {without = 0, with = 0}, {without = 0, with = 0}
for _ = 1, BURSTS do
  for name, host in pairs {without = nobody, with = quick} do
    local spent, passed = burst(host)
    cpu[name], wall[name] = cpu[name] + spent, wall[name] + passed
  end
end
for _, name in ipairs {"without", "with"} do
  print(("hooks.slot[%s] %.1f us"):format(name, cpu[name] / BURSTS / SLOTS * 1e6))
end
print(("hooks.burst %.1f ms"):format((wall.with - wall.without) / BURSTS * 1000))
quick:close(0)

-- Bad hooks

local bad = start([[
  function on_failed(event)
    local which = event.slot % 4
    if which == 0 then while true do end end
    if which == 1 then while true do pcall(error) end end
    if which == 2 then string.find(("a"):rep(20000), ".-.-.-.-b$") end
    return ("x"):rep(1 << 30)
  end]], {event = 0.1})
local late = {}
local ends = clock.monotonic() + 6
task.spawn(function()
  for i = 1, math.huge do
    if clock.monotonic() > ends then break end
    bad:fire("on_failed", event(i))
    for _, state in pairs(bad.states.on_failed) do state.failures = 0 end -- never off
    task.sleep(0.05)
  end
end)
while clock.monotonic() < ends do
  local wanted = clock.monotonic() + 0.01
  task.sleep(0.01)
  late[#late + 1] = clock.monotonic() - wanted
end
bad:close(0)
table.sort(late)
print(("hooks.late.p99 %.2f ms"):format(late[math.ceil(#late * 0.99)] * 1000))
