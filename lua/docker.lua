-- The container engine of this machine (Docker, Podman): where its socket is, and what a template means there.
--   docker.socket(path or nil) -> path; or nil and why      asks the engine; nil: DOCKER_HOST, else the usual places
--   docker.check(manifest, file, problems)                  what cannot be mapped is an error at its place
--   docker.encode(manifest) -> JSON                         the body of POST /containers/create of Engine API v1.41
local json = require "json"
local rules = require "docker.rules"
local socket = require "socket"
local sys = require "sys"

local docker = {check = rules.check}

local PING = "GET /_ping HTTP/1.0\r\nHost: engine\r\n\r" -- socket.ask adds the last \n
local PING_SECONDS = 5

local function places()
  local out, runtime = {"/var/run/docker.sock"}, os.getenv "XDG_RUNTIME_DIR"
  if runtime then out[#out + 1] = runtime .. "/podman/podman.sock" end
  out[#out + 1] = "/run/podman/podman.sock"
  return out
end

local function answers(path)
  local line, message = socket.ask(path, PING, PING_SECONDS)
  if line and line:find "^HTTP/1%.%d 200" then return path end
  return nil, ("no container engine answers at %s: %s"):format(path, line or message)
end

function docker.socket()
  local host = os.getenv "DOCKER_HOST"
  if host and host ~= "" then
    local path = host:match "^unix://(/.+)$"
    if not path then return nil, ("DOCKER_HOST is '%s': only unix:///PATH is supported"):format(host) end
    return answers(path)
  end
  for _, path in ipairs(places()) do
    if sys.kind(path) and answers(path) then return path end
  end
  return nil, "no container engine answers: start Docker or podman.socket, or name its socket in " ..
    "DOCKER_HOST=unix:///PATH"
end

-- A field that is absent, or null.
local function table_of(value) return type(value) == "table" and value or {} end

-- $(NAME) becomes the variable, $$ becomes $, what is neither stays: as in a cluster.
local function expand(value, known)
  return (value:gsub("%$(%$?)(%(?[^%$%)]*%)?)", function(escaped, rest)
    if escaped == "$" then return "$" .. rest end
    local name = rest:match "^%((.*)%)"
    return name and known[name]
  end))
end

local function environment(list)
  local known, out = {}, {}
  for _, variable in ipairs(table_of(list)) do
    known[variable.name] = expand(variable.value or "", known)
    out[#out + 1] = variable.name .. "=" .. known[variable.name]
  end
  return json.array(out), known
end

local function words(list, known)
  if type(list) ~= "table" then return nil end
  local out = {}
  for i, word in ipairs(list) do out[i] = expand(word, known) end
  return json.array(out)
end

-- hostPath is bound, emptyDir a volume that goes with the container, or memory.
local function mount(host, volumes, wanted)
  local volume = volumes[wanted.name]
  if volume.hostPath then
    host.Binds[#host.Binds + 1] = volume.hostPath.path .. ":" .. wanted.mountPath .. (wanted.readOnly and ":ro" or "")
  elseif volume.emptyDir.medium == "Memory" then
    host.Tmpfs[wanted.mountPath] = ""
  else
    host.Mounts[#host.Mounts + 1] = {Type = "volume", Target = wanted.mountPath}
  end
end

local function security(host, context)
  local capabilities = table_of(context.capabilities)
  host.ReadonlyRootfs = context.readOnlyRootFilesystem
  host.Privileged = context.privileged
  host.CapAdd, host.CapDrop = capabilities.add, capabilities.drop
  if context.allowPrivilegeEscalation == false then host.SecurityOpt = json.array {"no-new-privileges"} end
end

local function host_config(spec, container)
  local host = {Binds = json.array {}, Mounts = json.array {}, Tmpfs = json.object {}}
  local limits = table_of(table_of(container.resources).limits)
  local memory, cpu = rules.memory(limits.memory), rules.cpu(limits.cpu)
  host.Memory, host.MemorySwap, host.NanoCpus = memory, memory, cpu
  if spec.hostNetwork then host.NetworkMode = "host" end
  security(host, table_of(container.securityContext))
  local volumes = {}
  for _, volume in ipairs(table_of(spec.volumes)) do volumes[volume.name] = volume end
  for _, wanted in ipairs(table_of(container.volumeMounts)) do mount(host, volumes, wanted) end
  return host
end

local function user(spec, container)
  local pod, own = table_of(spec.securityContext), table_of(container.securityContext)
  local uid, gid = own.runAsUser or pod.runAsUser, own.runAsGroup or pod.runAsGroup
  return uid and (gid and ("%s:%s"):format(uid, gid) or tostring(uid))
end

local function deadline(manifest, spec)
  local outer, inner = manifest.kind == "Job" and manifest.spec.activeDeadlineSeconds, spec.activeDeadlineSeconds
  return outer and inner and math.min(outer, inner) or outer or inner
end

-- Everything that a later daemon has to know of the run.
local function labels(manifest, spec, container)
  local out = {}
  for _, from in ipairs {manifest.metadata.annotations or {}, manifest.metadata.labels or {}} do
    for key, value in pairs(from) do out[key] = value end
  end
  local seconds = deadline(manifest, spec)
  out["kube-scheduler/namespace"] = manifest.metadata.namespace
  out["kube-scheduler/kind"] = manifest.kind
  out["kube-scheduler/container"] = container.name
  out["kube-scheduler/pull"] = container.imagePullPolicy
  out["kube-scheduler/deadline"] = seconds and tostring(seconds)
  return json.object(out)
end

local function body(manifest)
  local spec = rules.pod_spec(manifest)
  local container = spec.containers[1]
  local env, known = environment(container.env)
  return {
    Image = container.image, Entrypoint = words(container.command, known), Cmd = words(container.args, known),
    Env = env, WorkingDir = container.workingDir, User = user(spec, container),
    StopTimeout = spec.terminationGracePeriodSeconds or 10, Labels = labels(manifest, spec, container),
    HostConfig = host_config(spec, container),
  }
end

-- nil and why: a hook made something of it that cannot be mapped.
function docker.encode(manifest)
  local found = require "problems".new()
  rules.check(manifest, "the manifest", found)
  if found:errors() > 0 then return nil, found[1].message end
  return json.encode(body(manifest))
end

return docker
