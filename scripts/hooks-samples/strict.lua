-- Refuses images that may change from run to run, and containers without a limit of memory.
local function has_version(image)
  local name = image:match "[^/]*$" -- a registry may have a port
  return name:find("@", 1, true) or name:find(":", 1, true) and not name:find ":latest$"
end

local function problem_of(container)
  local image = container.image or ""
  if not has_version(image) then return ("%s has no fixed version"):format(image) end
  local limits = container.resources and container.resources.limits
  if not (limits and limits.memory) then return ("container %s has no limit of memory"):format(container.name) end
end

function before_create(event)
  local pod = event.manifest.kind == "Job" and event.manifest.spec.template or event.manifest
  for _, container in ipairs(pod.spec.containers) do
    local problem = problem_of(container)
    if problem then return false, problem end
  end
end
