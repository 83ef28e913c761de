-- Calls on Kubernetes objects, as methods of a client of module kube. Objects are tables as json.parse gives them.
-- Each call waits, inside a task, and gives an object, or nil and {status=, reason=, message=}: the API server's
-- own words, or status 0 when there was no answer, or none that can be read (a write may have happened then).
-- An object, or a call on one, that names no namespace means the client's.
local json = require "json"
local task = require "task"

local calls = {}

local PAGE = 500 -- items; what kubectl and client-go ask for

local KINDS = {
  ConfigMap = {group = "/api/v1", plural = "configmaps"},
  Event = {group = "/api/v1", plural = "events"},
  Job = {group = "/apis/batch/v1", plural = "jobs"},
  Lease = {group = "/apis/coordination.k8s.io/v1", plural = "leases"},
  Namespace = {group = "/api/v1", plural = "namespaces", global = true},
  Pod = {group = "/api/v1", plural = "pods"},
}

-- namespace nil: all of them.
local function collection(client, kind, namespace)
  local known = KINDS[kind] or error(("kube: kind %s is not known here"):format(kind))
  if known.global or not namespace then return known.group .. "/" .. known.plural end
  return ("%s/namespaces/%s/%s"):format(known.group, client.escape(namespace), known.plural)
end

local function path_of(client, kind, namespace, name)
  if type(name) ~= "string" or name == "" then error("kube: the object's name is missing") end
  return collection(client, kind, namespace or client:namespace()) .. "/" .. client.escape(name)
end

local function call(client, method, path, options)
  local reply = client:request(method, path, options)
  if reply.status < 200 or reply.status > 299 then
    return nil, {status = reply.status, reason = reply.reason, message = reply.message}
  end
  local object, problem = json.parse(reply.body)
  if type(object) == "table" then return object end
  local why = problem and problem.message or "it is no object"
  return nil, {status = 0, reason = "", message = ("%s %s: the answer is unreadable: %s"):format(method, path, why)}
end

-- options of get, create and replace: {lane=, timeout=, not_after=}, as of request.
function calls:get(kind, namespace, name, options)
  return call(self, "GET", path_of(self, kind, namespace, name), options)
end

local function with_body(object, options, lane)
  return {body = json.encode(object), lane = options and options.lane or lane, timeout = options and options.timeout,
    not_after = options and options.not_after}
end

function calls:create(object, options)
  local namespace = object.metadata.namespace or self:namespace()
  return call(self, "POST", collection(self, object.kind, namespace), with_body(object, options, "create"))
end

-- Refused with 409 when object.metadata.resourceVersion is not the newest.
function calls:replace(object, options)
  local meta = object.metadata
  return call(self, "PUT", path_of(self, object.kind, meta.namespace, meta.name), with_body(object, options))
end

-- patch: RFC 7386; json.null removes.
function calls:patch(kind, namespace, name, patch)
  return call(self, "PATCH", path_of(self, kind, namespace, name), {
    body = json.encode(patch),
    content_type = "application/merge-patch+json",
  })
end

-- options: {propagation = "Background" | "Foreground" | "Orphan"}; the server's default for the kind.
function calls:delete(kind, namespace, name, options)
  local body = {kind = "DeleteOptions", apiVersion = "v1", propagationPolicy = options and options.propagation}
  return call(self, "DELETE", path_of(self, kind, namespace, name), {body = json.encode(body), lane = "delete"})
end

local function add_items(items, page, kind)
  if type(page.items) ~= "table" then return end -- null: an old server's empty list
  for _, item in ipairs(page.items) do
    item.kind, item.apiVersion = kind, page.apiVersion -- lists leave them out of their items
    items[#items + 1] = item
  end
end

-- All of a kind, in one namespace or (nil) in all. options: {selector = "a=b,c"}, of labels.
function calls:list(kind, namespace, options)
  local base = collection(self, kind, namespace)
  local selector = options and options.selector and "&labelSelector=" .. self.escape(options.selector) or ""
  local items, limit, continue = {}, PAGE, ""
  repeat
    local from = continue ~= "" and "&continue=" .. self.escape(continue) or ""
    local page, problem = call(self, "GET", ("%s?limit=%d%s%s"):format(base, limit, selector, from))
    if page then
      add_items(items, page, kind)
      continue = page.metadata.continue or ""
    elseif problem.status == 410 and continue ~= "" then
      items, limit, continue = {}, 0, "" -- the rest is too old to be read on: everything at once
    else
      return nil, problem
    end
  until page and continue == ""
  return items
end

-- Whether nothing more will be written to the container's log.
local function has_ended(pod, container)
  local status = pod.status or {}
  if status.phase == "Succeeded" or status.phase == "Failed" then return true end
  for _, each in ipairs(status.containerStatuses or {}) do
    if each.name == container then
      return each.state.terminated ~= nil and pod.spec.restartPolicy == "Never"
    end
  end
  return false
end

-- Finishes the log when its container has ended or is gone.
local function finish_when_ended(client, log, namespace, pod, container)
  while not log:is_over() do
    local object, problem = client:get("Pod", namespace, pod)
    if object and has_ended(object, container) or problem and problem.status == 404 then return log:finish() end
    task.sleep(1)
  end
end

-- Calls on_line(line) for each line of a container's output, from its first to its end or until it gives false, and
-- waits for that: true, or nil and a message. The Pod may still have to start.
function calls:logs(namespace, pod, container, on_line)
  namespace = namespace or self:namespace()
  local log
  log = self:follow(namespace, pod, container, function(line)
    if on_line(line) == false then log:finish() end
  end)
  task.spawn(finish_when_ended, self, log, namespace, pod, container)
  return log:wait()
end

return calls
