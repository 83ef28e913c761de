-- How each job did, from what the history is told: for what is measured of jobs, and of all of them together.
--   outcomes.new() -> o;  o:seed(records)   newest first, from before our time
--   o:add(record, run)    o:of(job) -> {last_success=, success_slot=, seconds=, last_failure=, failures=}, or nil
local outcomes = {}
outcomes.__index = outcomes

function outcomes.new() return setmetatable({jobs = {}}, outcomes) end

function outcomes:of(job) return self.jobs[job] end

local not_runs = {skipped = true, missed = true}

-- run: of the registry, which knows whether this was not the last attempt; nil: of an earlier daemon.
function outcomes:add(record, run)
  if not_runs[record.outcome] or run and (run.retry_at or run.replaced) then return end
  local known = self.jobs[record.job] or {failures = 0}
  self.jobs[record.job] = known
  local at = record.finished or record.at
  if record.outcome == "succeeded" then
    known.last_success, known.success_slot, known.failures = at, record.slot, 0
    known.seconds = record.started and record.finished and record.finished - record.started
  elseif run or known.failed_slot ~= record.slot then -- of attempts at one slot the last counts
    known.last_failure, known.failures, known.failed_slot = at, known.failures + 1, record.slot
  end
end

function outcomes:seed(records)
  for i = #records, 1, -1 do self:add(records[i]) end
end

local prefixes = {
  {"overlap", "overlap"}, {"paused", "suspended"}, {"suspended", "suspended"}, {"before_run", "veto"},
  {"limit ", "limit"}, {"as many runs", "limit"}, {"too many runs", "limit"}, {"after:", "after"},
  {"not started by", "deadline"}, {"calendar", "calendar"},
  {"freeze", "calendar"},
}

outcomes.decisions = {"run", "overlap", "suspended", "calendar", "veto", "limit", "after", "deadline", "missed",
  "other"}

-- Why a slot did not run, in a word of outcomes.decisions.
function outcomes.decision(record)
  if record.outcome == "missed" then return "missed" end
  for _, each in ipairs(prefixes) do
    if (record.reason or ""):sub(1, #each[1]) == each[1] then return each[2] end
  end
  return "other"
end

return outcomes
