-- How commands arrive in a cluster: a ConfigMap <instance>-request-<id> with the request, so RBAC decides who may.
-- The leader watches for them, acts, writes the answer beside the request, and deletes what nobody fetched.
--   over.serve{client=, namespace=, instance=, handle=function(request) -> answer} -> {close=}
--   over.ask{client=, namespace=, instance=, request=, seconds=} -> answer; or nil, message, code
local clock = require "clock"
local json = require "json"
local log = require "log"
local requests = require "control.request"
local task = require "task"

local over = {}

local OWNER, REQUEST = "kube-scheduler/instance", "kube-scheduler/request"
local KEEP = 300           -- seconds from its making until a request is deleted, whoever asked
local PATIENCE = 60        -- and until it is not acted on any more: its asker has given up
local ROOM = 512 * 1024    -- bytes of an answer; the API server takes 1 MiB
local POLL = {0.1, 0.2, 0.3, 0.5} -- seconds between looks for the answer; the last again and again

local function name_of(instance, id) return instance .. "-request-" .. id end

-- Serving

-- Who made it: what wrote it, by the API server's record, and who that says it was.
local function asker(object, request)
  local entry = (object.metadata.managedFields or {})[1]
  return ("%s (%s)"):format(type(request.by) == "string" and request.by or "unknown", entry and entry.manager or "?")
end

local function act(options, object, age)
  local request = json.parse(object.data and object.data.request or "")
  if type(request) ~= "table" then return {error = "the request is unreadable"} end
  if age > PATIENCE then
    return {error = ("the request is %d s old, nobody waits for it any more: it was not acted on"):format(age)}
  end
  request.by = asker(object, request)
  return options.handle(request)
end

-- Returns after how many seconds the request is to be deleted.
local function answer_one(options, name)
  local client, namespace = options.client, options.namespace
  local object, problem = client:get("ConfigMap", namespace, name)
  if not object then
    if problem.status == 404 then return 0 end
    log.warning("a request could not be read", {request = name, error = problem.message})
    return KEEP
  end
  local created = clock.parse(object.metadata.creationTimestamp) or clock.now()
  local age = clock.now() - created
  if object.metadata.labels[REQUEST] == "pending" then
    object.data = object.data or {}
    object.data.answer = requests.encode(act(options, object, age), ROOM)
    object.metadata.labels[REQUEST] = "answered"
    object.metadata.annotations = object.metadata.annotations or {}
    object.metadata.annotations["kube-scheduler/answered"] = clock.format(clock.now())
    local written
    written, problem = client:replace(object)
    if not written and problem.status ~= 404 then
      log.warning("a command's answer could not be written", {request = name, error = problem.message})
    end
  end
  return math.max(1, KEEP - age)
end

function over.serve(options)
  local known = {}
  local function happened(event, object)
    if not object then return end
    if event == "deleted" then
      known[object.uid] = nil
    elseif not known[object.uid] then
      known[object.uid] = true
      task.sleep(answer_one(options, object.name))
      if known[object.uid] then options.client:delete("ConfigMap", options.namespace, object.name) end
    end
  end
  local watch = options.client:watch("ConfigMap", options.namespace,
    {selector = ("%s=%s,%s"):format(OWNER, options.instance, REQUEST)}, happened)
  return {close = function() watch:stop() end}
end

-- Asking

local function config_map(options)
  return {
    apiVersion = "v1", kind = "ConfigMap",
    metadata = {
      name = name_of(options.instance, options.request.id), namespace = options.namespace,
      labels = {["app.kubernetes.io/managed-by"] = "kube-scheduler", [OWNER] = options.instance, [REQUEST] = "pending"},
    },
    data = {request = json.encode(options.request)},
  }
end

-- What to look at when no answer came.
local function who_leads(options)
  local name = options.instance .. "-jobs"
  local lease, problem = options.client:get("Lease", options.namespace, name)
  if not lease then
    if problem.status == 404 then
      return ("there is no Lease %s/%s: is a daemon running there, and with this --namespace and --instance?"):format(
        options.namespace, name)
    end
    return ("is a daemon running? The Lease %s/%s cannot be read: %s"):format(options.namespace, name, problem.message)
  end
  local holder, renewed = lease.spec.holderIdentity, lease.spec.renewTime
  if type(holder) ~= "string" or holder == "" then
    return ("nobody leads: the Lease %s/%s has no holder; is a daemon running?"):format(options.namespace, name)
  end
  return ("%s leads and renewed its lease at %s: look at its log, and whether it may watch ConfigMaps"):format(holder,
    tostring(renewed))
end

local function look(options, name)
  local object, problem = options.client:get("ConfigMap", options.namespace, name)
  if not object then return nil, problem.message end
  if not (object.data and object.data.answer) then return nil end
  local answer = json.parse(object.data.answer)
  if type(answer) ~= "table" then return {error = "the answer is unreadable"} end
  return answer
end

function over.ask(options)
  local client, name = options.client, name_of(options.instance, options.request.id)
  local made, problem = client:create(config_map(options))
  if not made and problem.reason ~= "AlreadyExists" then
    return nil, "the request could not be made: " .. problem.message, problem.status == 403 and "denied" or "failed"
  end
  local ends, tries = clock.monotonic() + options.seconds, 0
  repeat
    tries = tries + 1
    task.sleep(POLL[math.min(tries, #POLL)])
    local answer, message = look(options, name)
    if answer then
      client:delete("ConfigMap", options.namespace, name) -- where that is not allowed, the leader does it later
      return answer
    end
    problem = message
  until clock.monotonic() > ends
  client:delete("ConfigMap", options.namespace, name) -- nobody shall act on it later
  return nil, ("no answer within %d s%s; %s"):format(options.seconds, problem and ": " .. problem or "",
    who_leads(options)), "timeout"
end

return over
