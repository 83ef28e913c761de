-- Which routes hear of an incident: those that its job's `alerts` chooses, those that escalation brings in, and the one
-- that stands in for a route that does not take it.
--   Routes.new(all, jobs, settings) -> r       all: {NAME = route} of a sender; jobs: {NAME = job}
--   r:of(record, now) -> {NAME = true}         record: of the ledger, or {job=, notice=true}
--   r:with(trait, job_name) -> {NAME = true}   those that have the trait (each, check_ins) and are wanted by the job
--   r:instead_of(name) -> the route that hears of what another did not take, or nil
local Routes = {}
Routes.__index = Routes

local function contains(list, name)
  for _, each in ipairs(list) do
    if each == name then return true end
  end
  return false
end

local function takes_incidents(route) return route and not (route.each or route.check_ins or route.alive) end

-- Those that hear of nothing until they are needed, unless a job names them. A fallback that is alone hears all.
local function quiet_of(all, settings)
  local quiet = {}
  for _, name in ipairs(settings.escalate and settings.escalate.to or {}) do quiet[name] = true end
  for name, route in pairs(all) do
    if takes_incidents(route) and name ~= settings.fallback and not quiet[name] then
      quiet[settings.fallback or ""] = true
      break
    end
  end
  return quiet
end

function Routes.new(all, jobs, settings)
  return setmetatable({all = all, jobs = jobs, settings = settings, quiet = quiet_of(all, settings)}, Routes)
end

-- What the job's `alerts` says: "none", a list, or nil.
function Routes:chosen_by(job_name)
  local job = self.jobs[job_name]
  return job and job.alerts
end

local function chooses(self, chosen, name)
  if chosen == "none" then return false end
  if chosen then return contains(chosen, name) end
  return not self.quiet[name]
end

function Routes:of(record, now)
  local out, chosen = {}, self:chosen_by(record.job)
  local function add(name)
    if takes_incidents(self.all[name]) then out[name] = true end
  end
  for name in pairs(self.all) do
    if record.routes and record.routes[name] or not record.routes and chooses(self, chosen, name) then add(name) end
  end
  local escalate = self.settings.escalate
  if escalate and not record.notice and chosen ~= "none" and now - record.changed >= escalate.after then
    for _, name in ipairs(escalate.to) do add(name) end
  end
  if record.failed_on then add(self:instead_of(record.failed_on)) end
  return out
end

function Routes:with(trait, job_name)
  local out, chosen = {}, self:chosen_by(job_name)
  for name, route in pairs(self.all) do
    if route[trait] and (trait == "each" or chooses(self, chosen, name)) then out[name] = true end
  end
  return out
end

function Routes:instead_of(name)
  local other = self.settings.fallback
  return other ~= name and takes_incidents(self.all[other]) and other or nil
end

return Routes
