-- Loads schedule.yml and what it names: jobs, templates, settings. All mistakes come at once, each with its
-- place; a bad job is left out, the others are good. lua/SCHEDULE.md is the reference of the keys below.
local alert_settings = require "alert.settings"
local calendar_plan = require "calendar.plan"
local cron = require "cron"
local docker_rules = require "docker.rules"
local files = require "schedule.files"
local json = require "json"
local problems_list = require "problems"
local rules = require "rules"
local schema = require "schema"
local template = require "template"
local text = require "text"
local timing = require "schedule.timing"
local yaml = require "yaml"

local schedule = {}

local dialects = {"standard", "cronie", "robfig-v1"}

local function with(fields, more)
  local out = {}
  for key, field in pairs(fields) do out[key] = field end
  for key, field in pairs(more) do out[key] = field end
  return out
end

-- What may stand in a job and, as a default for all, in settings.defaults.
local shared_fields = with(rules.shared, {
  namespace = {"string"},
  timezone = {"string"},
  dst = {"choice", values = {"cronie", "robfig", "skip"}},
  catch_up = {"choice", values = {"none", "latest", "all"}},
  catch_up_max = {"count"},
  deadline = {"duration"},
  pending_timeout = {"duration"},
  on_hook_error = {"choice", values = {"run", "skip"}},
  only_on = {"any"},
  skip_on = {"any"},
  move = {"choice", values = {"next", "previous"}},
  history = {"object", fields = {succeeded = {"count"}, failed = {"count"}}},
})

local job_fields = with(with(with(shared_fields, rules.own), alert_settings.job_fields), {
  cron = {"string_or_strings", required = true},
  cron_dialect = {"choice", values = dialects},
  template = {"string", required = true},
  image = {"string"},
  args = {"strings"},
  main_container = {"string"},
  description = {"string"},
  expect_duration = {"duration"},
  suspend = {"boolean"},
  start = {"time"},
  ["end"] = {"time"},
})

-- What is read at once where all of it is plain; `move` asks calendar/plan.lua for more than its value.
local plain_job = yaml.plain(with(job_fields, {move = {"any"}}))

local settings_fields = with(rules.settings, {
  cron_dialect = {"choice", values = dialects},
  timezone = {"string"},
  retention = {"duration"},
  history_rows = {"count"},
  defaults = {"object", fields = shared_fields},
  alerts = {"any"},
  calendars = {"any"},
  freezes = {"any"},
  hooks = {"object", fields = {decision = {"short_duration"}, event = {"short_duration"}}},
})

local defaults = with(rules.defaults, {
  dst = "cronie", catch_up = "latest", catch_up_max = 100, deadline = 300, pending_timeout = 900,
  on_hook_error = "run", history = {succeeded = 3, failed = 1},
})

-- Parses expressions as the job would have them: cron.parse with the job's options.
schedule.parse = timing.parse

-- A job's expressions as a list.
schedule.expressions = timing.expressions

-- The place of a mistake in the job's expressions.
local function cron_place(file, m, job, mistake)
  local place, quoted = file:place(m, "cron", type(job.cron) == "table" and mistake.index or nil)
  if mistake.column then place.column = place.column + mistake.column - 1 + (quoted and 1 or 0) end
  return place
end

-- What the job shares with others that say the same, or nil.
local function parse_cron(file, m, job, result)
  local shared = result.timing:shared(job)
  if shared then
    job.schedule = shared.schedule
    return shared
  end
  local list = timing.expressions(job)
  if #list == 1 and list[1]:match "^%s*$" then
    job.disabled = true
    return nil
  end
  local parsed, mistake = timing.parse(job, list)
  job.schedule = parsed
  if parsed then return nil end
  if mistake.index == 0 then
    local own = file.tree:position(m, "timezone")
    result.problems:error(own and file:place(m, "timezone") or job, "%s", mistake.message)
    return nil
  end
  result.problems:error(cron_place(file, m, job, mistake), "cron '%s': %s", list[mistake.index], mistake.message)
end

