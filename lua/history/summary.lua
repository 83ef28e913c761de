-- A job's past in a few numbers, for hooks: {runs=, failures_in_a_row=, p95= (seconds, of good runs; nil while they are
-- too few)}. Kept up to date in memory, since it goes into every event.
--   local s = summary.new(history)     s:of(job) waits once for each job
local summary = {}
summary.__index = summary

local MOST <const> = 100 -- of the last runs
local FEWEST <const> = MOST // 5

local function add(state, record)
  if record.outcome == "skipped" or record.outcome == "missed" then return end
  state.runs = state.runs + 1
  state.failures = record.outcome == "succeeded" and 0 or state.failures + 1
  if record.outcome ~= "succeeded" or not (record.started and record.finished) then return end
  table.insert(state.seconds, record.finished - record.started)
  if #state.seconds > MOST then table.remove(state.seconds, 1) end
end

function summary.new(history)
  local self = setmetatable({history = history, jobs = {}}, summary)
  history:listen(function(record)
    local state = self.jobs[record.job]
    if state then add(state, record) end
  end)
  return self
end

function summary:state(job)
  if not self.jobs[job] then
    local state, records = {runs = 0, failures = 0, seconds = {}}, self.history:list {job = job, limit = MOST}
    for i = #records, 1, -1 do add(state, records[i]) end
    self.jobs[job] = self.jobs[job] or state
  end
  return self.jobs[job]
end

function summary:of(job)
  local state = self:state(job)
  local sorted = table.move(state.seconds, 1, #state.seconds, 1, {})
  table.sort(sorted)
  return {runs = state.runs, failures_in_a_row = state.failures,
    p95 = #sorted >= FEWEST and sorted[math.ceil(#sorted * 0.95)] or nil}
end

return summary
