-- A job takes over from a CronJob without a lost slot or a doubled one. Before: the job is in the schedule of the
-- running daemon with `suspend: true`, so that it skips its slots. Then: the CronJob is suspended, and what it made
-- last is read once its controller has seen that; the job is resumed; its slots between the two are run as a backfill.
--   cut_over.run(options, job, cron_job, say) -> true; or nil, why and what to do
-- options: of ask.parse; cron_job: {namespace=, name=}; say(format, …) tells each step
local ask = require "ask"
local clock = require "clock"
local json = require "json"
local kube = require "kube"
local task = require "task"

local cut_over = {}

local SETTLE <const> = 20  -- seconds: two rounds of the old controller, which looks every 10 s at what it listed before
local PERIOD <const> = 1   -- seconds between two looks
local MARK <const> = "kube-scheduler/cut-over" -- annotation: suspended by us, not by its owner
local LONGEST <const> = 3600 -- seconds that a run of the old one is waited for, where runs must not overlap

local function path_of(client, version, cron_job)
  return ("/apis/batch/%s/namespaces/%s/cronjobs/%s"):format(version, client.escape(cron_job.namespace),
    client.escape(cron_job.name))
end

-- The path under which the cluster has it, and the object.
local function find(client, cron_job)
  local reply
  for _, version in ipairs {"v1", "v1beta1"} do
    local path = path_of(client, version, cron_job)
    reply = client:request("GET", path)
    if reply.status == 200 then return path, json.parse(reply.body) end
    if reply.status ~= 404 then break end
  end
  return nil, ("CronJob %s/%s: %s"):format(cron_job.namespace, cron_job.name, reply.message)
end

local function suspend(client, path)
  local reply = client:request("PATCH", path, {content_type = "application/merge-patch+json", body = json.encode {
    metadata = {annotations = {[MARK] = clock.format(clock.now())}}, spec = {suspend = true}}})
  return reply.status == 200, reply.message
end

-- The last slot that the CronJob ran, unix seconds; one that never did counts from its creation, as its controller has
-- it.
local function last_slot(object)
  local status = object.status or {}
  return clock.parse(status.lastScheduleTime or object.metadata.creationTimestamp)
end

local function is_active(object) return #((object.status or {}).active or {}) > 0 end

local function settled(client, cron_job, say)
  say("waiting %d s for its controller to see that", SETTLE)
  task.sleep(SETTLE)
  local path, object = find(client, cron_job)
  local ends = clock.monotonic() + LONGEST
  while path and is_active(object) and object.spec.concurrencyPolicy ~= "Allow" and clock.monotonic() < ends do
    say("its last Job is still active: waiting for the end, for runs must not overlap")
    task.sleep(10 * PERIOD)
    path, object = find(client, cron_job)
  end
  if not path then return nil, object end
  return object
end

local function asked(options, request)
  local answer, message = ask.try(options, request)
  if not answer or answer.error then return nil, message or answer.error end
  return answer
end

local function is_backfilled(status, job)
  for _, backfill in ipairs(status.backfills or {}) do
    if backfill.job == job then return true end
  end
  return false
end

-- Waits until every slot up to then was decided, and what an earlier try has begun to backfill was run. -> true
local function wait_until_decided(options, job, since, say)
  local told
  repeat
    task.sleep(PERIOD)
    local status, message = asked(options, {command = "status"})
    if not status then return nil, message end
    local backfilled = is_backfilled(status, job)
    if backfilled and not told then say("waiting for the end of a backfill of %s", job) end
    told = told or backfilled
  until status.watermark > since and not backfilled
  return true
end

-- Resumes, and waits until every slot up to then was decided. -> that instant; where an earlier try resumed it, of that
local function resume(options, job, say)
  local answer, message = asked(options, {command = "resume", job = job, reason = "cut-over"})
  if not answer then return nil, message end
  local since = answer.since
  if not since then return nil, ("'%s' runs by itself, and it is not known since when: see `backfill`"):format(job) end
  local done
  done, message = wait_until_decided(options, job, since, say)
  return done and since, message
end

local ours = {ran = true, running = true, waiting = true}

-- The slots of the job after `from` up to `to` that neither scheduler ran, as spans {from=, to=, count=} with no other
-- slot in them.
local function missing(options, job, from, to)
  local listed, message = asked(options, {command = "backfill", job = job, from = from, to = to, dry_run = true})
  if not listed then return nil, message end
  local spans, open, before = {}, nil, from
  for _, row in ipairs(listed.rows) do
    local why
    why, message = asked(options, {command = "why", job = job, slot = row.slot})
    if not why then return nil, message end
    if row.dropped or ours[why.verdict] then
      open = nil
    else
      if not open then
        open = {from = before, count = 0}
        spans[#spans + 1] = open
      end
      open.to, open.count = row.slot, open.count + 1
    end
    before = row.slot
  end
  return spans
end

local function backfill(options, job, spans)
  local count = 0
  for _, span in ipairs(spans) do
    local done, message = asked(options, {command = "backfill", job = job, from = span.from, to = span.to})
    if not done then return nil, message end
    count = count + span.count
  end
  return count
end

-- Whether the two would not run side by side: the job skips its slots, or the CronJob is suspended by an earlier try.
-- One that its owner suspended has skipped slots that nobody wants.
local function ready(options, job, cron_job)
  local annotations = cron_job.metadata.annotations or {}
  if cron_job.spec.suspend and not annotations[MARK] then
    return nil, "the CronJob is suspended already, there is nothing to take over: `resume` lets the job run from now on"
  end
  local answer, message = asked(options, {command = "jobs", job = job})
  if not answer then return nil, message end
  if answer.rows[1] and (answer.rows[1].suspended or cron_job.spec.suspend) then return true end
  return nil, ("'%s' is not suspended and runs beside the CronJob: write `suspend: true`, as import --cut-over does")
    :format(job)
end

-- Suspends the CronJob. -> the last slot that it ran
local function retire(client, path, cron_job, say)
  local done, message = suspend(client, path)
  if not done then return nil, "it cannot be suspended: " .. message end
  say("CronJob %s/%s is suspended", cron_job.namespace, cron_job.name)
  local object
  object, message = settled(client, cron_job, say)
  return object and last_slot(object), message
end

-- Resumes the job. -> how many slots after `from` are run as a backfill
local function take_up(options, job, from, say)
  local since, message = resume(options, job, say)
  if not since then return nil, message end
  say("%s runs by itself from %s on", job, clock.format(since))
  local spans
  spans, message = missing(options, job, from, since)
  if not spans then return nil, message end
  return backfill(options, job, spans)
end

function cut_over.run(options, job, cron_job, say)
  local client, message = kube.connect {path = options.kube_config_path}
  if not client then return nil, message end
  local path, object = find(client, cron_job)
  if not path then return nil, object end
  local done, from, count
  done, message = ready(options, job, object)
  if not done then return nil, message end
  from, message = retire(client, path, cron_job, say)
  if not from then return nil, message end
  say("its last slot was %s", clock.format(from))
  count, message = take_up(options, job, from, say)
  if not count then return nil, message end
  say("%d slots between the two are run as a backfill", count)
  return true
end

return cut_over
