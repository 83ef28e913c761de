-- From when on a job's slots count. A job that is new, or whose schedule was edited, counts from now: an edit
-- never runs past slots, also when it came with a restart (DESIGN decision 2).
local baseline = {}

-- jobs: of schedule.load; known: {job = {fingerprint=, since=}} as an earlier daemon left it; whole: the schedule
-- had no mistake. Sets job.baseline and returns what to keep now, and whether that differs from `known`. While
-- there is a mistake, a job that is not there may be a job that cannot be read: its baseline stays.
function baseline.apply(jobs, known, now, whole)
  local keep, changed = {}, false
  for _, job in ipairs(jobs) do
    local old = known[job.name]
    if old and old.fingerprint == job.fingerprint then
      keep[job.name] = old
    else
      keep[job.name], changed = {fingerprint = job.fingerprint, since = now}, true
    end
    job.baseline = keep[job.name].since
  end
  for name in pairs(known) do
    if keep[name] == nil and not whole then
      keep[name] = known[name]
    elseif keep[name] == nil then
      changed = true
    end
  end
  return keep, changed
end

return baseline
