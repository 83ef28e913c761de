-- Templates: a Pod (v1) or Job (batch/v1) in JSON or YAML becomes the manifest of one run. `load` checks and
-- prepares once a job; `render` adds what differs from run to run, touching only what it changes.
local clock = require "clock"
local json = require "json"
local names = require "names"
local sys = require "sys"
local yaml = require "yaml"

local template = {}

local api_versions = {Pod = "v1", Job = "batch/v1"}
local SHORT_TTL = 600 -- seconds: a shorter ttlSecondsAfterFinished can remove an object before it was judged

local function place(file, object, key)
  local line, column
  if type(object) == "table" then line, column = yaml.position(object, key) end
  if not line and type(object) == "table" then line, column = yaml.position(object) end
  return {file = file, line = line, column = column}
end

local function is_object(value) return type(value) == "table" and not json.is_array(value) end

-- The value under a path of keys, each of which must be a mapping; a missing or wrong one is a problem.
local function object_at(manifest, path, file, problems)
  local at = manifest
  for i, key in ipairs(path) do
    local next_at = at[key]
    if not is_object(next_at) then
      problems:error(place(file, at, next_at ~= nil and key or nil), "'%s' must be a mapping",
        table.concat(path, ".", 1, i))
      return nil
    end
    at = next_at
  end
  return at
end

local function check_kind(manifest, file, problems)
  local expected = api_versions[manifest.kind]
  if not expected then
    problems:error(place(file, manifest, manifest.kind and "kind"), "'kind' must be Pod or Job%s",
      type(manifest.kind) == "string" and (", this is " .. manifest.kind) or "")
    return false
  end
  if manifest.apiVersion ~= expected then
    problems:error(place(file, manifest, manifest.apiVersion and "apiVersion"), "'apiVersion' of a %s must be %s",
      manifest.kind, expected)
    return false
  end
  return true
end

local function check_containers(spec, file, problems)
  local containers = spec.containers
  if type(containers) ~= "table" or not json.is_array(containers) or #containers == 0 then
    problems:error(place(file, spec, containers and "containers"),
      "there is no container in it: 'containers' must be a list with at least one")
    return false
  end
  for i, container in ipairs(containers) do
    if not is_object(container) or type(container.name) ~= "string" then
      problems:error(place(file, containers, i), "container %d must be a mapping with a 'name'", i)
      return false
    end
  end
  return true
end

local function check_restarts(manifest, spec, file, problems)
  if spec.restartPolicy == "Always" then
    problems:error(place(file, spec, "restartPolicy"), "restartPolicy Always never ends: write Never, or leave it out")
  elseif spec.restartPolicy == "OnFailure" then
    problems:warning(place(file, spec, "restartPolicy"),
      "restartPolicy OnFailure runs a failed container again inside one run; Never makes each failure seen")
  end
  if manifest.kind ~= "Job" then return end
  local job = manifest.spec
  if math.type(job.backoffLimit) == "integer" and job.backoffLimit > 0 then
    problems:warning(place(file, job, "backoffLimit"), "backoffLimit %d runs a failed Pod again inside one run",
      job.backoffLimit)
  end
  local ttl = job.ttlSecondsAfterFinished
  if math.type(ttl) == "integer" and ttl < SHORT_TTL then
    problems:warning(place(file, job, "ttlSecondsAfterFinished"),
      "the cluster may remove the Job before its outcome is seen: write %d or more, or leave it out", SHORT_TTL)
  end
end

local function parse(path, text)
  local value, mistake
  if path:match "%.json$" or path:match "%.json%.sample$" then
    value, mistake = json.parse(text)
  else
    value, mistake = yaml.parse(text)
  end
  return value, mistake
end

