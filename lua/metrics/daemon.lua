-- What the daemon measures. daemon: of scripts/daemon.lua; it gets daemon.outcomes here.
--   local m = require "metrics.daemon".new(daemon, level)   level: of jobs: "off", "basic", "full"
--   m.answered(route, status)     m.clients(): set by who has event streams
--   m:respond(request)            the answer to a scrape
local clock = require "clock"
local metrics = require "metrics"
local of_jobs = require "metrics.jobs"
local of_process = require "metrics.process"
local Outcomes = require "metrics.outcomes"
local sys = require "sys"
local task = require "task"
local text = require "text"

local Measured = {}
Measured.__index = Measured

local HISTORY = 20000 -- records looked at for what was before our time

local outcomes = {"succeeded", "failed", "timeout", "start_failed", "evicted", "lost", "deleted", "unknown"}
local triggers = {"schedule", "manual", "catch_up", "backfill", "retry"}
local LATENESS = {.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
local PENDING = {.5, 1, 2.5, 5, 10, 30, 60, 300, 900}
local DURATION = {1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 21600, 43200, 86400}

-- What became of slots and runs, counted as they are told: not again by a new leader that finds their objects.
local function count_runs(m, daemon)
  local slots = m:counter("slots_total", "Slots, by what was decided", {labels = {"decision"}})
  local runs = m:counter("runs_total", "Attempts that are over", {labels = {"outcome", "trigger"}})
  local lateness = m:histogram("slot_lateness_seconds", "From a slot to its object being asked for",
    {unit = "seconds", buckets = LATENESS})
  local pending = m:histogram("run_pending_seconds", "From a slot to its container's start",
    {unit = "seconds", buckets = PENDING})
  local duration = m:histogram("run_duration_seconds", "From a run's start to its end",
    {labels = {"outcome"}, unit = "seconds", buckets = DURATION})
  for _, decision in ipairs(Outcomes.decisions) do slots:add(0, decision) end
  for _, outcome in ipairs(outcomes) do
    for _, trigger in ipairs(triggers) do runs:add(0, outcome, trigger) end
  end
  daemon.runner:listen(function(what, run)
    if what == "asked" and run.attempt == 0 then slots:add(1, "run") end
    if what == "asked" and run.trigger == "schedule" then lateness:observe(run.lateness) end
    if what == "started" then pending:observe(math.max(0, (run.started or clock.now()) - run.slot)) end
  end)
  daemon.history:listen(function(record, run, rebuilt)
    daemon.outcomes:add(record, run)
    if rebuilt then return end
    if record.outcome == "skipped" or record.outcome == "missed" then
      return slots:add(record.missed or 1, Outcomes.decision(record))
    end
    runs:add(1, record.outcome, (record.trigger:gsub("-", "_")))
    if record.started and record.finished then duration:observe(record.finished - record.started, record.outcome) end
  end)
end

local function count_work(m, daemon)
  local function sum(...)
    local states = {...}
    return function(emit)
      local n, counts = 0, daemon.registry:counts()
      for _, state in ipairs(states) do n = n + counts[state] end
      emit(n)
    end
  end
  m:gauge("active_runs", "Runs that are under way",
    {read = sum("deciding", "submitted", "accepted", "started")})
  m:gauge("queued_slots", "Slots that wait for their turn", {read = sum "waiting"})
  m:gauge("jobs", "Jobs of the schedule", {labels = {"state"}, read = function(emit)
    local enabled = 0
    for _, job in ipairs(daemon.control.jobs) do enabled = enabled + (job.schedule and 1 or 0) end
    emit(enabled, "enabled")
    emit(#daemon.control.jobs - enabled, "disabled")
    emit(#daemon.control.bad, "broken")
  end})
end

local function of_leading(m, daemon)
  local lead = daemon.lead
  m:gauge("leader", "Whether this daemon leads",
    {read = function(emit) emit(lead.begun and not lead.lost or false) end})
  m:counter("leader_transitions_total", "How often the lease went to another", {read = function(emit)
    local described = lead.begun and daemon.state:describe()
    if described and described.transitions then emit(described.transitions) end
  end})
  m:gauge("watermark_timestamp_seconds", "Up to when every slot is decided", {unit = "seconds", read = function(emit)
    if lead.begun then emit((daemon.registry:peek())) end
  end})
  m:gauge("slots_held", "Whether no slot is decided, because the clock or the lease is in doubt",
    {read = function(emit) emit(lead.held ~= nil) end})
end

local function of_telling(m, daemon)
  local function of_each_hook(name, help, field)
    m:counter(name, help, {labels = {"hook"}, read = function(emit)
      local counts = daemon.hooks:counters()[field]
      for _, hook in ipairs(text.keys(counts)) do emit(counts[hook], hook) end
    end})
  end
  local function of_hooks(name, help, field)
    m:counter(name, help, {read = function(emit) emit(daemon.hooks:counters()[field]) end})
  end
  of_each_hook("hook_calls_total", "Calls of operators' hooks", "calls")
  of_each_hook("hook_failures_total", "Calls that failed", "failures")
  of_hooks("hook_events_dropped_total", "Events that no hook was told of", "dropped")
  of_hooks("hook_limit_kills_total", "Hook hosts that were killed for what they did", "kills")
  m:counter("alerts_sent_total", "Alerts, by route and what became of them", {labels = {"route", "result"},
    read = function(emit)
      for _, route in ipairs(text.keys(daemon.alerts.sender.stats)) do
        for _, result in ipairs {"delivered", "failed", "dropped"} do
          emit(daemon.alerts.sender.stats[route][result], route, result)
        end
      end
    end})
end

local function tzdata_version()
  return (sys.read "/usr/share/zoneinfo/tzdata.zi" or ""):match "^# version (%S+)" or "unknown"
end

local function of_machinery(m, daemon)
  local version = tzdata_version()
  local function configuration() return daemon.control.reload:describe() end
  m:gauge("config_last_reload_successful", "Whether the schedule was last read without a mistake",
    {read = function(emit)
      emit(daemon.plan.problems:errors() == 0 and not configuration().refused)
    end})
  m:gauge("config_last_reload_success_timestamp_seconds", "When the schedule that runs was read", {unit = "seconds",
    read = function(emit) emit(configuration().since) end})
  m:gauge("loop_lag_seconds", "How late the event loop came to a task that was due at once", {unit = "seconds",
    read = function(emit)
      local before = clock.monotonic()
      task.sleep(0)
      emit(clock.monotonic() - before)
    end})
  m:gauge("lua_memory_bytes", "Memory that Lua uses", {unit = "bytes",
    read = function(emit) emit(math.floor(collectgarbage "count" * 1024)) end})
  m:info("build_info", "What runs", {labels = {"version"}, read = function(emit) emit(1, sys.version) end})
  m:info("tzdata_info", "The time zones that are used",
    {labels = {"version"}, read = function(emit) emit(1, version) end})
end

function Measured.new(daemon, level)
  daemon.outcomes = Outcomes.new()
  daemon.outcomes:seed(daemon.history:list {limit = HISTORY})
  local m = metrics.new "kubescheduler_"
  local self = setmetatable({metrics = m}, Measured)
  count_runs(m, daemon)
  count_work(m, daemon)
  of_leading(m, daemon)
  of_telling(m, daemon)
  of_machinery(m, daemon)
  local requests = m:counter("http_requests_total", "Answers by HTTP", {labels = {"route", "code"}})
  self.answered = function(route, status) requests:add(1, route, status) end
  m:gauge("event_stream_clients", "Who listens to events", {read = function(emit)
    emit(self.clients and self.clients() or 0)
  end})
  of_jobs(m, daemon, level)
  of_process(m)
  return self
end

-- In slices, with the loop's turn between them: 10,000 jobs are megabytes, and no slot waits for them.
function Measured:respond(request)
  local format = metrics.choose(request.headers.accept)
  return {headers = {["Content-Type"] = metrics.types[format], ["Cache-Control"] = "no-store"}, stream = function(out)
    local function put(lines)
      out:write(lines)
      out:drain()
      task.sleep(0)
    end
    self.metrics:write(format, put)
  end}
end

return Measured
