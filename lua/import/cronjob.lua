-- CronJobs (batch/v1 and v1beta1), from a file or a cluster.
local import = require "import"
local kubernetes = require "import.kubernetes"

-- Without a deadline the controller starts the latest slot however late it is.
local LONG <const> = "24h"

local function catch_up(where, spec, fields, found)
  fields.catch_up = "latest"
  local seconds = spec.startingDeadlineSeconds
  fields.deadline = seconds and ("%ds"):format(seconds) or LONG
  if not seconds then
    found:note(where, "it has no startingDeadlineSeconds: a slot may start up to %s late (deadline)", LONG)
  end
end

local function cron(where, spec, fields)
  local zone, rest = spec.schedule:match "^C?R?O?N?_?TZ=(%S+)%s+(.*)$"
  if zone then fields.timezone = zone end
  fields.cron = rest or spec.schedule
  return where
end

local function read(object, found, options)
  local metadata, spec = object.metadata, object.spec
  local where = ("CronJob %s/%s"):format(metadata.namespace or "default", metadata.name)
  if type(spec) ~= "table" or type(spec.schedule) ~= "string" or type(spec.jobTemplate) ~= "table" then
    return found:refuse(where, "it has no schedule or no jobTemplate")
  end
  local fields = kubernetes.fields(where, metadata, spec, found, options)
  catch_up(where, spec, fields, found)
  cron(where, spec, fields)
  if options.cut_over then fields.suspend = true end
  local template = spec.jobTemplate
  local manifest = {apiVersion = "batch/v1", kind = "Job", metadata = {labels = (template.metadata or {}).labels,
    annotations = (template.metadata or {}).annotations}, spec = template.spec}
  kubernetes.take_out(fields, template.spec.template.spec.containers[1])
  found:job(metadata.name, fields, manifest)
end

return function(source, found, options)
  local objects, message = import.objects(source.text)
  if not objects then return found:refuse(source.path, "%s", message) end
  for _, object in ipairs(objects) do
    if object.kind == "CronJob" or (object.kind == nil and object.spec and object.spec.jobTemplate) then
      read(object, found, options)
    else
      found:refuse(source.path, "a %s is no CronJob", tostring(object.kind))
    end
  end
end