-- What we add to must be a mapping where it is there at all.
local function check_metadata(object, file, problems)
  local metadata = object.metadata
  if metadata == nil or metadata == json.null then return end
  if not is_object(metadata) then
    return problems:error(place(file, object, "metadata"), "'metadata' must be a mapping")
  end
  for _, key in ipairs {"labels", "annotations"} do
    if metadata[key] ~= nil and metadata[key] ~= json.null and not is_object(metadata[key]) then
      problems:error(place(file, metadata, key), "'%s' must be a mapping", key)
    end
  end
end

-- Reads and checks a template file. Returns the manifest as it stands in the file, or nil, and true when the file could
-- not be read; what is wrong is in problems, at its place in the file. `from` is where schedule.yml names it; `read` is
-- used instead of sys.read, where it is given.
function template.read(path, from, problems, read)
  local source, message = (read or sys.read)(path)
  if not source then
    problems:error(from, "the template cannot be read: %s", message)
    return nil, true
  end
  local manifest, mistake = parse(path, source)
  if mistake then
    problems:error({file = path, line = mistake.line, column = mistake.column}, "%s", mistake.message)
    return nil
  end
  if not is_object(manifest) then
    problems:error({file = path}, "a template is a mapping: a Pod or a Job")
    return nil
  end
  local before = problems:errors()
  local pod_path = manifest.kind == "Job" and {"spec", "template", "spec"} or {"spec"}
  local spec = check_kind(manifest, path, problems) and object_at(manifest, pod_path, path, problems)
  if spec and check_containers(spec, path, problems) then check_restarts(manifest, spec, path, problems) end
  check_metadata(manifest, path, problems)
  if spec and manifest.kind == "Job" then check_metadata(manifest.spec.template, path, problems) end
  return problems:errors() == before and manifest or nil
end

-- The namespace that a manifest names, or nil.
function template.namespace(manifest)
  local metadata = manifest and manifest.metadata
  local namespace = is_object(metadata) and metadata.namespace
  return type(namespace) == "string" and namespace or nil
end

local function shallow(object)
  local copy = {}
  for key, value in pairs(is_object(object) and object or {}) do copy[key] = value end
  return json.object(copy)
end

local function map(list, f)
  local out = {}
  for i, item in ipairs(list) do out[i] = f(item, i) end
  return json.array(out)
end

local function pod_spec(manifest) return manifest.kind == "Job" and manifest.spec.template.spec or manifest.spec end

function template.has_container(manifest, name)
  for _, container in ipairs(pod_spec(manifest).containers) do
    if container.name == name then return true end
  end
  return false
end

-- Said in the object, so that whoever adopts it knows.
local function mark_main_container(owner, name)
  owner.metadata = shallow(owner.metadata)
  owner.metadata.annotations = shallow(owner.metadata.annotations)
  owner.metadata.annotations["kube-scheduler/main-container"] = name
end

-- Copies of the objects on the way to the pod's first container; the rest stays the template's own, which many
-- jobs may share.
local function copy_of(manifest)
  local out = shallow(manifest)
  out.metadata, out.spec = shallow(out.metadata), shallow(out.spec)
  local spec = out.spec
  if out.kind == "Job" then
    out.spec.template = shallow(out.spec.template)
    spec = shallow(out.spec.template.spec)
    out.spec.template.spec = spec
  end
  spec.containers = map(spec.containers, function(container, i) return i == 1 and shallow(container) or container end)
  return out, spec
end

-- The manifest of every run of a job: image and args put in, restart rules made plain, a name of its own gone.
-- job: {namespace=, image=, args=, main_container=, retries=}.
function template.prepare(manifest, job)
  local out, spec = copy_of(manifest)
  out.metadata.name, out.metadata.generateName = nil, nil
  out.metadata.namespace = job.namespace
  if spec.restartPolicy == nil then spec.restartPolicy = "Never" end
  if out.kind == "Job" and (out.spec.backoffLimit == nil or job.retries) then out.spec.backoffLimit = 0 end
  local first = spec.containers[1]
  if job.image then first.image = job.image end
  if job.args then first.args = job.args end
  if job.main_container then
    mark_main_container(out, job.main_container)
    if out.kind == "Job" then mark_main_container(out.spec.template, job.main_container) end
  end
  return out
