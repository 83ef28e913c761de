-- Durable state in the cluster: the Lease <instance>-jobs says who leads and carries the watermark and the open
-- list; the ConfigMap <instance>-state carries the baselines. Leader election as client-go does it, so that its
-- numbers and its objects look familiar.
local clock = require "clock"
local json = require "json"
local log = require "log"
local task = require "task"

local State = {}
State.__index = State

-- client-go's defaults: k8s.io/client-go/tools/leaderelection.
local LEASE_SECONDS, RENEW_DEADLINE, RETRY = 15, 10, 2
local MARGIN = 3 -- seconds before the lease's end after which nothing is sent any more
local WATERMARK, OPEN, OWNER = "kube-scheduler/watermark", "kube-scheduler/open", "kube-scheduler/instance"

-- options: {client=, namespace=, instance=, identity=, executor=}
function State.new(options)
  return setmetatable({
    client = options.client, namespace = options.namespace, identity = options.identity,
    executor = options.executor, instance = options.instance,
    lease_name = options.instance .. "-jobs", config_name = options.instance .. "-state",
    retry = options.retry or RETRY,
  }, State)
end

local function now_micro() return (clock.format(clock.now()):gsub("Z$", ".000000Z")) end

function State:new_lease()
  return {
    apiVersion = "coordination.k8s.io/v1", kind = "Lease",
    metadata = {
      name = self.lease_name, namespace = self.namespace,
      labels = {["app.kubernetes.io/managed-by"] = "kube-scheduler"},
      annotations = {[OWNER] = self.instance},
    },
    spec = {leaseDurationSeconds = LEASE_SECONDS, leaseTransitions = 0},
  }
end

-- The Lease as it is, made when it is not there; nil and why.
function State:read_lease()
  local lease, problem = self.client:get("Lease", self.namespace, self.lease_name)
  if lease then return lease end
  if problem.status ~= 404 then return nil, problem.message end
  lease, problem = self.client:create(self:new_lease())
  if not lease then return nil, problem.message end
  return lease
end

-- A Lease of this name that is not ours must never be touched: the cluster's own scheduler has one too.
local function foreign(lease, instance)
  local annotations = lease.metadata.annotations or {}
  return annotations[OWNER] ~= instance and (lease.spec.holderIdentity or "") ~= ""
end

-- Whether nobody holds the Lease: free, ours, or not renewed for its whole duration by our own clock (client-go
-- does not trust the holder's clock either).
function State:is_free(lease)
  local holder = lease.spec.holderIdentity
  if holder == nil or holder == json.null or holder == "" or holder == self.identity then return true end
  local version = lease.metadata.resourceVersion
  if version ~= self.seen_version then
    self.seen_version, self.seen_at = version, clock.monotonic()
  end
  return clock.monotonic() - self.seen_at >= (lease.spec.leaseDurationSeconds or LEASE_SECONDS)
end

function State:claim(lease)
  local spec = lease.spec
  if spec.holderIdentity ~= self.identity then
    spec.leaseTransitions = (spec.leaseTransitions or 0) + 1
    spec.acquireTime = now_micro()
  end
  spec.holderIdentity, spec.leaseDurationSeconds, spec.renewTime = self.identity, LEASE_SECONDS, now_micro()
  lease.metadata.annotations = lease.metadata.annotations or {}
  lease.metadata.annotations[OWNER] = self.instance
end

-- Writes the Lease; on success nothing of ours is sent beyond its end, counted from before the request left.
function State:put(lease)
  local before = clock.boottime()
  local written, problem = self.client:replace(lease, {lane = "lease", timeout = RENEW_DEADLINE / 2})
  if not written then return nil, problem end
  self.lease = written
  self.executor:fence_after(before + LEASE_SECONDS - MARGIN)
  return true
end

-- Waits until we lead. Returns the watermark (nil: none yet) and the open list.
function State:acquire()
  local waiting
  while true do
    local lease, problem = self:read_lease()
    if lease and foreign(lease, self.instance) then
      error(("the Lease %s/%s belongs to %s and not to a kube-scheduler instance '%s': choose another --instance")
        :format(self.namespace, self.lease_name, lease.spec.holderIdentity, self.instance), 0)
    end
    if lease and self:is_free(lease) then
      self:claim(lease)
      local written, refused = self:put(lease)
      if written then break end
      problem = refused.message
    elseif lease and waiting ~= lease.spec.holderIdentity then
      waiting = lease.spec.holderIdentity
      log.info("waiting: another scheduler leads", {holder = waiting, lease = self.lease_name})
    end
    if problem and problem ~= self.told then
      log.warning("the lease cannot be had yet", {lease = self.lease_name, error = problem})
      self.told = problem
    end
    task.sleep(self.retry * (1 + 0.2 * math.random()))
  end
  self.told = nil
  return self:marks()
end

function State:marks()
  local annotations = self.lease.metadata.annotations
  local open = annotations[OPEN] and json.parse(annotations[OPEN]) or {}
  return math.tointeger(tonumber(annotations[WATERMARK])), open
end

-- watermark nil: not begun yet, what an earlier leader wrote stays.
function State.mark(_, lease, watermark, open)
  if not watermark then return end
  lease.metadata.annotations[WATERMARK] = tostring(watermark)
  lease.metadata.annotations[OPEN] = json.encode(json.array(open))
end

-- Renews the lease with the watermark. true; nil, why; or nil, why, "lost" when somebody else leads.
function State:save(watermark, open)
  local lease = self.lease
  self:claim(lease)
  self:mark(lease, watermark, open)
  local done, problem = self:put(lease)
  if done then return true end
  if problem.status == 409 or problem.status == 404 then return self:look_again(problem.message) end
  return nil, problem.message
end

-- Our write met another version. It may be our own, of a request whose answer was lost.
function State:look_again(message)
  local lease, problem = self.client:get("Lease", self.namespace, self.lease_name)
  if lease and lease.spec.holderIdentity == self.identity then
    self.lease = lease
    return nil, message
  end
  if lease or problem.status == 404 then return nil, "another scheduler leads now", "lost" end
  return nil, problem.message
end

-- Gives the lease up with the last watermark in one write, so that the next takes over at once.
function State:release(watermark, open)
  local lease = self.lease
  if not lease then return true end
  self:mark(lease, watermark, open)
  lease.spec.holderIdentity, lease.spec.leaseDurationSeconds, lease.spec.renewTime = "", 1, now_micro()
  local written, problem = self.client:replace(lease, {lane = "lease", timeout = 2})
  return written and true, problem and problem.message
end

function State:config_map(data)
  return {
    apiVersion = "v1", kind = "ConfigMap",
    metadata = {name = self.config_name, namespace = self.namespace,
      labels = {["app.kubernetes.io/managed-by"] = "kube-scheduler", ["kube-scheduler/instance"] = self.instance}},
    data = {baselines = json.encode(json.object(data))},
  }
end

-- {job = {fingerprint=, since=}}; waits until the API server answers.
function State:baselines()
  while true do
    local map, problem = self.client:get("ConfigMap", self.namespace, self.config_name)
    if map then return map.data and map.data.baselines and json.parse(map.data.baselines) or {} end
    if problem.status == 404 then return {} end
    log.warning("the state cannot be read yet", {config_map = self.config_name, error = problem.message})
    task.sleep(self.retry)
  end
end

-- true, or nil and why.
function State:save_baselines(baselines)
  local map = self:config_map(baselines)
  local written, problem = self.client:patch("ConfigMap", self.namespace, self.config_name, {data = map.data})
  if not written and problem.status == 404 then written, problem = self.client:create(map) end
  return written and true, problem and problem.message
end

return State
