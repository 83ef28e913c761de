-- Who leads: the Lease <instance>-jobs, with the election of client-go, so that its numbers and its fields look
-- familiar and either can read the other's. It also carries the watermark and the open list as annotations, so
-- that one write renews the lease and makes them durable, and its resourceVersion fences them.
local clock = require "clock"
local json = require "json"
local log = require "log"
local task = require "task"

local Lease = {}
Lease.__index = Lease

-- client-go's defaults: k8s.io/client-go/tools/leaderelection.
local LEASE_SECONDS, RENEW_DEADLINE, RETRY = 15, 10, 2
local MARGIN = 3 -- seconds before the lease's end after which nothing is sent any more
local RELEASE = 2 -- seconds to give it up in
local TRIES = 3 -- writes in a row over versions that turn out to be our own
local WATERMARK, OPEN, OWNER = "kube-scheduler/watermark", "kube-scheduler/open", "kube-scheduler/instance"

-- options: {client=, namespace=, instance=, identity=, executor=}
function Lease.new(options)
  return setmetatable({
    client = options.client, namespace = options.namespace, identity = options.identity,
    executor = options.executor, instance = options.instance, name = options.instance .. "-jobs",
    reached = false, -- whether it was read or made once
    ends_at = 0, -- of clock.boottime: what we send after that may come after another's first slot
  }, Lease)
end

local function now_micro() return (clock.format(clock.now()):gsub("Z$", ".000000Z")) end

local function present(value) return value ~= nil and value ~= json.null and value ~= "" end

function Lease:fresh()
  return {
    apiVersion = "coordination.k8s.io/v1", kind = "Lease",
    metadata = {name = self.name, namespace = self.namespace, annotations = {[OWNER] = self.instance}},
    spec = {leaseDurationSeconds = LEASE_SECONDS, leaseTransitions = 0},
  }
end

-- The Lease as it is; nil and the problem. In its own lane: never behind the creates of a burst.
function Lease:get(timeout)
  return self.client:get("Lease", self.namespace, self.name, {lane = "lease", timeout = timeout})
end

-- The same, made when it is not there; nil and why.
function Lease:read()
  local object, problem = self:get(RENEW_DEADLINE)
  if not object and problem.status == 404 then object, problem = self.client:create(self:fresh()) end
  if not object then return nil, problem.message end
  self.reached = true
  return object
end

-- A Lease of this name that is not ours must never be touched: the cluster's own scheduler has one too.
function Lease:is_foreign(object)
  local annotations = object.metadata.annotations or {}
  return annotations[OWNER] ~= self.instance and present(object.spec.holderIdentity)
end