end

-- The prepared manifest of a job of schedule.load, made at its first run.
function template.of(job)
  job.prepared = job.prepared or template.prepare(job.manifest, job)
  return job.prepared
end

local function with_environment(container, variables)
  local copy, present = shallow(container), {}
  local list = {}
  for i, variable in ipairs(type(container.env) == "table" and container.env or {}) do
    list[i] = variable
    if is_object(variable) and variable.name then present[variable.name] = true end
  end
  for _, variable in ipairs(variables) do
    if not present[variable.name] then list[#list + 1] = variable end
  end
  copy.env = json.array(list)
  return copy
end

-- What a run says in its object. run: {job=, name=, instance=, slot=, attempt=, trigger=, last_success=}.
function template.texts(run)
  return {
    job = run.job, label = names.label(run.job), name = run.name, instance = run.instance, trigger = run.trigger,
    slot = clock.format(run.slot), attempt = tostring(run.attempt),
    last_success = run.last_success and clock.format(run.last_success),
  }
end

local function variables_of(texts, extra)
  local list = {
    {name = "KUBE_SCHEDULER_JOB", value = texts.job},
    {name = "KUBE_SCHEDULER_SLOT", value = texts.slot},
    {name = "KUBE_SCHEDULER_ATTEMPT", value = texts.attempt},
  }
  if texts.last_success then
    list[#list + 1] = {name = "KUBE_SCHEDULER_LAST_SUCCESS", value = texts.last_success}
  end
  for _, name in ipairs(require "text".keys(extra or {})) do
    list[#list + 1] = {name = name, value = tostring(extra[name])}
  end
  return list
end

local function pod_spec_with(spec, texts, changes)
  local copy = shallow(spec)
  local variables = variables_of(texts, changes.env)
  local function add(container) return with_environment(container, variables) end
  copy.containers = map(spec.containers, add)
  if type(spec.initContainers) == "table" then copy.initContainers = map(spec.initContainers, add) end
  if changes.args then copy.containers[1].args = json.array(changes.args) end
  return copy
end

local function labels_with(labels, texts)
  local copy = shallow(labels)
  copy["app.kubernetes.io/managed-by"] = "kube-scheduler"
  copy["kube-scheduler/instance"] = texts.instance
  copy["kube-scheduler/job"] = texts.label
  return copy
end

local function annotations_with(annotations, texts)
  local copy = shallow(annotations)
  copy["kube-scheduler/job-name"] = texts.job
  copy["kube-scheduler/slot"] = texts.slot
  copy["kube-scheduler/attempt"] = texts.attempt
  copy["kube-scheduler/trigger"] = texts.trigger
  return copy
end

-- prepared: from template.prepare. texts: from template.texts. changes: {args=, env=}, by a hook or a manual run.
-- Returns the manifest as a table.
function template.write(prepared, texts, changes)
  local out = shallow(prepared)
  out.metadata = shallow(prepared.metadata)
  out.metadata.name = texts.name
  out.metadata.labels = labels_with(prepared.metadata.labels, texts)
  out.metadata.annotations = annotations_with(prepared.metadata.annotations, texts)
  out.spec = shallow(prepared.spec)
  if prepared.kind ~= "Job" then
    out.spec = pod_spec_with(prepared.spec, texts, changes)
    return out
  end
  local inner = shallow(prepared.spec.template)
  inner.metadata = shallow(inner.metadata)
  inner.metadata.labels = labels_with(inner.metadata.labels, texts)
  inner.spec = pod_spec_with(inner.spec, texts, changes)
  out.spec.template = inner
  return out
end

-- The same of a run.
function template.render(prepared, run, changes) return template.write(prepared, template.texts(run), changes or {}) end

return template
