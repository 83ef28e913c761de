-- Jobs of a schedule as CronJobs, as far as those can say the same.
--   export.job(job, options) -> list of CronJobs, list of what they cannot say
-- job: of schedule.load. options: {api= "batch/v1" or "batch/v1beta1"}, which knows no time zone
local names = require "names"
local schedule = require "schedule"
local template = require "template"

local export = {}

local policies = {allow = "Allow", forbid = "Forbid", replace = "Replace"}
local LONGEST <const> = 52 -- characters of a CronJob's name, so that its Jobs' names have room

-- Keys that a CronJob has nothing for.
local unknown = {"max_active", "limit", "after", "start", "end", "only_on", "skip_on", "move", "main_container",
  "success_within", "overdue", "retries"}

local function losses_of(job, options)
  local lost = {}
  local function lose(format, ...) lost[#lost + 1] = format:format(...) end
  for _, key in ipairs(unknown) do
    if job[key] ~= nil then lose("%s", key) end
  end
  if job.jitter > 0 then lose("jitter") end
  if not policies[job.overlap] then lose("overlap: %s", job.overlap) end
  if job.catch_up == "all" then lose("catch_up: all, of which only the latest slot is started") end
  if job.dst_given then lose("dst: %s", job.dst) end
  if options.api == "batch/v1beta1" and job.timezone ~= "UTC" then lose("timezone: %s", job.timezone) end
  return lost
end

-- Whether a CronJob would run on more days: where one day field starts with `*/` it takes the days of either field.
local function days_differ(five)
  local day, weekday = five:match "^%S+%s+%S+%s+(%S+)%s+%S+%s+(%S+)$"
  return day and (day:find "^%*/" and weekday ~= "*" or weekday:find "^%*/" and day ~= "*")
end

-- Five fields as every cron reads them; nil where it says more. robfig-v1: five that start with the second.
local function plain(expression, dialect)
  if dialect == "robfig-v1" and expression:match "^%S+%s+%S+%s+%S+%s+%S+%s+%S+$" then
    expression = expression .. " *"
  end
  local five = expression:match "^0%s+(%S+%s+%S+%s+%S+%s+%S+%s+%S+)$" or expression
  if dialect ~= "standard" and days_differ(five) then return nil end
  if five:match "^@[a-z]+$" and five ~= "@every" then return five end
  if not five:match "^%S+%s+%S+%s+%S+%s+%S+%s+%S+$" then return nil end
  for letters in five:gmatch "%a+" do
    if #letters ~= 3 then return nil end
  end
  return not five:find "[#&+]" and five or nil
end

local function job_template(job)
  local manifest = template.of(job)
  if manifest.kind == "Job" then return {metadata = manifest.metadata, spec = manifest.spec} end
  return {spec = {backoffLimit = 0, template = {metadata = {labels = manifest.metadata.labels,
    annotations = manifest.metadata.annotations}, spec = manifest.spec}}}
end

local function name_of(job, number)
  local tail = number > 1 and "-" .. number or ""
  return names.slug(job.name):sub(1, LONGEST - #tail):gsub("%-+$", "") .. tail
end

local function cron_job(job, expression, number, options)
  local inner = job_template(job)
  if job.timeout > 0 then inner.spec.activeDeadlineSeconds = job.timeout end
  if inner.metadata then inner.metadata.namespace = nil end
  return {
    apiVersion = options.api, kind = "CronJob",
    metadata = {name = name_of(job, number), namespace = job.namespace, annotations = {
      ["kube-scheduler/job-name"] = job.name, ["kubernetes.io/description"] = job.description}},
    spec = {
      schedule = expression, timeZone = options.api == "batch/v1" and job.timezone or nil,
      concurrencyPolicy = policies[job.overlap] or "Forbid", suspend = job.suspend == true,
      startingDeadlineSeconds = math.max(job.deadline, 10), -- below 10 s the controller may miss every slot
      successfulJobsHistoryLimit = job.history.succeeded, failedJobsHistoryLimit = job.history.failed,
      jobTemplate = inner,
    },
  }
end

function export.job(job, options)
  local lost, out = losses_of(job, options), {}
  if job.disabled or not job.schedule then return out, {"cron: \"\": a disabled job has no schedule"} end
  for number, expression in ipairs(schedule.expressions(job)) do
    local five = plain(expression, job.cron_dialect)
    if five then
      out[#out + 1] = cron_job(job, five, number, options)
    else
      lost[#lost + 1] = ("cron '%s', which five fields cannot say"):format(expression)
    end
  end
  return out, lost
end

return export