-- What each job of a file has where it says nothing itself, as a metatable: that saves each job a copy.
local function base_of(file, settings, options)
  local base = with(defaults, settings.defaults or {})
  base.history = with(defaults.history, base.history or {})
  base.cron_dialect = settings.cron_dialect or "standard"
  base.dialect_given = settings.cron_dialect ~= nil
  base.dst_given = (settings.defaults or {}).dst ~= nil
  base.timezone = base.timezone or settings.timezone or "UTC"
  base.instance, base.file = options.instance, file.path
  return {__index = base}
end

local function inherit(job, base)
  if job.dst then job.dst_given = true end
  if job.cron_dialect then job.dialect_given = true end
  if job.history then job.history = with(defaults.history, job.history) end
  setmetatable(job, base)
end

-- A run where nobody watches would never be seen to end.
local function check_watched(job, place, watched, problems)
  if type(watched) ~= "table" then return end
  for _, namespace in ipairs(watched) do
    if namespace == job.namespace then return end
  end
  problems:error(place, "job '%s' runs in namespace %s, which is not watched: name it in --watch-namespaces, and " ..
    "restart", job.name, job.namespace)
end

-- Each template is read and checked once, however many jobs name it: its manifest, or false. One that cannot be read
-- is a mistake of each job that names it, one that is wrong is wrong once.
local function read_template(name, at, result, options)
  local known = result.templates[name]
  if known ~= nil then return known end
  local path = name:sub(1, 1) == "/" and name or options.dir .. "/" .. name
  local manifest, unread = template.read(path, at "template", result.problems, options.read)
  if manifest and options.executor == "docker" then
    local before = result.problems:errors()
    docker_rules.check(manifest, path, result.problems)
    if result.problems:errors() > before then manifest = false end
  end
  if not unread then result.templates[name] = manifest or false end
  return manifest or false
end

local NOTHING <const> = {}

-- The job as the file has it, and its mapping: an empty one when all in it is plain.
local function read_job(file, m, name, problems)
  local job = plain_job:read(file.tree, m)
  if job then return job, NOTHING end
  local raw = file.tree:value(m)
  if type(raw) ~= "table" or json.is_array(raw) then
    problems:error(file:key_place(m), "job '%s' must be a mapping with cron and template", name)
    return nil
  end
  return schema.check(raw, job_fields, file.path, problems, name .. "."), raw
end

local function check_rules(job, at, result)
  rules.complete(job, at, result.settings, result.problems)
  if job.alerts ~= nil then
    job.alerts = alert_settings.check_job(job.alerts, result.settings.alerts or {}, at "alerts", result.problems)
  end
end

-- What the file says of the job, made whole; at(key): where it says so. nil when it has a mistake. A job is a place,
-- too: where its name stands.
local function load_job(file, m, at, result, options)
  local name, line, column = file.tree:key(m)
  local problems = result.problems
  local before = problems:errors()
  local job, raw = read_job(file, m, name, problems)
  if not job then return nil end
  job.name, job.line, job.column = name, line, column
  job.cron_line, job.cron_column = file.tree:position(m, "cron")
  inherit(job, file.base)
  check_rules(job, at, result)
  local manifest = job.template and read_template(job.template, at, result, options)
  local own_namespace = rawget(job, "namespace")
  job.namespace = job.namespace or template.namespace(manifest) or options.namespace or "default"
  check_watched(job, own_namespace and at "namespace" or job, options.watched, problems)
  local shared = job.cron and parse_cron(file, m, job, result)
  local days_are_good = result.days:attach(job, raw, file.path, manifest)
  if job.main_container and manifest and not template.has_container(manifest, job.main_container) then
    problems:error(at "main_container", "the template has no container '%s'", job.main_container)
  end
  if problems:errors() > before or not manifest or not days_are_good then return nil end
  job.fingerprint = result.timing:fingerprint(job, shared)
  job.manifest = manifest
  return job
end

