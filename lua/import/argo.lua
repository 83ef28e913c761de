-- Argo's CronWorkflows whose workflow is one container.
local import = require "import"
local json = require "json"
local kubernetes = require "import.kubernetes"

-- The one container that the workflow is; nil and why it is more.
local function container_of(spec)
  for _, template in ipairs(spec.templates or {}) do
    if template.name == spec.entrypoint then
      if type(template.container) == "table" then return template.container end
      for _, kind in ipairs {"dag", "steps", "script", "containerSet", "resource", "suspend", "http"} do
        if template[kind] then return nil, ("its entrypoint is a %s: only one container is imported"):format(kind) end
      end
    end
  end
  return nil, "its entrypoint is no template of its own: only one container is imported"
end

local function pod(container, spec)
  container.name = container.name or "main"
  return {apiVersion = "v1", kind = "Pod", spec = {containers = json.array {container}, restartPolicy = "Never",
    serviceAccountName = spec.serviceAccountName, volumes = spec.volumes, nodeSelector = spec.nodeSelector,
    tolerations = spec.tolerations}}
end

local function notes(where, spec, found)
  if spec.when then found:note(where, "its `when: %s` is left out: write it as a before_run hook", spec.when) end
  if spec.stopStrategy then found:note(where, "its stopStrategy is left out: see `end` and before_run hooks") end
end

local function read(object, found, options)
  local metadata, spec = object.metadata, object.spec
  local where = ("CronWorkflow %s/%s"):format(metadata.namespace or "default", metadata.name)
  local container, why = container_of(spec.workflowSpec or {})
  if not container then return found:refuse(where, "%s", why) end
  local fields = kubernetes.fields(where, metadata, spec, found, options)
  fields.cron = spec.schedules and json.array(spec.schedules) or spec.schedule
  if not fields.cron then return found:refuse(where, "it has no schedule") end
  local seconds = spec.startingDeadlineSeconds or 0
  fields.catch_up = seconds > 0 and "latest" or "none"
  fields.deadline = seconds > 0 and ("%ds"):format(seconds) or nil
  local annotations = metadata.annotations or {}
  fields.description = annotations["workflows.argoproj.io/description"] or annotations["workflows.argoproj.io/title"]
  notes(where, spec, found)
  kubernetes.take_out(fields, container)
  found:job(metadata.name, fields, pod(container, spec.workflowSpec))
end

return function(source, found, options)
  local objects, message = import.objects(source.text)
  if not objects then return found:refuse(source.path, "%s", message) end
  for _, object in ipairs(objects) do
    if object.kind == "CronWorkflow" then
      read(object, found, options)
    else
      found:refuse(source.path, "a %s is no CronWorkflow", tostring(object.kind))
    end
  end
end
