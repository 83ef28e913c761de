-- What hooks and alerts are told: one flat table a happening, the same for both. lua/HOOKS.md describes it
-- field by field.
local clock = require "clock"

local event = {}

-- kind: a hook's name without on_, such as "failed". run: of the registry; job: of the schedule, or nil.
function event.of_run(kind, run, job)
  local e = {
    kind = kind,
    id = ("%s/%s/%s"):format(run.namespace, run.name, kind),
    job = run.job, namespace = run.namespace, run = run.name, slot = run.slot, slot_time = clock.format(run.slot),
    attempt = run.attempt, trigger = run.trigger, lateness = run.lateness, outcome = run.outcome,
    exit_code = run.exit_code, reason = run.reason, message = run.message, started = run.started,
    finished = run.finished, log_tail = run.log_tail, missed = run.missed, missed_from = run.missed_from,
    retry_at = run.retry_at, node = run.node,
  }
  if job then
    e.schedule = type(job.cron) == "table" and table.concat(job.cron, "; ") or job.cron
    e.description = job.description
    e.file, e.line = job.file, job.line
  end
  return e
end

-- What a hook's alert{…} says about the happening that it was told of.
function event.of_hook(effect, cause)
  return {
    kind = "hook", id = cause.id .. "/" .. effect.title, job = cause.job, namespace = cause.namespace, run = cause.run,
    slot_time = cause.slot, slot = cause.slot_time, title = effect.title, message = effect.message,
    severity = effect.severity,
  }
end

-- The same for alerts, whose slot_time is a number and whose slot is its text.
function event.for_alert(e)
  local copy = {}
  for name, value in pairs(e) do copy[name] = value end
  copy.slot_time, copy.slot = e.slot, e.slot_time
  return copy
end

-- Something about the scheduler itself. subject: what it is about, for telling one from another.
function event.of_scheduler(kind, subject, message, more)
  local e = {kind = kind, id = kind .. "/" .. subject, job = "kube-scheduler", message = message}
  for name, value in pairs(more or {}) do e[name] = value end
  return e
end

event.NAMED = 10 -- jobs of each kind of change that the event of a reload names

local function names_of(changes, what)
  local names = {}
  for _, change in ipairs(changes) do
    if change.what == what and #names < event.NAMED then names[#names + 1] = change.name end
  end
  return #names > 0 and ("%s: %s"):format(what, table.concat(names, ", ")) or nil
end

-- The schedule, its templates or hooks were taken up anew. options: {at=, changes= (of reload.diff; the
-- first of each kind are enough), settings= (keys that changed), hooks= (whether they changed)}
function event.of_reload(options)
  local parts = {}
  for _, what in ipairs {"added", "removed", "changed"} do parts[#parts + 1] = names_of(options.changes, what) end
  if #options.settings > 0 then parts[#parts + 1] = "settings: " .. table.concat(options.settings, ", ") end
  if options.hooks then parts[#parts + 1] = "hooks" end
  return {kind = "reload", id = "reload/" .. clock.format(options.at), slot = options.at,
    slot_time = clock.format(options.at), message = #parts > 0 and table.concat(parts, "; ") or "nothing changed"}
end

-- This daemon leads since `at`.
function event.of_leader(options)
  return {kind = "leader", id = ("leader/%s/%s"):format(options.instance, clock.format(options.at)), slot = options.at,
    slot_time = clock.format(options.at), message = "leads from now on"}
end

-- A mistake in the schedule.
function event.of_problem(problem)
  local text = require "problems".format(problem)
  return event.of_scheduler("config_error", ("%s:%d"):format(problem.file, problem.line), text,
    {file = problem.file, line = problem.line})
end

return event
