-- Whether a due slot runs. The rules are here to be read and changed: C only counts.
local policy = {}

-- job: as schedule.load gives it, or nil when it is no longer there. run: of event slot; run.active counts the
-- job's other runs that are not finished. Returns "run", or "skip" and the reason.
function policy.decide(job, run)
  if not job then return "skip", "the job is no longer in the schedule" end
  if job.overlap == "forbid" and run.active > 0 then
    return "skip", "overlap: " .. (run.active == 1 and "a run is" or run.active .. " runs are") .. " still active"
  end
  return "run"
end

-- Whether a job that a hook could not judge runs all the same.
function policy.after_hook_error(job) return job.on_hook_error ~= "skip" end

return policy
