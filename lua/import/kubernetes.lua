-- What CronJobs and CronWorkflows have in common.
local kubernetes = {}

local overlaps = {Allow = "allow", Forbid = "forbid", Replace = "replace"}

-- spec: of either. Their defaults are written out, for ours differ.
function kubernetes.fields(where, metadata, spec, found, options)
  local zone = spec.timeZone or spec.timezone
  if not zone then
    zone = options.timezone
    if not zone then
      found:note(where, "it names no time zone and follows its controller's: read as UTC, or see --assume-timezone")
    end
  end
  return {
    timezone = zone or "UTC", namespace = metadata.namespace, overlap = overlaps[spec.concurrencyPolicy or "Allow"],
    suspend = spec.suspend == true or nil,
    description = (metadata.annotations or {})["kubernetes.io/description"],
    history = {succeeded = spec.successfulJobsHistoryLimit or 3, failed = spec.failedJobsHistoryLimit or 1},
  }
end

-- What the first container is given, so that jobs that differ in it alone share a template.
function kubernetes.take_out(fields, container)
  fields.image, container.image = container.image, nil
  fields.args, container.args = container.args, nil
  if not fields.image then return end
  container.image = "set-in-schedule.yml"
end

return kubernetes
