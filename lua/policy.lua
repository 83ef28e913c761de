-- Whether and when a run goes. The rules are here to be read and changed: C only counts, and asks again when
-- something changes.
local calendar = require "calendar"
local clock = require "clock"

local policy = {}

local function is_scheduled(run) return run.trigger == "schedule" or run.trigger == "catch-up" end

-- order: {until=, reason=, by=}, or nil. -> nil, or why it holds.
local function holds(order, word)
  if not order or (order["until"] and clock.now() >= order["until"]) then return nil end
  local parts = {word}
  if order.by then parts[#parts + 1] = " by " .. order.by end
  if order["until"] then parts[#parts + 1] = " until " .. clock.format(order["until"]) end
  if order.reason then parts[#parts + 1] = ": " .. order.reason end
  return table.concat(parts)
end

-- Whether the slots of a job are dropped now: nil, or the reason. orders: {suspended={JOB=order}, paused=order}.
function policy.held(job_name, orders)
  return holds(orders.paused, "paused") or holds(orders.suspended and orders.suspended[job_name], "suspended")
end

-- A run that comes first gets in the queue, if there is a place; one that has waited already has one.
local function wait(job, run, why)
  if not run.waited and run.attempt == 0 and run.queued >= job.queue then
    return "skip", ("%s, and %d wait already"):format(why, run.queued)
  end
  return "wait", why
end

local upstream_words = {
  never = "%s has not run yet", pending = "%s is not over", succeeded = "%s succeeded", failed = "%s failed",
  skipped = "%s was skipped",
}

local function after(job, run)
  local why = "after: " .. upstream_words[run.upstream.state]:format(run.upstream.job)
  if run.upstream.state ~= "pending" and run.upstream.state ~= "never" then return "skip", why end
  return wait(job, run, why)
end

local function still_active(count)
  return "overlap: " .. (count == 1 and "a run is" or count .. " runs are") .. " still active"
end

local function overlap(job, run)
  local why = still_active(run.active)
  if run.attempt > 0 then return "wait", why end
  if job.overlap == "forbid" then return "skip", why end
  if job.overlap == "replace" then return "replace" end
  return wait(job, run, why)
end

local function full(job, run)
  return wait(job, run, run.blocked == "limit" and ("limit %s is reached"):format(job.limit)
    or "as many runs as settings.max_active allows are active")
end

-- job: as schedule.load gives it, or nil when it is no longer there. run: of event slot. orders: what somebody
-- ordered, see policy.held. Returns "run"; "skip" and the reason, or "drop" when
-- somebody ordered it or the calendar says so, so that nobody is alerted; "wait" and for what; or "replace".
function policy.decide(job, run, orders)
  if not job then return "skip", "the job is no longer in the schedule" end
  if is_scheduled(run) then
    local dropped = policy.held(run.job, orders) or calendar.reason(job, run.slot, clock.now())
    if dropped then return "drop", dropped end
  end
  if run.upstream then return after(job, run) end
  if run.blocked == "job" then return overlap(job, run) end
  if job.overlap == "forbid" and run.queued > 0 and not run.waited and run.attempt == 0 then
    return "skip", "overlap: an earlier run still waits"
  end
  if run.blocked then return full(job, run) end
  return "run"
end

-- Whether a job that a hook could not judge runs all the same.
function policy.after_hook_error(job) return job.on_hook_error ~= "skip" end

return policy
