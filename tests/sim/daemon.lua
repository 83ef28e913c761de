-- One daemon of the simulation: scripts/daemon.lua without hooks, routes and commands. arg[1]: JSON of {identity=,
-- seed=, mutant=}. What becomes of runs and slots goes to tell, a function of the world's.
local executor = require "executor"
local json = require "json"
local kube = require "kube"
local leader = require "leader"
local log = require "log"
local registry = require "registry"
local Runner = require "runner"
local schedule = require "schedule"
local State = require "state.kubernetes"
local task = require "task"

local options = json.parse(arg[1])
math.randomseed(options.seed)
local client = assert(kube.connect {path = "tests/sim/kubeconfig"})
local plan = schedule.load {dir = "tests/sim", name = "schedule.yml", instance = "x", namespace = "n"}
assert(plan.problems:errors() == 0, "tests/sim/schedule.yml has mistakes")
local where = executor.kubernetes(client, {instance = "x", namespaces = {"n"}})
local unfenced = {fence_after = function() end}
local state = State.new {client = client, namespace = "n", instance = "x", identity = options.identity,
  executor = options.mutant == "no fence" and unfenced or where}

local alerts = {note = function() end, minds = function() end}
function alerts.send(_, _, done) -- delivered a little later, or much
  if not done then return end
  task.spawn(function()
    task.sleep(math.random() < 0.8 and 0.05 or 20 * math.random())
    done(true)
  end)
end
local history = {}
function history.add(_, run)
  tell(json.encode {run = run.name, job = run.job, slot = run.slot, attempt = run.attempt, missed = run.missed,
    missed_from = run.missed_from, outcome = run.outcome, replaced = run.replaced})
end
local hooks = {defined = function() return false end, fire = function() end}

local runner = Runner.new {instance = "x", jobs = plan.jobs, settings = plan.settings, hooks = hooks, alerts = alerts,
  history = history}
local handlers = runner:handlers()
handlers.executor, handlers.instance = where, "x"
if options.mutant == "no retention" then handlers.retention = 0 end
local adopted
handlers.on_ready = function() adopted() end
local jobs = registry.new(handlers)
local recalled = options.mutant ~= "no recall" and jobs or setmetatable({recall = function() end}, {
  __index = function(_, name)
    return function(_, ...) return jobs[name](jobs, ...) end
  end})
runner:attach(recalled)

-- Somebody changes a job, and orders it not to run for a while, at any time: also between a decision ahead and its
-- slot.
local function meddle(name)
  local version = 0
  while true do
    task.sleep(3 * math.random())
    local job = {}
    for key, value in pairs(runner.jobs[name]) do job[key] = value end
    version = version + 1
    job.args, job.prepared = json.array {tostring(version)}, nil
    runner:set_job(name, job)
    local suspended = math.random() < 0.3
    runner:set_orders(suspended and {[name] = {by = "the test"}} or {}, nil)
    tell(json.encode {ordered = name, suspended = suspended, version = version})
  end
end
task.spawn(meddle, "single")

-- The mistakes that the simulation must find: what leader writes differs from what the registry says.
local mutants = {}
mutants["early watermark"] = function(_, open) return require "clock".now(), open end
mutants["no open list"] = function(mark) return mark, {} end
local seen = jobs
if mutants[options.mutant] then
  seen = setmetatable({}, {__index = function(_, name)
    return function(_, ...) return jobs[name](jobs, ...) end
  end})
  function seen.watermark() return mutants[options.mutant](jobs:watermark()) end
end

local lead = leader.new {state = state, client = client, registry = seen, alerts = alerts, jobs = plan.jobs,
  whole = true, spec = runner.spec, restore = function() end,
  open = function()
    task.await(function(resume)
      adopted = resume
      assert(jobs:open())
    end)
  end}
local why = task.await(function(resume)
  function terminate() resume "SIGTERM" end
  lead.on_lost = resume
  local leads, refusal = lead:start()
  if not leads then return resume(refusal) end
end)
log.info("stopping", {reason = why})
jobs:stop()
lead:stop()
return true