-- hooks: their folder, where routes of one's own may be.
local function load_settings(list, problems, days, hooks)
  local settings = {}
  for _, file in ipairs(list) do
    local raw = file.tree:value "settings"
    if raw ~= nil and raw ~= json.null then
      if type(raw) ~= "table" or json.is_array(raw) then
        problems:error(file:place "settings", "'settings' must be a mapping")
      else
        settings = schema.check(raw, settings_fields, file.path, problems, "settings.")
        days:settings(raw, file.path, settings.timezone or "UTC")
        if settings.alerts ~= nil then
          settings.alerts = alert_settings.check(raw.alerts, schema.place(file.path, raw, "alerts"), hooks, problems)
        end
      end
    end
  end
  return settings
end

-- Five fields mean another time to the seed's readers. Said once, with both readings.
local function warn_of_five_fields(result, pause)
  if result.settings.cron_dialect then return end
  for _, job in ipairs(result.jobs) do
    pause()
    local expression = schedule.expressions(job)[1]
    if job.schedule and not job.dialect_given and select(2, expression:gsub("%S+", "")) == 5 then
      local other = cron.parse(expression, {dialect = "robfig-v1", timezone = job.timezone})
      result.problems:warning(job,
        "cron '%s' is read as crontab: %s. The first kube-scheduler read it%s. Write 'cron_dialect: standard' or " ..
        "'robfig-v1' under settings to say which is meant", expression, job.schedule:describe(),
        other and ": " .. other:describe() or " otherwise")
      return
    end
  end
end

-- One list of both, by name.
local function merge(a, b, pause)
  local out, i = {}, 1
  for _, job in ipairs(b) do
    while a[i] and a[i].name < job.name do out[#out + 1], i = a[i], i + 1 end
    out[#out + 1] = job
    pause()
  end
  return table.move(a, i, #a, #out + 1, out)
end

-- Those of a file that are good, by name.
local function load_jobs(file, twice, result, options, pause)
  local jobs, here = {}, nil
  local function at(key) return (file:place(here, key)) end
  file.base = base_of(file, result.settings, options)
  for m = 1, file.tree:count() do
    local name = file.tree:key(m)
    if name ~= "settings" and not twice[name] then
      here = m
      local job = load_job(file, m, at, result, options)
      if job then jobs[#jobs + 1] = job else result.bad[#result.bad + 1] = name end
    end
    pause()
  end
  return jobs
end

local function no_pause() end

-- options: {dir=, name=, instance=, namespace=, watched={namespace, …} (else jobs may be anywhere), read=, list=, open=
-- (instead of sys.read, sys.list and yaml.load), pause=function (called after each piece of the work: lua/steps.lua)}.
-- Returns {jobs=, settings=, problems=, bad=names, files=paths}; jobs are sorted by name; files are those that could be
-- read: without one there is no schedule. In a task it waits while the files are read.
function schedule.load(options)
  local pause = options.pause or no_pause
  local result = {jobs = {}, bad = {}, problems = problems_list.new(), files = {}}
  local list = files.open(options, result)
  local hooks = options.hooks or options.dir .. "/hooks"
  result.days = calendar_plan.new {dir = options.dir, hooks = hooks, problems = result.problems, read = options.read,
    list = options.list}
  result.settings = load_settings(list, result.problems, result.days, hooks)
  result.templates, result.timing = {}, timing.new()
  local twice = files.duplicates(list, result.problems, pause)
  for _, file in ipairs(list) do
    local jobs = load_jobs(file, twice, result, options, pause)
    result.jobs = #result.jobs == 0 and jobs or merge(result.jobs, jobs, pause)
  end
  for _, name in ipairs(text.keys(twice)) do result.bad[#result.bad + 1] = name end
  result.days:unused(result.jobs)
  files.close(list)
  result.templates, result.days, result.timing = nil, nil, nil
  rules.connect(result, pause)
  warn_of_five_fields(result, pause)
  result.problems:sort()
  return result
end

-- The keys that a job may have.
function schedule.keys() return text.keys(job_fields) end

-- A job by name.
function schedule.find(result, name)
  for _, job in ipairs(result.jobs) do
    if job.name == name then return job end
  end
end

return schedule
