-- Dkron's jobs, as its GET /v1/jobs lists them: those whose executor is shell.
local json = require "json"
local shell_template = require "import.shell"

local function environment(text)
  local env = {}
  for name, value in (text or ""):gmatch "([%w_]+)=([^,]*)" do env[#env + 1] = {name = name, value = value} end
  return env
end

local function time_of(value) return type(value) == "string" and value:match "^[1-9]" and value or nil end

local function fields_of(job, by_name)
  local parent = job.parent_job ~= "" and job.parent_job or nil
  local schedule = job.schedule
  if parent and (schedule == "" or schedule == "@parent" or not schedule) then
    schedule = (by_name[parent] or {}).schedule
  end
  return {
    cron = schedule and schedule:gsub("^@minutely$", "0 * * * * *"):gsub("^@manually$", ""), after = parent,
    timezone = job.timezone ~= "" and job.timezone or nil,
    description = job.displayname ~= "" and job.displayname or nil,
    overlap = job.concurrency == "forbid" and "forbid" or "allow", suspend = job.disabled == true or nil,
    retries = (job.retries or 0) > 0 and {max = job.retries} or nil,
    start = time_of(job.starts_at), ["end"] = time_of(job.expires_at), catch_up = "none",
  }
end

local function read(job, by_name, found, options)
  local where = "Dkron job " .. tostring(job.name)
  local config = job.executor_config or {}
  if job.executor ~= "shell" or type(config.command) ~= "string" then
    return found:refuse(where, "its executor is '%s': only shell is imported", tostring(job.executor))
  end
  local fields = fields_of(job, by_name)
  if not fields.cron then return found:refuse(where, "it has no schedule, and its parent has none") end
  if not fields.timezone then
    fields.timezone = options.timezone or "UTC"
    if not options.timezone then found:note(where, "it names no time zone: read as UTC, or see --assume-timezone") end
  end
  local direct = config.shell ~= "true"
  if direct then found:note(where, "its command was run without a shell; here /bin/sh reads it") end
  fields.args = json.array {config.command}
  found:job(job.name, fields, shell_template(nil, environment(config.env), options))
end

return function(source, found, options)
  local jobs, mistake = json.parse(source.text)
  if mistake or not json.is_array(jobs) then
    return found:refuse(source.path, "a list of jobs in JSON expected, as GET /v1/jobs gives it")
  end
  local by_name = {}
  for _, job in ipairs(jobs) do by_name[job.name] = job end
  for _, job in ipairs(jobs) do read(job, by_name, found, options) end
end
