-- What a schedule says about days: settings.calendars and settings.freezes, and only_on, skip_on and move of its jobs.
--   plan.new(options) -> p       as calendar/reader.lua wants them
--   p:settings(raw, path, zone): the mapping `settings` as it was read; once
--   p:attach(job, raw, path, manifest) -> whether what the job says of days could be read; then policy.lua judges its
--     slots by it, and with `move` its schedule has them on the days to which they move
--   p:unused(jobs): warns of freezes that hold none of the jobs
local calendar = require "calendar"
local cron = require "cron"
local crypto = require "crypto"
local days = require "calendar.days"
local freeze = require "calendar.freeze"
local json = require "json"
local node = require "calendar.node"
local reader = require "calendar.reader"
local schema = require "schema"
local text = require "text"

local Plan = {}
Plan.__index = Plan

local plan = {}

function plan.new(options)
  return setmetatable({reader = reader.new(options), problems = options.problems, freezes = {}, defaults = {},
    rules = {}, moves = {}}, Plan)
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
function Plan:read(raw, key, path)
  if given(raw, key) then return self.reader:read(raw, key, path) or false end
  return self.defaults[key]
end

-- The days of only_on without those of skip_on, in one place for all jobs that say the same: sets are made once.
function Plan:rule(only, skip)
  if not only and not skip then return nil end
  local name = ("%s but %s"):format(only and only.text, skip and skip.text)
  local rule = self.rules[name]
  if not rule then
    local rest = skip and node.none_of(skip)
    rule = {name = name, only = only, skip = skip, allowed = only and rest and node.all {only, rest} or only or rest}
    self.rules[name] = rule
  end
  return rule
end

-- What cron moves the slots by, and its digest; made once for a rule, a zone and a direction.
function Plan:moving(rule, zone, direction)
  local name = ("%s, %s, %s"):format(direction, zone, rule.name)
  local moving = self.moves[name]
  if not moving then
    local packed = days.pack(function(year) return rule.allowed:year(year, zone) end)
    moving = {days = cron.days(packed, direction), digest = direction .. " " .. crypto.sha256(packed)}
    self.moves[name] = moving
  end
  return moving
end

function Plan:attach(job, raw, path, manifest)
  if not next(raw) and #self.freezes == 0 and not next(self.defaults) then return true end -- most jobs
  local only, skip = self:read(raw, "only_on", path), self:read(raw, "skip_on", path)
  if only == false or skip == false then return false end
  local rule = self:rule(only, skip)
  if given(raw, "move") and not rule then
    self.problems:error(schema.place(path, raw, "move"), "'%s.move' needs only_on or skip_on: they say off which days",
      job.name)
  end
  if not job.schedule then return true end
  calendar.attach(job, rule, job.move, freeze.of(self.freezes, job.name, manifest))
  if rule and job.move then
    local moving = self:moving(rule, job.days.zone, job.move)
    job.schedule:move(moving.days)
    job.days.digest = moving.digest
  end
  return true
end

function Plan:unused(jobs)
  if #self.freezes == 0 then return end
  local names = {}
  for i, job in ipairs(jobs) do names[i] = job.name end
  for _, one in ipairs(self.freezes) do
    for _, pattern in ipairs(freeze.without_job(one, jobs)) do
      self.problems:warning(one.place, "the freeze holds no job '%s'%s", pattern, text.did_you_mean(pattern, names))
    end
    if one.label and not freeze.has_label(one, jobs) then
      self.problems:warning(one.place, "the freeze holds no job: no template has the label %s=%s",
        table.unpack(one.label))
    end
  end
end

return plan
