-- Which happening belongs to which incident, and what is said.
local clock = require "clock"

local rules = {}

rules.SELF = "kube-scheduler" -- the job of what concerns no job
rules.HELD = "/kube-scheduler/held" -- the incident of slots that are held
rules.HELD_BEFORE = 300 -- seconds before slots were held that its cause may have been at work: a start deadline

local defaults = {group_by = "job", group_wait = 30, group_interval = 300, summary_over = 20, ["repeat"] = 4 * 3600,
  alert_after = 1, recover_after = 1}

-- With defaults for what is not said. given: settings.alerts of the schedule, or nil.
function rules.settings(given)
  local out = {}
  for name, value in pairs(defaults) do out[name] = value end
  for name, value in pairs(given or {}) do out[name] = value end
  return out
end

local FAILING = {failed = true, start_failed = true, timeout = true, evicted = true, lost = true, deleted = true,
  unknown = true}
local NOT_RUN = {missed = true, skipped = true}
local ENDED_BY_SUCCESS = {"failing", "not run", "overdue"}

-- A run that is over, as check-ins tell it.
function rules.is_run(e) return FAILING[e.kind] or e.kind == "recovered" end

-- {incident=}: wrong until it is over; {closes={incident, …}}; {notice=true}: told once in a while, nothing ends it;
-- {direct=true}: told as it comes.
function rules.classify(e)
  local kind = e.kind
  if kind == "hook" then return {direct = true} end
  if FAILING[kind] then return {incident = "failing"} end
  if NOT_RUN[kind] then return {incident = "not run"} end
  if kind == "overdue" or kind == "held" then return {incident = kind} end
  if kind == "released" then return {closes = {"held"}} end
  if kind == "recovered" or kind == "succeeded" then return {closes = ENDED_BY_SUCCESS} end
  return {notice = true, incident = kind}
end

function rules.is_summary(key) return key:find("/many ", 1, true) ~= nil end

-- The key of the incident that speaks for what happened: a summary for its members until they recover, the scheduler's
-- own trouble for what it did to the slots meanwhile. key: of the incident that e, classified as what, belongs to.
function rules.parent(records, key, e, what, now)
  local old = records[key]
  if old and old.want and old.parent and rules.is_summary(old.parent) then return old.parent end
  if what.incident ~= "not run" and e.kind ~= "start_failed" then return nil end
  for other, record in pairs(records) do
    if record.incident == "held" then
      local ended = not record.want and record.changed or now
      local slot = e.slot_time or now
      if slot >= record.since - rules.HELD_BEFORE and slot <= ended then return other end
    end
  end
end

function rules.notice_key(e) return "notice/" .. (e.id or e.kind .. "/" .. (e.job or "")) end

local function copy(e, more)
  local out = {}
  for name, value in pairs(e) do out[name] = value end
  for name, value in pairs(more) do out[name] = value end
  return out
end

-- What a check-in tells of the job beside the run.
function rules.check_in(e, job)
  if not job then return e end
  return copy(e, {monitor = {schedule = type(job.cron) == "string" and job.cron or nil, timezone = job.timezone,
    timeout = job.timeout, deadline = job.deadline, jitter = job.jitter}})
end

-- full: the event as it came, where this daemon saw it. A notice keeps the key that its kind gives.
function rules.trigger(record, full)
  local e = full or record.event
  if record.notice then return e end
  return copy(e, {incident = record.incident, since = record.since})
end

-- What a route is told in the place of another that did not take it.
function rules.instead(e, route) return copy(e, {instead_of = route}) end

local WELL = {held = "deciding slots again", ["not run"] = "running again"}

local function times(n) return n == 1 and "1 failure" or n .. " failures" end

function rules.reminder(record, full)
  local e = full or record.event
  local parts = {e.message, ("still so since %s, %s"):format(clock.format(record.since), times(record.failures))}
  if not e.message then parts = {parts[2]} end
  return copy(e, {incident = record.incident, since = record.since, message = table.concat(parts, "; ")})
end

function rules.over(record)
  local what = record.incident == "failing" and times(record.was or 1) .. " since " or "since "
  return copy(record.over or record.event, {kind = "recovered", incident = record.incident,
    since = record.since, severity = "info",
    title = ("%s is %s"):format(record.job or rules.SELF, WELL[record.incident] or "well again"),
    message = what .. clock.format(record.since)})
end

-- An incident that stands for many: what they are, as far as it is worth reading.
function rules.summary(keys, records, now)
  local names = {}
  for i = 1, math.min(#keys, 10) do
    local record = records[keys[i]]
    names[i] = ("%s %s"):format(record.job or rules.SELF, (record.kind or "failed"):gsub("_", " "))
  end
  local rest = #keys - #names
  return {
    kind = "many", job = rules.SELF, incident = "many " .. now, severity = "error",
    title = ("%d jobs have trouble"):format(#keys),
    message = table.concat(names, ", ") .. (rest > 0 and (", and %d more"):format(rest) or ""),
  }
end

return rules
