-- settings.freezes: spans of time in which jobs do not start.
--   freeze.read(settings, path, zone, problems) -> {{from=, to=, reason=, jobs= patterns or nil for all,
--     label={KEY, VALUE} or nil, place=}, …}; `from` is in it, `to` is not; a time without an offset is one of the zone
--   freeze.of(freezes, name, manifest) -> those that hold the job of that name and template
--   freeze.without_job(freeze, jobs) -> those of its patterns that match no job's name; has_label(freeze, jobs):
--     whether the template of any has its label. jobs: {{name=, manifest=}, …}
local json = require "json"
local schema = require "schema"
local text = require "text"
local when = require "when"

local freeze = {}

local fields = {
  from = {"string", required = true}, to = {"string", required = true}, reason = {"string", required = true},
  jobs = {"string_or_strings"}, label = {"string"},
}

local function instant(raw, key, path, zone, problems)
  local value = raw[key]
  local t = value:match "^%d%d%d%d%-" and when.parse(value, 0, zone)
  if t then return t end
  problems:error(schema.place(path, raw, key), "'%s' is not a time: write 2026-12-24, 2026-12-24T18:00 or " ..
    "2026-12-24T18:00:00Z", value)
end

-- Patterns with * and ?; nil: all jobs.
local function patterns(jobs)
  if jobs == nil or jobs == "all" then return nil end
  return type(jobs) == "table" and jobs or {jobs}
end

-- "KEY=VALUE" -> {KEY, VALUE}
local function label_of(raw, path, problems)
  local key, value = raw.label:match "^([%w./_-]+)=([%w._-]*)$"
  if key then return {key, value} end
  problems:error(schema.place(path, raw, "label"), "'%s' is not a label: write KEY=VALUE, as the template has it",
    raw.label)
end

local function read_one(raw, path, zone, problems, prefix)
  local before = problems:errors()
  local found = schema.check(raw, fields, path, problems, prefix)
  if problems:errors() > before then return nil end
  local from, to = instant(raw, "from", path, zone, problems), instant(raw, "to", path, zone, problems)
  if not from or not to then return nil end
  if to <= from then return problems:error(schema.place(path, raw, "to"), "'to' must be later than 'from'") end
  local label = found.label and label_of(raw, path, problems)
  if found.label and not label then return nil end
  return {from = from, to = to, reason = found.reason, jobs = patterns(found.jobs), label = label,
    place = schema.place(path, raw, raw.jobs and "jobs" or raw.label and "label" or "from")}
end

function freeze.read(settings, path, zone, problems)
  local list, out = settings.freezes, {}
  if list == nil or list == json.null then return out end
  if not json.is_array(list) then
    problems:error(schema.place(path, settings, "freezes"),
      "'settings.freezes': a list of {from, to, reason, jobs} expected")
    return out
  end
  for i, raw in ipairs(list) do
    if type(raw) ~= "table" or json.is_array(raw) or raw == json.null then
      problems:error(schema.place(path, list, i), "'settings.freezes': {from, to, reason, jobs} expected")
    else
      out[#out + 1] = read_one(raw, path, zone, problems, ("settings.freezes.%d."):format(i))
    end
  end
  return out
end

local function labels_in(object)
  local metadata = type(object) == "table" and object.metadata
  local labels = type(metadata) == "table" and metadata.labels
  return type(labels) == "table" and labels or {}
end

-- Of the object itself, or of a Job's Pods.
local function is_labelled(manifest, label)
  local spec = manifest and manifest.spec
  for _, object in ipairs {manifest or {}, type(spec) == "table" and spec.template or {}} do
    if labels_in(object)[label[1]] == label[2] then return true end
  end
  return false
end

local function holds(one, name, manifest)
  if one.label and not is_labelled(manifest, one.label) then return false end
  for _, pattern in ipairs(one.jobs or {"*"}) do
    if name:match(text.glob(pattern)) then return true end
  end
  return false
end

function freeze.of(freezes, name, manifest)
  local out = {}
  for _, one in ipairs(freezes) do
    if holds(one, name, manifest) then out[#out + 1] = one end
  end
  return out
end

function freeze.without_job(one, jobs)
  local out = {}
  for _, pattern in ipairs(one.jobs or {}) do
    local used = false
    for _, job in ipairs(jobs) do used = used or job.name:match(text.glob(pattern)) ~= nil end
    if not used then out[#out + 1] = pattern end
  end
  return out
end

function freeze.has_label(one, jobs)
  for _, job in ipairs(jobs) do
    if is_labelled(job.manifest, one.label) then return true end
  end
  return false
end

return freeze
