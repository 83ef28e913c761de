-- kube-scheduler simulate: what a schedule would do in a window of time. Slots in [from, to) go through everything
-- but the world: lua/simulation.lua.
local clock = require "clock"
local diff = require "simulate.diff"
local json = require "json"
local log = require "log"
local problems = require "problems"
local progress = require "simulate.progress"
local report = require "simulate.report"
local schedule = require "schedule"
local simulation = require "simulation"
local tally = require "simulate.tally"
local terminal = require "terminal"
local text = require "text"
local when = require "when"

local simulate = {}

local WEEK <const> = 7 * 86400
local MOST_CHANGES <const> = 10 -- of a job, that --diff shows unless all are wanted

-- --from and --to -> from, to; or nil, message.
function simulate.window(options, now)
  local zone = options.timezone
  local from, message = when.parse(options.from or "now", now, zone)
  if not from then return nil, "--from: " .. message end
  local to = from + WEEK
  if options.to then
    to, message = when.parse(options.to, from, zone)
    if not to then return nil, "--to: " .. message end
  end
  if to <= from then return nil, "--to must be later than --from" end
  return from, to
end

-- --duration JOB=5m, several times -> {job = seconds}; or nil, message.
function simulate.durations(given, jobs)
  local out, names = {}, {}
  for i, job in ipairs(jobs) do names[i] = job.name end
  local known = {}
  for _, name in ipairs(names) do known[name] = true end
  for _, one in ipairs(given or {}) do
    local job, value = one:match "^(.*)=(.*)$"
    local seconds = job and text.duration(value)
    if not seconds then return nil, ("--duration '%s': write JOB=5m"):format(one) end
    if not known[job] then
      return nil, ("--duration: there is no job '%s'%s"):format(job, text.did_you_mean(job, names))
    end
    out[job] = seconds
  end
  return out
end

-- Mistakes go to stderr; false: nothing good is left to simulate.
local function tell_problems(plan)
  for _, problem in ipairs(plan.problems) do
    if problem.severity == "error" then io.stderr:write(problems.format(problem), "\n") end
  end
  return #plan.jobs > 0 or plan.problems:errors() == 0
end

function simulate.load(options, dir, name)
  local plan = schedule.load {dir = dir, name = name, instance = options.instance, namespace = options.namespace,
    hooks = options.hooks}
  return tell_problems(plan) and plan or nil
end

-- What the simulation tells, handed to the tally and the report.
local function make_watch(counts, out, effects)
  local function told(kind, job, what)
    effects[kind] = (effects[kind] or 0) + 1
    out:told(kind, {job = job, what = what, at = clock.now()})
  end
  return {
    started = function(run)
      local now = clock.now()
      counts:started(run, now)
      out:started(run, now)
    end,
    ended = function(run)
      counts:ended(run)
      out:ended(run)
    end,
    skipped = function(run, reason)
      counts:skip(run, reason)
      out:skipped(run, reason, clock.now())
    end,
    alert = function(event)
      if event.kind == "hook" or event.kind == "hook_error" then
        told("alert", event.job, event.title or event.message:match "[^\n]*")
      end
    end,
    post = function(effect, event) told("http.post", event.job, effect.url) end,
  }
end

local function hooks_of(options, watch)
  local hooks = simulation.hooks(options.hooks or options.dir .. "/hooks", watch)
  for _, problem in ipairs(hooks.host:problems()) do
    io.stderr:write(("%s: %s\n"):format(problem.file or "hooks", problem.message))
  end
  return hooks
end

-- plan: of schedule.load. Waits.
function simulate.run(plan, options, from, to, durations)
  log.level "error"
  collectgarbage "generational"
  local zone, names = options.timezone or plan.settings.timezone or "UTC", {}
  for i, job in ipairs(plan.jobs) do names[i] = job.name end
  local as_json = options.format == "json"
  local counts = tally.new {zone = zone, jobs = names, all = options.all or as_json}
  local out = as_json and report.json(from, to) or report.text(terminal.stdout(), zone, options.all)
  local bar, effects = progress.new(from, to), {}
  local watch = make_watch(counts, out, effects)
  local hooks = hooks_of(options, watch)
  local virtual = clock.virtual(from - 1)
  local sim = simulation.new {jobs = plan.jobs, clock = virtual, hooks = hooks, watch = watch,
    instance = options.instance, durations = durations, settings = plan.settings}
  sim:begin()
  bar:start()
  virtual:run_until(to - 1)
  bar:clear()
  out:close(counts, from, to, effects)
  return 0
end

local function print_diff(changes, out, zone)
  local rows = {}
  for i, change in ipairs(changes) do rows[i] = {change.job, change.added, change.removed} end
  io.write(out:table({"job", "added", "removed"}, rows, {right = {[2] = true, [3] = true}}))
  for _, change in ipairs(changes) do
    print()
    for _, one in ipairs(change.slots) do
      local added = one.change == "added"
      print(out:paint(added and "green" or "red", ("%s %s  %s"):format(added and "+" or "-",
        when.civil(one.slot, zone), terminal.clean(change.job))))
    end
    local more = change.added + change.removed - #change.slots
    if more > 0 then print(("… and %d more: --all"):format(more)) end
  end
end

-- --diff OTHER.yml: what happens to the slots when OTHER takes the schedule's place.
function simulate.diff(plan, other, options, from, to)
  local as_json = options.format == "json"
  local most = (options.all or as_json) and math.maxinteger or MOST_CHANGES
  local changes = diff(plan.jobs, other.jobs, from, to, most)
  local zone = options.timezone or plan.settings.timezone or "UTC"
  if as_json then
    for _, change in ipairs(changes) do change.slots = json.array(change.slots) end
    terminal.json {from = clock.format(from), to = clock.format(to), changes = json.array(changes)}
  elseif #changes == 0 then
    print("No slot changes.")
  else
    print_diff(changes, terminal.stdout(), zone)
  end
  return 0
end

return simulate