-- Seconds until the holder's lease is over: it was not renewed for its whole duration by our own clock
-- (client-go does not trust the holder's clock either). 0: nobody holds it, or we do.
function Lease:remaining(object)
  local holder, version = object.spec.holderIdentity, object.metadata.resourceVersion
  if not present(holder) or holder == self.identity then return 0 end
  if version ~= self.seen_version then self.seen_version, self.seen_at = version, clock.monotonic() end
  local duration = present(object.spec.leaseDurationSeconds) and object.spec.leaseDurationSeconds or LEASE_SECONDS
  return math.max(0, self.seen_at + duration - clock.monotonic())
end

function Lease:claim(object)
  local spec, meta = object.spec, object.metadata
  if spec.holderIdentity ~= self.identity then
    spec.leaseTransitions = (present(spec.leaseTransitions) and spec.leaseTransitions or 0) + 1
    spec.acquireTime = now_micro()
  end
  spec.holderIdentity, spec.leaseDurationSeconds, spec.renewTime = self.identity, LEASE_SECONDS, now_micro()
  meta.annotations, meta.labels = meta.annotations or {}, meta.labels or {}
  meta.annotations[OWNER] = self.instance
  meta.labels["app.kubernetes.io/managed-by"], meta.labels[OWNER] = "kube-scheduler", self.instance
end

-- Writes the Lease, uid and resourceVersion as read: of one that was remade meanwhile the write is refused. On
-- success nothing of ours is sent beyond its end, counted from before the request left.
function Lease:put(object)
  local before = clock.boottime()
  local written, problem = self.client:replace(object,
    {lane = "lease", timeout = RENEW_DEADLINE / 2, not_after = before + RENEW_DEADLINE / 2})
  if not written then return nil, problem end
  self.object = written
  self.ends_at = before + LEASE_SECONDS - MARGIN
  self.executor:fence_after(self.ends_at)
  return true
end

function Lease:wait(seconds)
  task.await(function(resume)
    self.wake = resume
    task.spawn(function()
      task.sleep(seconds)
      resume()
    end)
  end)
end

function Lease:look(told)
  local object, problem = self:read()
  if not object then return nil, problem end
  if self:is_foreign(object) then
    return nil, ("the Lease %s/%s belongs to %s and not to a kube-scheduler instance '%s': choose another --instance")
      :format(self.namespace, self.name, object.spec.holderIdentity, self.instance), "foreign"
  end
  local remaining = self:remaining(object)
  if remaining == 0 then
    self:claim(object)
    local written, refused = self:put(object)
    if written then return 0 end
    return nil, refused.message
  end
  if told.holder ~= object.spec.holderIdentity then
    told.holder = object.spec.holderIdentity
    log.info("waiting: another scheduler leads", {holder = told.holder, lease = self.name})
  end
  return remaining
end

-- Asks for the lease until we have it: at each change of it, when the holder's is over, and every two seconds in
-- case the changes cannot be watched. true; nil and why when it is not ours to have.
function Lease:acquire()
  local told, done, failure = {}, false, nil
  local watch = self.client:watch("Lease", self.namespace, {selector = OWNER .. "=" .. self.instance},
    function(_, object) if object and object.name == self.name and self.wake then self.wake() end end)
  repeat
    local remaining, problem, code = self:look(told)
    if remaining == 0 or code == "foreign" then
      done, failure = true, problem
    else
      if problem and problem ~= told.problem then
        told.problem = problem
        log.warning("the lease cannot be had yet", {lease = self.name, error = problem})
      end
      self:wait(math.min(RETRY * (1 + 0.2 * math.random()), (remaining or RETRY) + 0.01))
    end
  until done
  watch:stop()
  return not failure, failure
end

-- The watermark (nil: none yet) and the open list that the Lease carries.
function Lease:marks()
  local annotations = self.object.metadata.annotations
  local open = annotations[OPEN] and json.parse(annotations[OPEN]) or {}
  return math.tointeger(tonumber(annotations[WATERMARK])), open
end

-- watermark nil: not begun yet, what an earlier leader wrote stays.
local function mark(object, watermark, open)
  if not watermark then return end
  object.metadata.annotations[WATERMARK] = tostring(watermark)
  object.metadata.annotations[OPEN] = json.encode(json.array(open))
end

-- Renews with the watermark. true; nil, why; or nil, why, "lost" when somebody else leads.
function Lease:renew(watermark, open)
  local problem
  for _ = 1, TRIES do
    self:claim(self.object)
    mark(self.object, watermark, open)
    local done
    done, problem = self:put(self.object)
    if done then return true end
    if problem.status ~= 409 and problem.status ~= 404 then break end
    local ours, why, code = self:look_again()
    if not ours then return nil, why, code end
  end
  return nil, problem.message
end

-- Our write met another version: true when that is our own, of a request whose answer was lost, and now the one to
-- write over; nil, why; or nil, why, "lost".
function Lease:look_again()
  local object, problem = self:get(RENEW_DEADLINE / 2)
  if object and object.spec.holderIdentity == self.identity then
    self.object = object
    return true
  end
  if object or problem.status == 404 then return nil, "another scheduler leads now", "lost" end
  return nil, problem.message
end

-- Gives the lease up with the last watermark in one write, so that the next takes over at once. A renewal may still
-- be under way, or one be executed whose answer was lost: then that version is the one to write over.
function Lease:release(watermark, open)
  local object, problem, until_time = self.object, nil, clock.boottime() + RELEASE
  while object and object.spec.holderIdentity == self.identity do
    mark(object, watermark, open)
    object.spec.holderIdentity, object.spec.leaseDurationSeconds, object.spec.renewTime = "", 1, now_micro()
    local written
    written, problem = self.client:replace(object, {lane = "lease", timeout = RELEASE, not_after = until_time})
    if written then return true end
    if problem.status ~= 409 then return nil, problem.message end
    object, problem = self:get(math.max(0.1, until_time - clock.boottime()))
  end
  if problem then return nil, problem.message end
  return true
end

-- For `status`.
function Lease:describe()
  local spec = self.object and self.object.spec or {}
  return {holder = spec.holderIdentity, since = spec.acquireTime, renewed = spec.renewTime, lease = self.name,
    transitions = spec.leaseTransitions, sends_for = math.floor(self.ends_at - clock.boottime())}
end

return Lease
