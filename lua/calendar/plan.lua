-- What a schedule says about days: settings.calendars and settings.freezes, and only_on and skip_on of its jobs.
--   plan.new(dir, problems, read) -> p         read: instead of sys.read, where it is given
--   p:settings(raw, path, zone): the mapping `settings` as it was read; once
--   p:attach(job, raw, path) -> whether all that the job says of days is good; then policy.lua judges its slots by it
--   p:unused(jobs): warns of freezes that hold none of the jobs
local calendar = require "calendar"
local freeze = require "calendar.freeze"
local json = require "json"
local reader = require "calendar.reader"
local schema = require "schema"
local text = require "text"

local Plan = {}
Plan.__index = Plan

local plan = {}

function plan.new(dir, problems, read)
  return setmetatable({reader = reader.new {dir = dir, problems = problems, read = read}, problems = problems,
    freezes = {}, defaults = {}}, Plan)
end

local function given(object, key) return object[key] ~= nil and object[key] ~= json.null end

local function is_mapping(value) return type(value) == "table" and value ~= json.null and not json.is_array(value) end

function Plan:settings(raw, path, zone)
  if given(raw, "calendars") then
    if is_mapping(raw.calendars) then
      self.reader:define(raw.calendars, path)
    else
      self.problems:error(schema.place(path, raw, "calendars"),
        "'settings.calendars': a mapping from names to days expected")
    end
  end
  self.freezes, self.path = freeze.read(raw, path, zone, self.problems), path
  if not is_mapping(raw.defaults) then return end
  for _, key in ipairs {"only_on", "skip_on"} do
    if given(raw.defaults, key) then self.defaults[key] = self.reader:read(raw.defaults, key, path) or false end
  end
end

-- The job's own, or the default; false: it has a mistake.
function Plan:rule(raw, key, path)
  if given(raw, key) then return self.reader:read(raw, key, path) or false end
  return self.defaults[key]
end

function Plan:attach(job, raw, path)
  local only, skip = self:rule(raw, "only_on", path), self:rule(raw, "skip_on", path)
  if only == false or skip == false then return false end
  if job.schedule then calendar.attach(job, only, skip, freeze.of(self.freezes, job.name)) end
  return true
end

function Plan:unused(jobs)
  local names = {}
  for i, job in ipairs(jobs) do names[i] = job.name end
  for _, one in ipairs(self.freezes) do
    for _, pattern in ipairs(freeze.without_job(one, names)) do
      self.problems:warning(one.place, "the freeze holds no job '%s'%s", pattern, text.did_you_mean(pattern, names))
    end
  end
end

return plan
