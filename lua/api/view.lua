-- Jobs, runs and slots as the API shows them: each instant as unix seconds and as RFC 3339 in the job's zone.
local calendar = require "calendar"
local clock = require "clock"
local json = require "json"
local schedule = require "schedule"
local when = require "when"

local view = {}

-- {unix=, time=}, or nil. zone: default UTC.
function view.time(t, zone) return t and {unix = t, time = when.format(t, zone or "UTC")} end

local function order(o, zone)
  if not o or o["until"] and o["until"] <= clock.now() then return nil end
  return {by = o.by, reason = o.reason, ["until"] = view.time(o["until"], zone)}
end
view.order = order

-- A record of the history, or a run that is under way (lua/history.lua, registry:runs()).
function view.run(run, zone)
  return {
    id = run.run or run.name, job = run.job, namespace = run.namespace, slot = view.time(run.slot, zone),
    attempt = run.attempt, trigger = run.trigger, state = run.state or "finished", outcome = run.outcome,
    exit_code = run.exit_code, reason = run.reason, message = run.message, by = run.by, lateness = run.lateness,
    started = view.time(run.started, zone), finished = view.time(run.finished, zone), missed = run.missed,
    missed_from = view.time(run.missed_from, zone), retry_at = view.time(run.retry_at, zone),
  }
end

function view.state(daemon, job)
  if not job.schedule then return "disabled" end
  if order(daemon.runner.paused) or order(daemon.runner.suspended[job.name]) then return "suspended" end
  local last = daemon.history:latest()[job.name]
  if last and last.outcome ~= "succeeded" then return "failing" end
  return "enabled"
end

function view.next(daemon, job)
  local known = daemon.registry:job(job.name)
  return known and known.next and calendar.next(job, known.next - 1) or nil
end

function view.job(daemon, job)
  local zone = job.schedule and job.schedule:zone()
  local known, last = daemon.registry:job(job.name) or {}, daemon.history:latest()[job.name]
  return {
    name = job.name, namespace = job.namespace, description = job.description, state = view.state(daemon, job),
    schedule = json.array(schedule.expressions(job)), timezone = zone, overlap = job.overlap,
    next = view.time(view.next(daemon, job), zone), active = known.active or 0, waiting = known.waiting or 0,
    last = last and view.run(last, zone), suspended = order(daemon.runner.suspended[job.name], zone),
  }
end

return view
