-- What is measured of each job, by the daemon that leads only: else every sum over daemons would count twice.
local clock = require "clock"
local steps = require "steps"

local LABELS = {"namespace", "job_name"} -- `job` is Prometheus' own

local function suspended(daemon, job)
  local now, runner = clock.now(), daemon.runner
  local function holds(order) return order ~= nil and (not order["until"] or order["until"] > now) end
  return holds(runner.paused) or holds(runner.suspended[job.name])
end

-- When a success must have come: at the slot after the last success, and the time that it may start and takes.
local function due(daemon, job)
  local known = daemon.outcomes:of(job.name)
  local since = known and known.success_slot or job.baseline
  if not job.schedule or not since or suspended(daemon, job) then return nil end
  local slot = job.schedule:next(since)
  return slot and slot + job.deadline + (known and known.seconds or job.timeout or 0)
end

-- level: of --metrics-jobs; daemon: of lua/metrics/daemon.lua.
return function(m, daemon, level)
  if level == "off" then return end
  -- one sample a job that has one
  local function each(kind, name, help, unit, value)
    m[kind](m, name, help, {labels = LABELS, unit = unit, read = function(emit)
      if not daemon.lead.begun then return end
      local pause = steps.new()
      for _, job in ipairs(daemon.control.jobs) do
        local n = value(job)
        if n ~= nil then emit(n, job.namespace, job.name) end
        pause()
      end
    end})
  end
  local function known(field)
    return function(job)
      local of = daemon.outcomes:of(job.name)
      return of and of[field]
    end
  end
  local function view(job) return daemon.registry:job(job.name) or {} end

  m:info("job_info", "Each job's schedule", {labels = {"namespace", "job_name", "schedule", "timezone", "overlap"},
    read = function(emit)
      for _, job in ipairs(daemon.lead.begun and daemon.control.jobs or {}) do
        local cron = type(job.cron) == "table" and table.concat(job.cron, "; ") or job.cron or ""
        emit(1, job.namespace, job.name, cron, job.schedule and job.schedule:zone() or "", job.overlap or "")
      end
    end})
  each("gauge", "job_next_slot_timestamp_seconds", "When the job runs next; absent while it is suspended or disabled",
    "seconds", function(job) return not suspended(daemon, job) and view(job).next or nil end)
  each("gauge", "job_last_success_timestamp_seconds", "When a run of the job last succeeded", "seconds",
    known "last_success")
  each("gauge", "job_success_due_timestamp_seconds", "By when the job must have succeeded again: its slot after the " ..
    "last success, its start deadline and what its last run took", "seconds", function(job) return due(daemon, job) end)
  each("gauge", "job_consecutive_failures", "Runs that did not succeed since the last that did", nil,
    function(job) return (daemon.outcomes:of(job.name) or {failures = 0}).failures end)
  each("gauge", "job_suspended", "Whether the job's slots are skipped because somebody said so", nil,
    function(job) return suspended(daemon, job) end)
  if level ~= "full" then return end
  each("gauge", "job_active_runs", "Runs that are under way", nil, function(job) return view(job).active end)
  each("gauge", "job_queued_slots", "Slots that wait for their turn", nil, function(job) return view(job).waiting end)
  each("gauge", "job_last_run_duration_seconds", "What the job's last success took", "seconds", known "seconds")
  each("gauge", "job_last_failure_timestamp_seconds", "When a run of the job last did not succeed", "seconds",
    known "last_failure")
end
