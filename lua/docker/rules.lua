-- What of a template a container engine can do. Everything else is refused, at its place, rather than left out: a run
-- that silently lacks a volume or a limit is worse than none.
local json = require "json"
local yaml = require "yaml"

local rules = {}

local function set(words)
  local out = {}
  for word in words:gmatch "%S+" do out[word] = true end
  return out
end

-- Fields with a meaning here, and those without a meaning on one machine that do no harm (requests, …).
local POD <const> = set [[containers restartPolicy activeDeadlineSeconds terminationGracePeriodSeconds volumes
  hostNetwork securityContext automountServiceAccountToken enableServiceLinks]]
local POD_SECURITY <const> = set "runAsUser runAsGroup"
local CONTAINER <const> = set [[name image command args env workingDir resources volumeMounts securityContext
  imagePullPolicy]]
local SECURITY <const> = set [[runAsUser runAsGroup readOnlyRootFilesystem capabilities privileged
  allowPrivilegeEscalation]]
local JOB <const> = set "template completions parallelism backoffLimit activeDeadlineSeconds ttlSecondsAfterFinished"

local UNITS <const> = {[""] = 1, k = 1e3, M = 1e6, G = 1e9, T = 1e12, Ki = 1 << 10, Mi = 1 << 20, Gi = 1 << 30,
  Ti = 1 << 40}

-- Bytes of a quantity such as 64Mi, or nil.
function rules.memory(quantity)
  local number, unit = tostring(quantity):match "^([%d.]+)(%a*)$"
  number = tonumber(number)
  return number and UNITS[unit] and math.floor(number * UNITS[unit]) or nil
end

-- Billionths of a processor of a quantity such as 500m, or nil.
function rules.cpu(quantity)
  local number, milli = tostring(quantity):match "^([%d.]+)(m?)$"
  number = tonumber(number)
  return number and math.floor(number * (milli == "m" and 1e6 or 1e9)) or nil
end

function rules.pod_spec(manifest)
  return manifest.kind == "Job" and manifest.spec.template.spec or manifest.spec
end

local function place(file, object, key)
  local line, column = yaml.position(object, key)
  if not line then line, column = yaml.position(object) end
  return {file = file, line = line, column = column}
end

-- A checker of one template: at:refuse(object, key, format, …), at:only(object, known, what), at:list(object, key).
local At = {}
At.__index = At

function At:refuse(object, key, ...) self.problems:error(place(self.file, object, key), ...) end

function At:only(object, known, what)
  if type(object) ~= "table" then return {} end
  for key in pairs(object) do
    if not known[key] then
      self:refuse(object, key, "%s'%s' cannot be had from a container engine: leave it out, or run in a cluster",
        what, key)
    end
  end
  return object
end

function At:list(object, key)
  local value = object[key]
  if value == nil or value == json.null then return {} end
  if type(value) == "table" and json.is_array(value) then return value end
  self:refuse(object, key, "'%s' must be a list", key)
  return {}
end

local function check_words(at, container, key)
  for i, word in ipairs(at:list(container, key)) do
    if type(word) ~= "string" then
      at:refuse(container[key], i, "%s[%d] must be a string: put it in quotes", key, i - 1)
    end
  end
end

local function check_env(at, container)
  for i, variable in ipairs(at:list(container, "env")) do
    if type(variable) ~= "table" or type(variable.name) ~= "string" then
      at:refuse(container.env, i, "every entry of 'env' needs a name")
    else
      at:only(variable, {name = true, value = true}, "env " .. variable.name .. ": ")
      if variable.value ~= nil and type(variable.value) ~= "string" then
        at:refuse(variable, "value", "the value of env %s must be a string: put it in quotes", variable.name)
      end
    end
  end
end

local function check_limits(at, container)
  local resources = at:only(container.resources, {limits = true, requests = true}, "resources: ")
  local limits = at:only(resources.limits, {cpu = true, memory = true}, "limits: ")
  for key, read in pairs {cpu = rules.cpu, memory = rules.memory} do
    if limits[key] ~= nil and not read(limits[key]) then
      at:refuse(limits, key, "'%s' is no quantity: write such as 500m for cpu, 64Mi for memory", tostring(limits[key]))
    end
  end
end

local function check_volume(at, volumes, i, known)
  local volume = volumes[i]
  if type(volume) ~= "table" or type(volume.name) ~= "string" then
    return at:refuse(volumes, i, "every volume needs a name")
  end
  at:only(volume, {name = true, hostPath = true, emptyDir = true}, "volume " .. volume.name .. ": ")
  if type(volume.hostPath) == "table" then
    at:only(volume.hostPath, {path = true, type = true}, "hostPath: ")
    if type(volume.hostPath.path) ~= "string" or volume.hostPath.path:find ":" then
      at:refuse(volume.hostPath, "path", "'path' must be a path without a colon")
    end
  elseif type(volume.emptyDir) == "table" then
    at:only(volume.emptyDir, {medium = true}, "emptyDir: ")
  else
    at:refuse(volumes, i, "volume %s must be a hostPath or an emptyDir", volume.name)
  end
  known[volume.name] = true
end

local function check_mount(at, mounts, i, known)
  local mount = mounts[i]
  if type(mount) ~= "table" or type(mount.mountPath) ~= "string" or mount.mountPath:find ":" then
    return at:refuse(mounts, i, "a volumeMount needs a mountPath without a colon")
  end
  at:only(mount, {name = true, mountPath = true, readOnly = true}, "volumeMounts: ")
  if not known[mount.name] then at:refuse(mount, "name", "there is no volume '%s'", tostring(mount.name)) end
end

local function check_volumes(at, spec, container)
  local known = {}
  local volumes, mounts = at:list(spec, "volumes"), at:list(container, "volumeMounts")
  for i in ipairs(volumes) do check_volume(at, volumes, i, known) end
  for i in ipairs(mounts) do check_mount(at, mounts, i, known) end
end

local function check_container(at, spec)
  local container = spec.containers[1]
  at:only(container, CONTAINER, "")
  check_words(at, container, "command")
  check_words(at, container, "args")
  check_env(at, container)
  check_limits(at, container)
  check_volumes(at, spec, container)
  local security = at:only(container.securityContext, SECURITY, "securityContext: ")
  at:only(security.capabilities, {add = true, drop = true}, "capabilities: ")
end

local function check_job(at, job)
  at:only(job, JOB, "")
  for _, key in ipairs {"completions", "parallelism"} do
    if job[key] ~= nil and job[key] ~= 1 then
      at:refuse(job, key, "a container engine runs one Pod of a Job: '%s' must be 1", key)
    end
  end
  if job.backoffLimit ~= nil and job.backoffLimit ~= 0 then
    at:refuse(job, "backoffLimit", "a container engine starts nothing again: write 0, and `retries` in the schedule")
  end
end

-- manifest: of template.read, so its shape down to the containers is known to be good.
function rules.check(manifest, file, problems)
  local at = setmetatable({file = file, problems = problems}, At)
  local spec = rules.pod_spec(manifest)
  if manifest.kind == "Job" then check_job(at, manifest.spec) end
  at:only(spec, POD, "")
  at:only(spec.securityContext, POD_SECURITY, "securityContext: ")
  if spec.restartPolicy == "OnFailure" then
    at:refuse(spec, "restartPolicy",
      "a container engine starts nothing again: write Never, and `retries` in the schedule")
  end
  if #spec.containers > 1 then
    at:refuse(spec.containers, 2, "a container engine runs a template with one container, and this one has %d",
      #spec.containers)
    return
  end
  check_container(at, spec)
end

return rules
