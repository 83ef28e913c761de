-- When a job's slots are: its expressions as cron has them, and the fingerprint by which a change of them is known.
--   timing.expressions(job) -> list
--   timing.parse(job, expressions) -> schedule, or nil and the mistake, of cron.parse
--   local t = timing.new()    for the jobs of one schedule
--   t:shared(job) -> {schedule=} or nil: jobs that say the same by the same clock have one, which nobody may change
--   t:fingerprint(job, shared) -> 16 hex digits
local cron = require "cron"
local crypto = require "crypto"

local timing = {}

local Timing = {}
Timing.__index = Timing

function timing.expressions(job) return type(job.cron) == "table" and job.cron or {job.cron} end

function timing.parse(job, expressions)
  return cron.parse(expressions, {
    dialect = job.cron_dialect, timezone = job.timezone, dst = job.dst, start = job.start, ["end"] = job["end"],
    hash_key = job.instance .. "/" .. (job.namespace or "") .. "/" .. job.name,
  })
end

function timing.new() return setmetatable({clocks = {}}, Timing) end

-- What is known of the expressions that go by the job's clock; most jobs have that of the one before.
function Timing:of_clock(job)
  local dialect, zone, dst, last = job.cron_dialect, job.timezone, job.dst, self.last
  if last and last.dialect == dialect and last.zone == zone and last.dst == dst then return last.known end
  local name = dialect .. "\n" .. zone .. "\n" .. dst
  self.clocks[name] = self.clocks[name] or {dialect = dialect, zone = zone, dst = dst, known = {}}
  self.last = self.clocks[name]
  return self.last.known
end

-- Not what has H, whose values come from the job's name: without one it does not parse.
function Timing:shared(job)
  local expression = job.cron
  if type(expression) ~= "string" or job.move or job.start or job["end"] then return nil end
  local known = self:of_clock(job)
  if known[expression] == nil then
    local parsed = cron.parse(expression, {dialect = job.cron_dialect, timezone = job.timezone, dst = job.dst})
    known[expression] = parsed and {schedule = parsed} or false
  end
  return known[expression] or nil
end

local function fingerprint(job)
  local parts = {job.cron_dialect, job.timezone, job.dst, tostring(job.start), tostring(job["end"]),
    job.disabled and "off" or "on"}
  if job.jitter > 0 then parts[#parts + 1] = "jitter " .. job.jitter end
  if job.days and job.days.digest then parts[#parts + 1] = job.days.digest end
  for _, expression in ipairs(timing.expressions(job)) do parts[#parts + 1] = expression end
  return crypto.sha256(table.concat(parts, "\n")):sub(1, 16)
end

-- A change of it makes the job's slots count from now (DESIGN decision 2).
function Timing.fingerprint(_, job, shared)
  if not shared or job.jitter > 0 then return fingerprint(job) end
  shared.fingerprint = shared.fingerprint or fingerprint(job)
  return shared.fingerprint
end

return timing
