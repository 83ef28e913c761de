-- A run that was killed for its memory gets twice as much in its next attempt, up to a limit. The job needs `retries`.
local MOST <const> = 8192 -- MiB
local FIRST <const> = 256 -- MiB, when the template names no limit

local UNITS <const> = {Mi = 1, Gi = 1024}

local function mebibytes(quantity)
  local number, unit = (quantity or ""):match "^(%d+)(%a+)$"
  return UNITS[unit] and number * UNITS[unit] or FIRST
end

local function pod_of(manifest) return manifest.kind == "Job" and manifest.spec.template or manifest end

function on_attempt_failed(event)
  if event.reason ~= "OOMKilled" then return end
  local main = pod_of(event.manifest).spec.containers[1]
  local limits = main.resources and main.resources.limits
  local wanted = mebibytes(limits and limits.memory) * 2 ^ (event.attempt + 1)
  if wanted > MOST then return false, ("it needs more than %d MiB"):format(MOST) end
  local pod = {spec = {containers = {{name = main.name, resources = {limits = {memory = ("%dMi"):format(wanted)}}}}}}
  return {patch = event.manifest.kind == "Job" and {spec = {template = pod}} or pod}
end
