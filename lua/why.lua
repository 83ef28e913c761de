-- Why a slot ran, or did not: from what was recorded, what was ordered, and what the schedule says.
--   why.slot{job=, slot=, now=, records= of history:find, runs=, suspended=, paused=, baseline=, held=, since=,
--            watermark=} -> {job=, slot=, verdict=, text=, run=, record=}
-- verdict: ran, skipped, missed, running, waiting, never, before, future, suspended, dropped, held, forgotten.
local calendar = require "calendar"
local clock = require "clock"
local when = require "when"

local why = {}

local function answer(facts, verdict, format, ...)
  return {job = facts.job.name, slot = facts.slot, verdict = verdict, text = format:format(...)}
end

local function from_record(facts, record)
  local verdict = (record.outcome == "skipped" or record.outcome == "missed") and record.outcome or "ran"
  local out
  if verdict == "skipped" then
    out = answer(facts, verdict, "it did not run: %s", record.reason or "no reason was recorded")
  elseif verdict == "missed" then
    out = answer(facts, verdict, "it was missed: %s", record.reason or "nobody was there to start it")
  else
    out = answer(facts, verdict, "it ran (%s), and %s", record.trigger,
      record.outcome == "succeeded" and "succeeded" or ("ended as %s%s"):format(record.outcome,
        record.reason and ": " .. record.reason or ""))
  end
  out.record, out.run = record, record.run
  return out
end

local function from_run(facts)
  for _, run in ipairs(facts.runs) do
    if run.job == facts.job.name and run.slot == facts.slot and run.state ~= "skipped" then
      local waits = run.state == "waiting" or run.state == "deciding"
      local out = answer(facts, waits and "waiting" or "running", waits and "it waits: %s" or "its run is %s",
        waits and (run.reason or "it is being decided") or run.state)
      out.run = run.name
      return out
    end
  end
end

-- The slots around one that is none.
local function never(facts)
  local schedule = facts.job.schedule
  if not schedule then return answer(facts, "never", "job '%s' is disabled: its cron is empty", facts.job.name) end
  local before, after = schedule:previous(facts.slot), schedule:next(facts.slot)
  return answer(facts, "never", "it is no slot of this schedule (%s); its neighbours are %s and %s",
    schedule:describe(), before and clock.format(before) or "none", after and clock.format(after) or "none")
end

local function is_slot(schedule, slot) return schedule ~= nil and schedule:next(slot - 1) == slot end

local function order_text(order)
  return ("%s%s%s"):format(order.by and " by " .. order.by or "",
    order["until"] and " until " .. clock.format(order["until"]) or "", order.reason and ": " .. order.reason or "")
end

local function of_future(facts)
  for _, order in pairs {facts.paused or false, facts.suspended or false} do
    if order and (not order["until"] or order["until"] > facts.slot) then
      return answer(facts, "suspended", "it will be skipped: %s%s",
        order == facts.paused and "all jobs are paused" or "the job is suspended", order_text(order))
    end
  end
  local dropped = calendar.reason(facts.job, facts.slot)
  if dropped then return answer(facts, "dropped", "it will be skipped: %s", dropped) end
  if facts.slot <= facts.now and facts.held then
    return answer(facts, "held", "slots are held: %s", facts.held)
  end
  return answer(facts, "future", "it is still to come, %s", when.relative(facts.slot, facts.now))
end

function why.slot(facts)
  if facts.records[1] then return from_record(facts, facts.records[1]) end
  local running = from_run(facts)
  if running then return running end
  if not is_slot(facts.job.schedule, facts.slot) then return never(facts) end
  if facts.slot > facts.now or facts.watermark and facts.slot > facts.watermark then return of_future(facts) end
  if facts.baseline and facts.slot <= facts.baseline then
    return answer(facts, "before", "the job, or this version of its schedule, is known since %s; slots before that " ..
      "run by `backfill` only", clock.format(facts.baseline))
  end
  local since = facts.since and facts.slot < facts.since and clock.format(facts.since)
  return answer(facts, "forgotten", "it was decided, but the history does not reach back to it any more%s",
    since and " (this daemon leads since " .. since .. ")" or "")
end

return why
