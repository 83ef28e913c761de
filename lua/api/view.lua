-- Jobs, runs and slots as the API shows them: each instant as unix seconds and as RFC 3339 in the job's zone.
local calendar = require "calendar"
local clock = require "clock"
local json = require "json"
local schedule = require "schedule"
local when = require "when"

local view = {}

-- {unix=, time=}, or nil. zone: default UTC.
function view.time(t, zone) return t and {unix = t, time = when.format(t, zone or "UTC")} end

-- Whether an order holds now.
local function holds(o) return o ~= nil and (not o["until"] or o["until"] > clock.now()) end

-- A suspension, pause or silence that holds, or nil.
function view.order(o, zone)
  if not holds(o) then return nil end
  return {by = o.by, reason = o.reason, since = view.time(o.since, zone), ["until"] = view.time(o["until"], zone)}
end

local function seconds(run)
  return run.started and run.finished and math.max(0, run.finished - run.started) or nil
end

-- A record of the history, or a run that is under way (lua/history.lua, registry:runs()).
function view.run(run, zone)
  return {
    id = run.run or run.name, job = run.job, namespace = run.namespace, slot = view.time(run.slot, zone),
    attempt = run.attempt, trigger = run.trigger, state = run.state or "finished", outcome = run.outcome,
    exit_code = run.exit_code, reason = run.reason, message = run.message, by = run.by, lateness = run.lateness,
    started = view.time(run.started, zone), finished = view.time(run.finished, zone), seconds = seconds(run),
    missed = run.missed, missed_from = view.time(run.missed_from, zone), retry_at = view.time(run.retry_at, zone),
  }
end

-- The same in a bar: what a list shows of the last runs.
function view.bar(record)
  return {id = record.run, outcome = record.outcome, slot = record.slot, seconds = seconds(record),
    reason = record.reason}
end

-- What is known of how the job did: {failures= (in a row), last_success=, last_failure=, seconds=}.
local nothing <const> = {failures = 0}
function view.did(daemon, job) return daemon.outcomes:of(job.name) or nothing end

function view.suspended(daemon, job)
  return holds(daemon.runner.paused) or holds(daemon.runner.suspended[job.name])
end

function view.state(daemon, job)
  if not job.schedule then return "disabled" end
  if view.suspended(daemon, job) then return "suspended" end
  return view.did(daemon, job).failures > 0 and "failing" or "enabled"
end

-- Until when slots are skipped: nil, not at all; math.huge, without an end.
local function skipped_until(daemon, job)
  local latest
  for _, o in ipairs {daemon.runner.paused or false, daemon.runner.suspended[job.name] or false} do
    if o and holds(o) then latest = math.max(latest or 0, o["until"] or math.huge) end
  end
  return latest
end

-- The slot that the job runs at next: behind a suspension that ends, none in one that does not.
function view.next(daemon, job)
  local known, ends = daemon.registry:job(job.name), skipped_until(daemon, job)
  if not known or not known.next or ends == math.huge then return nil end
  local from = math.max(known.next, ends or 0)
  if from == known.next and not job.days and not job.freezes then return from end
  return calendar.next(job, from - 1)
end

local function next_slot(daemon, job, zone)
  local out = view.time(view.next(daemon, job), zone)
  if out then out.effect = job.schedule:effect(out.unix) end
  return out
end

-- recent: the last records, newest first.
function view.job(daemon, job, recent)
  local zone = job.schedule and job.schedule:zone()
  local known, last, did = daemon.registry:job(job.name) or {}, daemon.history:latest()[job.name], view.did(daemon, job)
  local bars = {}
  for i, record in ipairs(recent or {}) do bars[#recent - i + 1] = view.bar(record) end
  return {
    name = job.name, namespace = job.namespace, description = job.description, state = view.state(daemon, job),
    schedule = json.array(schedule.expressions(job)), words = job.schedule and job.schedule:describe(),
    timezone = zone, overlap = job.overlap, next = next_slot(daemon, job, zone),
    active = known.active or 0, waiting = known.waiting or 0,
    last = last and view.run(last, zone), recent = recent and json.array(bars),
    failures = did.failures, last_success = view.time(did.last_success, zone),
    last_failure = view.time(did.last_failure, zone), usual_seconds = did.seconds,
    suspended = view.order(daemon.runner.suspended[job.name], zone),
    silenced = view.order(daemon.alerts.silences[job.name], zone),
  }
end

return view
