-- The keys of a job that say how its runs go: overlap, limits, retries, what it comes after. schedule.lua reads
-- them with the others; what needs more than a look at one value is here. lua/SCHEDULE.md is the reference.
local json = require "json"
local schema = require "schema"
local text = require "text"

local rules = {}

local outcomes = {"failed", "start_failed", "timeout", "evicted", "lost", "deleted"}

-- For jobs, and for settings.defaults.
rules.shared = {
  overlap = {"choice", values = {"forbid", "allow", "replace", "enqueue"}},
  queue = {"count"},
  max_active = {"count", min = 1},
  limit = {"string"},
  priority = {"integer"},
  on_lost = {"choice", values = {"hold", "release"}},
  timeout = {"duration"},
  jitter = {"duration"},
  retries = {"object", fields = {
    max = {"count", required = true}, delay = {"duration"}, max_delay = {"duration"}, backoff = {"factor"},
    on = {"choices", values = outcomes},
  }},
}

-- For jobs only.
rules.own = {after = {"any"}}

rules.settings = {limits = {"counts"}, max_active = {"count", min = 1}}

rules.defaults = {overlap = "forbid", queue = 10, priority = 0, on_lost = "hold", timeout = 0, jitter = 0}

local retry_defaults = {
  delay = 30, max_delay = 3600, backoff = 2, on = {"failed", "start_failed", "timeout", "evicted"},
}

local MAX_RETRIES = 99 -- so that names stay short

local after_fields = {
  jobs = {"string_or_strings", required = true},
  on = {"choice", values = {"success", "failure", "any"}},
}

-- after: a name, a list of names, or {jobs=, on=} -> a list of {job=, on=, place=}.
local function read_after(value, place, name, problems)
  local rule = {jobs = value}
  if type(value) == "table" and not json.is_array(value) then
    rule = schema.check(value, after_fields, place.file, problems, name .. ".after.")
  elseif type(value) ~= "string" and not json.is_array(value) then
    problems:error(place, "'%s.after': a job, a list of jobs or {jobs, on} expected", name)
  end
  local list = {}
  for _, job in ipairs(type(rule.jobs) == "table" and rule.jobs or {rule.jobs}) do
    list[#list + 1] = {job = tostring(job), on = rule.on or "success", place = place}
  end
  return list
end

-- Completes what a job's mapping says. at(key): where it says so; settings: the schedule's.
function rules.complete(job, at, settings, problems)
  if job.retries then
    for key, value in pairs(retry_defaults) do
      if job.retries[key] == nil then job.retries[key] = value end
    end
    if (job.retries.max or 0) > MAX_RETRIES then
      problems:error(at "retries", "'%s.retries.max': at most %d", job.name, MAX_RETRIES)
    end
  end
  if job.limit and not (settings.limits or {})[job.limit] then
    problems:error(at "limit", "there is no limit '%s'%s: write it under settings, limits",
      job.limit, text.did_you_mean(job.limit, text.keys(settings.limits or {})))
  end
  if job.after ~= nil then
    job.after = read_after(job.after, at "after", job.name, problems)
  end
end

local function place_name(place) return ("%s:%d:%d"):format(place.file, place.line or 1, place.column or 1) end

-- The jobs of a cycle that the job is in, in order, or nil.
local function cycle_from(start, by_name)
  local seen = {}
  local function walk(job, path)
    for _, upstream in ipairs(job.after or {}) do
      local next_job = by_name[upstream.job]
      if next_job == start then return path end
      if next_job and not seen[next_job] then
        seen[next_job] = true
        local found = walk(next_job, table.move({next_job}, 1, 1, #path + 1, table.move(path, 1, #path, 1, {})))
        if found then return found end
      end
    end
  end
  return walk(start, {start})
end

local function refuse_cycle(job, by_name, problems)
  local cycle = job.after and cycle_from(job, by_name)
  if not cycle then return false end
  local words = {}
  for i, member in ipairs(cycle) do words[i] = ("%s (%s)"):format(member.name, place_name(member.after[1].place)) end
  problems:error(job.after[1].place, "job '%s' waits for itself: %s, which comes after %s", job.name,
    table.concat(words, ", which comes after "), job.name)
  return true
end

local function refuse_upstreams(job, by_name, bad, problems)
  local refused = false
  for _, upstream in ipairs(job.after or {}) do
    local name, found = upstream.job, by_name[upstream.job]
    if found and found.disabled then
      problems:warning(upstream.place, "job '%s' comes after '%s', which is disabled: it will never start", job.name,
        name)
    elseif not found then
      refused = true
      problems:error(upstream.place, bad[name] and "job '%s' comes after '%s', which has a mistake"
        or "job '%s' comes after '%s', which is not there%s", job.name, name,
        text.did_you_mean(name, text.keys(by_name)))
    end
  end
  return refused
end

local function take_out(result, names)
  for i = #result.jobs, 1, -1 do
    local name = result.jobs[i].name
    if names[name] then
      table.remove(result.jobs, i)
      result.bad[#result.bad + 1] = name
    end
  end
end

local function take_out_once(result, pause)
  local by_name, bad, refused = {}, {}, {}
  for _, job in ipairs(result.jobs) do
    by_name[job.name] = job
    pause()
  end
  for _, name in ipairs(result.bad) do bad[name] = true end
  for _, job in ipairs(result.jobs) do
    if refuse_upstreams(job, by_name, bad, result.problems) or refuse_cycle(job, by_name, result.problems) then
      refused[job.name] = true
    end
    pause()
  end
  take_out(result, refused)
  return next(refused) ~= nil
end

-- Takes out jobs that come after what is not there, or after themselves, until none is left. result: of
-- schedule.load; pause: called after each job.
function rules.connect(result, pause)
  local chained = false
  for _, job in ipairs(result.jobs) do
    chained = chained or job.after ~= nil
    pause()
  end
  while chained and take_out_once(result, pause) do end
end

-- How many of the job's runs may be active at once; 0: any number.
function rules.max_active(job)
  return job.max_active or (job.overlap == "allow" and 0 or 1)
end

return rules
