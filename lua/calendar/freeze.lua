-- settings.freezes: spans of time in which jobs do not start.
--   freeze.read(settings, path, zone, problems) -> {{from=, to=, reason=, jobs= patterns or nil for all, place=}, …};
--     `from` is in it, `to` is not; a time without an offset is one of the zone
--   freeze.of(freezes, name) -> those that hold the job of that name
--   freeze.without_job(freeze, names) -> those of its patterns that none of the names matches
local json = require "json"
local schema = require "schema"
local text = require "text"
local when = require "when"

local freeze = {}

local fields = {
  from = {"string", required = true}, to = {"string", required = true}, reason = {"string", required = true},
  jobs = {"string_or_strings"},
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

local function read_one(raw, path, zone, problems, prefix)
  local before = problems:errors()
  local found = schema.check(raw, fields, path, problems, prefix)
  if problems:errors() > before then return nil end
  local from, to = instant(raw, "from", path, zone, problems), instant(raw, "to", path, zone, problems)
  if not from or not to then return nil end
  if to <= from then return problems:error(schema.place(path, raw, "to"), "'to' must be later than 'from'") end
  return {from = from, to = to, reason = found.reason, jobs = patterns(found.jobs),
    place = schema.place(path, raw, raw.jobs and "jobs" or "from")}
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

local function holds(one, name)
  for _, pattern in ipairs(one.jobs or {"*"}) do
    if name:match(text.glob(pattern)) then return true end
  end
  return false
end

function freeze.of(freezes, name)
  local out = {}
  for _, one in ipairs(freezes) do
    if holds(one, name) then out[#out + 1] = one end
  end
  return out
end

function freeze.without_job(one, names)
  local out = {}
  for _, pattern in ipairs(one.jobs or {}) do
    local used = false
    for _, name in ipairs(names) do used = used or name:match(text.glob(pattern)) ~= nil end
    if not used then out[#out + 1] = pattern end
  end
  return out
end

return freeze
