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

-- jobs: of schedule.load; known: {job = {fingerprint=, since=}} as an earlier daemon left it; whole: the schedule
-- had no mistake; pause: called after each job, where it is given. Sets job.baseline and returns what to keep now, and
-- whether that differs from `known`, which stays as it is. While there is a mistake, a job that is not there may be a
-- job that cannot be read: its baseline stays.
function baseline.apply(jobs, known, now, whole, pause)
  pause = pause or no_pause
  local fresh, had = judge(jobs, known, now, pause)
  local gone = whole and had < count(known, pause)
  if not next(fresh) and not gone then return known, false end
  local keep = {}
  for name, entry in pairs(whole and {} or known) do
    keep[name] = entry
    pause()
  end
  for _, job in ipairs(jobs) do
    keep[job.name] = fresh[job.name] or known[job.name]
    pause()
  end
  return keep, true
end

return baseline
