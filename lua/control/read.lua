-- What commands may ask the daemon: jobs, history, status, why. Rows come newest or first name first, and a way with
-- little room may cut them.
local calendar = require "calendar"
local clock = require "clock"
local json = require "json"
local schedule = require "schedule"
local why = require "why"

local read = {}

local LIMIT = 1000 -- rows of history

-- The order that holds now, or nil.
local function in_force(order, now)
  if order and (not order["until"] or order["until"] > now) then return order end
end

local function brief(record)
  if not record then return nil end
  return {outcome = record.outcome, slot = record.slot, reason = record.reason, exit_code = record.exit_code,
    finished = record.finished or record.at}
end

-- One job as `jobs` prints it. latest: of history.
local function row_of(self, job, latest, now)
  local known = self.registry:job(job.name) or {}
  local kept = known.next and calendar.next(job, known.next - 1)
  return {name = job.name, namespace = job.namespace, next = kept, cron = json.array(schedule.expressions(job)),
    timezone = job.timezone, active = known.active or 0,
    disabled = job.schedule == nil or nil, last = brief(latest[job.name]), description = job.description,
    suspended = in_force(self.runner.suspended[job.name], now)}
end

function read.jobs(self, request)
  local now, rows, latest = clock.now(), {}, self.history:latest()
  for _, job in ipairs(self.jobs) do
    if not request.job or request.job == job.name then rows[#rows + 1] = row_of(self, job, latest, now) end
  end
  return {rows = json.array(rows), paused = in_force(self.runner.paused, now)}
end

function read.history(self, request)
  if request.job and not self.history:latest()[request.job] then
    local job, problem = self:wanted(request.job)
    if not job then return nil, problem end
  end
  local limit = math.min(request.limit or 20, LIMIT)
  return {rows = json.array(self.history:list {job = request.job, limit = limit})}
end

local over = {finished = true, skipped = true}

-- Of the attempts at a run those that still go on, and the record of the last when none does.
function read.run(self, request)
  local job, problem = self:wanted(request.job)
  if not job then return nil, problem end
  if type(request.run) ~= "string" then return nil, "run: a name expected" end
  local last
  for _, run in ipairs(self.registry:runs(job.name)) do
    local attempt = run.name == request.run or run.name:sub(1, #request.run + 2) == request.run .. "-r"
    if attempt and not over[run.state] then return {run = run.name, state = run.state, reason = run.reason} end
    if attempt and (not last or run.attempt > last.attempt) then last = run end
  end
  local record = self.history:named(last and last.name or request.run)
  if not record and last then return {run = last.name, state = last.state} end -- about to be recorded
  if not record then return nil, ("there is no run '%s' of %s: see history"):format(request.run, job.name) end
  return {run = record.run, record = record}
end

local function by_state(registry)
  local counts = {}
  for state, n in pairs(registry:counts()) do counts[state] = n > 0 and n or nil end
  return counts
end

local function waiting(open)
  local out = {}
  for _, entry in ipairs(open) do
    if entry.waits then
      out[#out + 1] = {job = entry.job, slot = entry.slot, reason = entry.waits, not_before = entry.not_before}
    end
  end
  return json.array(out)
end

function read.status(self)
  local now = clock.now()
  local watermark, open = self.registry:peek()
  local suspended = {}
  for name, order in pairs(self.runner.suspended) do suspended[name] = in_force(order, now) end
  local silences = {}
  for name, order in pairs(self.alerts.silences) do silences[name] = in_force(order, now) end
  return {
    instance = self.instance, executor = self.where.kind, namespace = self.where.namespace,
    leader = self.state:describe(), since = self.lead.since, watermark = watermark, undecided = #open,
    held = self.lead.held, jobs = #self.jobs, bad = json.array(self.bad), runs = json.object(by_state(self.registry)),
    waiting = waiting(open), paused = in_force(self.runner.paused, now), suspended = json.object(suspended),
    silences = json.object(silences),
    backfills = json.array(self.backfill:describe()), configuration = self.reload:describe(),
  }
end

function read.why(self, request)
  local job, problem = self:wanted(request.job)
  if not job then return nil, problem end
  if math.type(request.slot) ~= "integer" then return nil, "slot: unix seconds expected" end
  local baseline = (self.lead.baselines or {})[job.name]
  return why.slot {
    job = job, slot = request.slot, now = clock.now(), records = self.history:find(job.name, request.slot),
    runs = self.registry:runs(job.name), suspended = self.runner.suspended[job.name], paused = self.runner.paused,
    baseline = baseline and baseline.since, held = self.lead.held, since = self.lead.since,
    watermark = (self.registry:peek()),
  }
end

return read
