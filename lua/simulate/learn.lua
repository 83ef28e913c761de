-- How long runs take, as the history of a running scheduler has it: for each job the median of its runs that
-- succeeded, in whole seconds and at least one.
local ask = require "ask"

local learn = {}

local ROWS <const> = 1000 -- the most that one answer holds

local function median(numbers)
  table.sort(numbers)
  return numbers[(#numbers + 1) // 2]
end

-- rows: records of lua/history.lua -> {job = seconds}
function learn.durations(rows)
  local by_job, out = {}, {}
  for _, row in ipairs(rows) do
    if row.outcome == "succeeded" and row.started and row.finished then
      by_job[row.job] = by_job[row.job] or {}
      table.insert(by_job[row.job], math.max(1, row.finished - row.started))
    end
  end
  for job, seconds in pairs(by_job) do out[job] = median(seconds) end
  return out
end

-- Asks the scheduler that the options lead to -> {job = seconds}; or nil and an exit code, with why on stderr.
function learn.ask(options)
  options.command = "simulate"
  local answer, code = ask.daemon(options, {command = "history", limit = ROWS})
  if not answer then return nil, code end
  return learn.durations(answer.rows)
end

return learn
