-- What is allowed in a schedule but may not be meant: the warnings of `check`, each at its job's cron.
-- lint.add(plan, {now=, peak=}): plan is of schedule.load and gets the warnings among its problems; peak is how many
-- jobs in one second are too many, by default 10 that are more than half of all.
local explain = require "explain"
local preview = require "preview"
local when = require "when"

local lint = {}

local DAY = 86400
local PEAK_DAYS = 8           -- a week, whatever the clock does in it
local PEAK_SLOTS = 500000     -- looked at for all jobs together, which takes a second at most
local PEAK_SLOTS_OF_JOB = 2000
local PEAK_JOBS = 10
local INTERVALS = 500         -- between slots, looked at to find the shortest

-- What a job's author may have overlooked in its fields; one warning a job and kind.
local function fields(job, subject, now, warn)
  local clock_changes = false
  for _, warning in ipairs(job.schedule:warnings(now)) do
    local code = explain.codes[warning.code]
    if code == "day_or" then warn("%s", warning.message) end
    clock_changes = clock_changes or code == "dst_gap" or code == "dst_overlap"
  end
  local change = clock_changes and not job.dst_given and explain.changes(subject, now)[1]
  if change then
    warn("%s; write dst: cronie if that is meant, else dst: skip or robfig, or another hour, or UTC", change.text)
  end
end

-- An interval that divides no day into equal parts runs at another time each day.
local function drift(_, subject, now, warn)
  for _, expression in ipairs(subject.expressions) do
    if expression:find("@every", 1, true) then
      local part = subject.parse {expression}
      local first = part:next(now)
      local second = first and part:next(first)
      local period = second and second - first
      if period and DAY % period ~= 0 and period % DAY ~= 0 then
        warn("%s drifts past midnight: 24 h is no multiple of %s, so each day has other times; write an interval " ..
          "that divides 24 h, or fixed times", expression, when.span(period))
      end
    end
  end
end

-- What happens to a slot that comes while its job still runs. Under `allow` nothing that was not asked for.
local consequences = {
  forbid = "are skipped", replace = "end the run before it is done", enqueue = "wait, ever more of them",
}

local function too_often(job, _, now, warn)
  local consequence = job.expect_duration and consequences[job.overlap]
  if not consequence then return end
  local slots, shortest = job.schedule:between(now, math.maxinteger, INTERVALS), math.huge
  for i = 2, #slots do shortest = math.min(shortest, slots[i] - slots[i - 1]) end
  if shortest < job.expect_duration then
    warn("slots come %s apart, but expect_duration is %s: under overlap: %s those that come meanwhile %s; run it " ..
      "less often, or write overlap: allow", when.span(shortest), when.span(job.expect_duration), job.overlap,
      consequence)
  end
end

-- The second in which most jobs start, the first of several. Jobs with many slots are counted for their first ones
-- only: whoever starts in the second found is asked afterwards.
local function busiest_second(jobs, now)
  local counts, best = {}, nil
  local most = math.max(20, math.min(PEAK_SLOTS_OF_JOB, PEAK_SLOTS // math.max(1, #jobs)))
  for _, job in ipairs(jobs) do
    for _, t in ipairs(job.schedule:between(now, now + PEAK_DAYS * DAY, most)) do
      local count = (counts[t] or 0) + 1
      counts[t] = count
      if not best or count > counts[best] or count == counts[best] and t < best then best = t end
    end
  end
  return best
end

local function some_names(jobs)
  local names = {}
  for i = 1, math.min(3, #jobs) do names[i] = jobs[i].name end
  return table.concat(names, ", ") .. (#jobs > 3 and (" and %d more"):format(#jobs - 3) or "")
end

local function cron_place(job) return {file = job.file, line = job.cron_line, column = job.cron_column} end

local function peak(jobs, now, wanted, problems)
  local second = busiest_second(jobs, now)
  if not second then return end
  local together = {}
  for _, job in ipairs(jobs) do
    if job.schedule:next(second - 1) == second then together[#together + 1] = job end
  end
  local many = wanted and #together >= wanted or not wanted and #together >= PEAK_JOBS and #together * 2 > #jobs
  if many then
    problems:warning(cron_place(together[1]), "%d of %d jobs start in the same second, next at %s: %s; spread them " ..
      "with H in place of the minute, as in H 3 * * *", #together, #jobs, when.format(second, "UTC"),
      some_names(together))
  end
end

function lint.add(plan, options)
  local jobs = {}
  for _, job in ipairs(plan.jobs) do
    if job.schedule then
      jobs[#jobs + 1] = job
      local function warn(message, ...)
        plan.problems:warning(cron_place(job), "job '%s': " .. message, job.name, ...)
      end
      local subject = preview.job(job)
      for _, look in ipairs {fields, drift, too_often} do look(job, subject, options.now, warn) end
    end
  end
  peak(jobs, options.now, options.peak, plan.problems)
  plan.problems:sort()
end

return lint
