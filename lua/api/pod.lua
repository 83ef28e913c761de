-- What the cluster still knows of a run: its Pod's node, containers and Events. Best effort: what is gone, or what the
-- daemon may not read, is left out.
local clock = require "clock"
local json = require "json"
local view = require "api.view"

local pod = {}

local TIMEOUT <const> = 5 -- seconds
local MOST <const> = 100  -- Events

-- Lists that calls:list does not cover.
local function items(client, path)
  local answer = client:request("GET", path, {timeout = TIMEOUT})
  local list = answer.status == 200 and json.parse(answer.body)
  return type(list) == "table" and type(list.items) == "table" and list.items or {}
end

local function path_of(client, group, run, plural, selector)
  return ("%s/namespaces/%s/%s?limit=%d&%s"):format(group, client.escape(run.namespace), plural, MOST, selector)
end

-- The run's Pod has its name, or is of its Job.
local function find(client, run, id)
  local object = client:get("Pod", run.namespace, id, {timeout = TIMEOUT})
  if object then return object end
  local selector = "labelSelector=" .. client.escape("job-name=" .. id)
  local found = items(client, path_of(client, "/api/v1", run, "pods", selector))
  return found[#found]
end

local function container(status)
  local name, state = next(status.state or {})
  state = type(state) == "table" and state or {}
  return {name = status.name, image = status.image, state = name, reason = state.reason, message = state.message,
    exit_code = state.exitCode, restarts = status.restartCount}
end

local function events_of(client, run, object)
  local out = {}
  local selector = "fieldSelector=" .. client.escape("involvedObject.name=" .. object)
  for i, event in ipairs(items(client, path_of(client, "/api/v1", run, "events", selector))) do
    local at = type(event.lastTimestamp) == "string" and clock.parse(event.lastTimestamp)
    out[i] = {type = event.type, reason = event.reason, message = event.message, count = event.count,
      at = at and view.time(at) or nil}
  end
  return out
end

-- Sets out.node, out.pod, out.containers, out.events.
function pod.add(client, run, out)
  local object = find(client, run, out.id)
  local events = events_of(client, run, out.id)
  if object then
    local name = object.metadata.name
    out.pod, out.node = name, object.spec.nodeName
    local containers = {}
    for i, status in ipairs((object.status or {}).containerStatuses or {}) do containers[i] = container(status) end
    out.containers = json.array(containers)
    if name ~= out.id then
      for _, event in ipairs(events_of(client, run, name)) do events[#events + 1] = event end
    end
  end
  out.events = #events > 0 and json.array(events) or nil
end

return pod
