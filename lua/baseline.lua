-- From when on a job's slots count. A job that is new, or whose schedule was edited, counts from now: an edit
-- never runs past slots, also when it came with a restart (DESIGN decision 2).
local baseline = {}

local function no_pause() end

-- Sets job.baseline. -> the entries that are new, and how many of the jobs had one already, right or not.
local function judge(jobs, known, now, pause)
  local fresh, had = {}, 0
  for _, job in ipairs(jobs) do
    local old = known[job.name]
    local entry = old
    if old then had = had + 1 end
    if not old or old.fingerprint ~= job.fingerprint then
      entry = {fingerprint = job.fingerprint, since = now}
      fresh[job.name] = entry
    end
    job.baseline = entry.since
    pause()
  end
  return fresh, had
end

local function count(known, pause)
  local n = 0
  for _ in pairs(known) do
    n = n + 1
    pause()
  end
  return n
end

-- Adds `false` for each that has no job any more.
local function find_gone(jobs, known, changes, pause)
  local names = {}
  for _, job in ipairs(jobs) do
    names[job.name] = true
    pause()
  end
  for name in pairs(known) do
    if not names[name] then changes[name] = false end
    pause()
  end
end

-- Puts entries into `known`; false: takes one out. -> what undoes it.
function baseline.merge(known, changes)
  local before = {}
  for name, entry in pairs(changes) do
    before[name], known[name] = known[name] or false, entry or nil
  end
  return before
end

-- jobs: of schedule.load; known: {job = {fingerprint=, since=}} as an earlier daemon left it; whole: the schedule
-- had no mistake; pause: called after each job, where it is given. Sets job.baseline and brings `known` up to date, to
-- be kept so. While there is a mistake, a job that is not there may be a job that cannot be read: its baseline stays.
-- Gives what baseline.merge undoes it by, when it cannot be kept; nil: nothing changed.
function baseline.apply(jobs, known, now, whole, pause)
  pause = pause or no_pause
  local changes, had = judge(jobs, known, now, pause)
  if whole and had < count(known, pause) then find_gone(jobs, known, changes, pause) end
  return next(changes) and baseline.merge(known, changes)
end

return baseline
