-- Loads schedule.yml and what it names: jobs, templates, settings. All mistakes come at once, each with its
-- place; a bad job is left out, the others are good. lua/SCHEDULE.md is the reference of the keys below.
local alert_settings = require "alert.settings"
local calendar_plan = require "calendar.plan"
local cron = require "cron"
local crypto = require "crypto"
local json = require "json"
local problems_list = require "problems"
local rules = require "rules"
local schema = require "schema"
local sys = require "sys"
local template = require "template"
local text = require "text"
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

local REMEDY = "write one as schedule.yml.sample shows, or name yours by --dir and --schedule-name"

-- The files that make up the schedule: the one named, or all that match a pattern with * or ?.
local function files_of(options, problems)
  local dir, name = options.dir, options.name
  if not name:find "[*?]" then return {dir .. "/" .. name} end
  local entries, message = (options.list or sys.list)(dir)
  local files, pattern = {}, text.glob(name)
  for _, entry in ipairs(entries or {}) do
    if entry:match(pattern) and sys.kind(dir .. "/" .. entry) == "file" then files[#files + 1] = dir .. "/" .. entry end
  end
  if #files == 0 then
    problems:error({file = dir}, "no file matches %s%s; %s", name, message and (": " .. message) or "", REMEDY)
  end
  return files
end

-- What a file says and its text; nil for what cannot be had.
local function read_file(path, read, problems)
  local source, message = read(path)
  if not source then
    problems:error({file = path}, "the schedule cannot be read: %s; %s", message, REMEDY)
    return nil
  end
  local value, mistake = yaml.parse(source)
  if mistake then
    problems:error({file = path, line = mistake.line, column = mistake.column}, "%s", mistake.message)
    return nil, source
  end
  if value == json.null or value == nil then return {}, source end
  if type(value) ~= "table" or json.is_array(value) then
    problems:error({file = path}, "a schedule is a mapping from job names to jobs")
    return nil, source
  end
  return value, source
end

-- Column of a character of an expression in its file: behind the quote, where there is one.
local function column_in(file, place, offset)
  local line_number = 0
  for line in (file.source .. "\n"):gmatch "(.-)\r?\n" do
    line_number = line_number + 1
    if line_number == place.line then
      local quoted = line:sub(place.column, place.column):match "['\"]"
      return place.column + offset - 1 + (quoted and 1 or 0)
    end
  end
  return place.column
end

-- Parses expressions as the job would have them: cron.parse with the job's options.
function schedule.parse(job, expressions)
  return cron.parse(expressions, {
    dialect = job.cron_dialect, timezone = job.timezone, dst = job.dst, start = job.start, ["end"] = job["end"],
    hash_key = job.instance .. "/" .. (job.namespace or "") .. "/" .. job.name,
  })
end

-- A job's expressions as a list.
function schedule.expressions(job) return type(job.cron) == "table" and job.cron or {job.cron} end

local function parse_cron(file, raw, job, problems)
  local list = schedule.expressions(job)
  if #list == 1 and list[1]:match "^%s*$" then
    job.disabled = true
    return true
  end
  local parsed, mistake = schedule.parse(job, list)
  if parsed then
    job.schedule = parsed
    return true
  end
  if mistake.index == 0 then
    problems:error(raw.timezone and schema.place(file.path, raw, "timezone") or job.place, "%s", mistake.message)
    return false
  end
  local place = schema.place(file.path, raw, "cron")
  if type(job.cron) == "table" then
    local line, column = yaml.position(raw.cron, mistake.index)
    place.line, place.column = line or place.line, column or place.column
  end
  if mistake.column then place.column = column_in(file, place, mistake.column) end
  problems:error(place, "cron '%s': %s", list[mistake.index], mistake.message)
  return false
end

-- What decides a job's slots. A change of it makes the job's slots count from now (DESIGN decision 2).
local function fingerprint(job)
  local parts = {job.cron_dialect, job.timezone, job.dst, tostring(job.start), tostring(job["end"]),
    job.disabled and "off" or "on"}
  if job.jitter > 0 then parts[#parts + 1] = "jitter " .. job.jitter end
  if job.days and job.days.digest then parts[#parts + 1] = job.days.digest end
  for _, expression in ipairs(schedule.expressions(job)) do parts[#parts + 1] = expression end
  return crypto.sha256(table.concat(parts, "\n")):sub(1, 16)
end

-- What a job has where it says nothing itself, as a metatable: that saves each job a copy.
local function base_of(settings, options)
  local base = with(defaults, settings.defaults or {})
  base.history = with(defaults.history, base.history or {})
  base.cron_dialect = settings.cron_dialect or "standard"
  base.timezone = base.timezone or settings.timezone or "UTC"
  base.instance = options.instance
  return {__index = base}
end

local function inherit(job, settings, base)
  job.dst_given = (job.dst or (settings.defaults or {}).dst) ~= nil
  job.dialect_given = (job.cron_dialect or settings.cron_dialect) ~= nil
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
local function read_template(path, from, result, read)
  local known = result.templates[path]
  if known ~= nil then return known end
  local manifest, unread = template.read(path, from, result.problems, read)
  if not unread then result.templates[path] = manifest or false end
  return manifest or false
end

local function load_job(file, name, raw, result, options)
  local problems = result.problems
  local place = schema.key_place(file.path, file.value, name)
  if type(raw) ~= "table" or json.is_array(raw) then
    problems:error(place, "job '%s' must be a mapping with cron and template", name)
    return
  end
  local before = problems:errors()
  local job = schema.check(raw, job_fields, file.path, problems, name .. ".")
  job.name, job.place, job.cron_place = name, place, schema.place(file.path, raw, "cron")
  inherit(job, result.settings, result.base)
  rules.complete(job, raw, file.path, result.settings, problems)
  if job.alerts ~= nil then
    local at = schema.place(file.path, raw, "alerts")
    job.alerts = alert_settings.check_job(job.alerts, result.settings.alerts or {}, at, problems)
  end
  local manifest
  if job.template then
    local path = job.template:sub(1, 1) == "/" and job.template or options.dir .. "/" .. job.template
    manifest = read_template(path, schema.place(file.path, raw, "template"), result, options.read)
  end
  job.namespace = job.namespace or template.namespace(manifest) or options.namespace or "default"
  check_watched(job, raw.namespace and schema.place(file.path, raw, "namespace") or place, options.watched, problems)
  if job.cron then parse_cron(file, raw, job, problems) end
  local days_are_good = result.days:attach(job, raw, file.path, manifest)
  if job.main_container and manifest and not template.has_container(manifest, job.main_container) then
    problems:error(schema.place(file.path, raw, "main_container"), "the template has no container '%s'",
      job.main_container)
  end
  if problems:errors() > before or not manifest or not days_are_good then
    result.bad[#result.bad + 1] = name
    return
  end
  job.fingerprint = fingerprint(job)
  job.manifest = manifest
  result.jobs[#result.jobs + 1] = job
end

-- Of a name that is there twice, in one file or in two, neither runs: nobody can tell which was meant.
local function duplicates(files, problems)
  local first, twice = {}, {}
  for _, file in ipairs(files) do
    for _, key in ipairs(yaml.keys(file.value)) do
      if first[key] then
        twice[key] = true
        local what = key == "settings" and "settings may stand in one file only: they are"
          or ("job '%s' is"):format(key)
        local other = schema.key_place(first[key].path, first[key].value, key)
        problems:error(schema.key_place(file.path, file.value, key), "%s also in %s, line %d%s", what, other.file,
          other.line, key == "settings" and "" or "; neither runs")
      else
        first[key] = file
      end
    end
    for _, duplicate in ipairs(yaml.duplicates(file.value)) do
      twice[duplicate.key] = true
      problems:error({file = file.path, line = duplicate.line, column = duplicate.column},
        "job '%s' is here twice; the first is in line %d; neither runs", duplicate.key, duplicate.first_line)
    end
  end
  return twice
end

-- hooks: their folder, where routes of one's own may be.
local function load_settings(files, problems, days, hooks)
  local settings = {}
  for _, file in ipairs(files) do
    local raw = file.value.settings
    if raw ~= nil and raw ~= json.null then
      if type(raw) ~= "table" or json.is_array(raw) then
        problems:error(schema.place(file.path, file.value, "settings"), "'settings' must be a mapping")
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
local function warn_of_five_fields(result)
  for _, job in ipairs(result.jobs) do
    local expression = schedule.expressions(job)[1]
    if job.schedule and not job.dialect_given and select(2, expression:gsub("%S+", "")) == 5 then
      local other = cron.parse(expression, {dialect = "robfig-v1", timezone = job.timezone})
      result.problems:warning(job.place,
        "cron '%s' is read as crontab: %s. The first kube-scheduler read it%s. Write 'cron_dialect: standard' or " ..
        "'robfig-v1' under settings to say which is meant", expression, job.schedule:describe(),
        other and ": " .. other:describe() or " otherwise")
      return
    end
  end
end

local function by_name(a, b) return a.name < b.name end

local JOBS_AT_ONCE <const> = 200

local function load_jobs(file, twice, result, options)
  for i, name in ipairs(yaml.keys(file.value)) do
    if name ~= "settings" and not twice[name] then load_job(file, name, file.value[name], result, options) end
    if options.pause and i % JOBS_AT_ONCE == 0 then options.pause() end
  end
end

-- options: {dir=, name=, instance=, namespace=, watched={namespace, …} (else jobs may be anywhere), read=, list=
-- (instead of sys.read and sys.list), pause=function (called now and then)}. Returns {jobs=, settings=, problems=,
-- bad=names, files=paths}; jobs are sorted by name; files are those that could be read: without one there is no
-- schedule.
function schedule.load(options)
  local result = {jobs = {}, bad = {}, problems = problems_list.new(), files = {}}
  local files = {}
  for _, path in ipairs(files_of(options, result.problems)) do
    local value, source = read_file(path, options.read or sys.read, result.problems)
    if source then result.files[#result.files + 1] = path end
    if value then files[#files + 1] = {path = path, value = value, source = source} end
  end
  local hooks = options.hooks or options.dir .. "/hooks"
  result.days = calendar_plan.new {dir = options.dir, hooks = hooks, problems = result.problems, read = options.read,
    list = options.list}
  result.settings = load_settings(files, result.problems, result.days, hooks)
  result.base, result.templates = base_of(result.settings, options), {}
  local twice = duplicates(files, result.problems)
  for _, file in ipairs(files) do load_jobs(file, twice, result, options) end
  for _, name in ipairs(text.keys(twice)) do result.bad[#result.bad + 1] = name end
  result.days:unused(result.jobs)
  result.base, result.templates, result.days = nil, nil, nil
  table.sort(result.jobs, by_name)
  rules.connect(result)
  warn_of_five_fields(result)
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
