-- Kubernetes Events, as `kubectl describe` and `kubectl get events` show them: what went wrong with a run on its
-- Job or Pod, and a skipped slot on the instance's Lease. Best effort: an Event that cannot be posted is dropped
-- with a log line, and a storm of them is kept from the API server.
local clock = require "clock"
local log = require "log"
local sys = require "sys"
local task = require "task"
local template = require "template"

local Events = {}
Events.__index = Events

-- client-go's correlator sends 25 of one kind for an object and then one in 5 minutes; an instance is one source,
-- and 10 at once and one a second are plenty for people to read.
local BURST, RATE = 10, 1
local MEMORY = 200 -- Events that a repetition is counted on instead of making another

-- What a kind of post is called, CamelCase as Events have it, and what it is about.
local REASONS = {
  failed = "RunFailed", start_failed = "RunNotStarted", timeout = "RunTimedOut", evicted = "RunEvicted",
  lost = "RunLost", deleted = "RunDeleted", skipped = "SlotSkipped", missed = "SlotsMissed",
}
local ON_LEASE = {skipped = true, missed = true} -- there is no object

-- options: {client=, namespace=, instance=, now=, spawn=}; the last two for tests.
function Events.new(options)
  return setmetatable({
    client = options.client, namespace = options.namespace, instance = options.instance,
    now = options.now or clock.monotonic, spawn = options.spawn or task.spawn,
    tokens = BURST, filled_at = (options.now or clock.monotonic)(), known = {}, order = {}, dropped = 0,
  }, Events)
end

function Events:take_token()
  local now = self.now()
  self.tokens = math.min(BURST, self.tokens + (now - self.filled_at) * RATE)
  self.filled_at = now
  if self.tokens < 1 then return false end
  self.tokens = self.tokens - 1
  return true
end

-- Lease Events stand in the namespace of the Lease, others in their object's: the API server insists.
function Events:about(kind, run)
  if ON_LEASE[kind] then
    return {apiVersion = "coordination.k8s.io/v1", kind = "Lease", namespace = self.namespace,
      name = self.instance .. "-jobs"}
  end
  return {apiVersion = run.is_job and "batch/v1" or "v1", kind = run.is_job and "Job" or "Pod",
    namespace = run.namespace, name = run.name}
end

function Events:new_event(what, about)
  local now = clock.format(clock.now())
  return {
    apiVersion = "v1", kind = "Event",
    metadata = {
      name = ("%s.%s"):format(about.name, sys.random(8)), namespace = about.namespace,
      labels = {["app.kubernetes.io/managed-by"] = "kube-scheduler", ["kube-scheduler/instance"] = self.instance},
    },
    involvedObject = about, type = "Warning", reason = REASONS[what.kind], message = what.message:sub(1, 1024),
    source = {component = "kube-scheduler-jobs", host = self.instance},
    firstTimestamp = now, lastTimestamp = now, count = 1,
  }
end

function Events:remember(key, event)
  self.known[key] = {namespace = event.metadata.namespace, name = event.metadata.name, count = 1}
  self.order[#self.order + 1] = key
  if #self.order > MEMORY then self.known[table.remove(self.order, 1)] = nil end
end

-- Another of what was posted already: counted there. False: it is not there any more.
function Events:count(known)
  known.count = known.count + 1
  return self.client:patch("Event", known.namespace, known.name,
    {count = known.count, lastTimestamp = clock.format(clock.now())})
end

function Events:send(key, what, about)
  if self.known[key] then
    local counted, problem = self:count(self.known[key])
    if counted or problem.status ~= 404 then return counted, problem end
  end
  local object = self.client:get(about.kind, about.namespace, about.name)
  about.uid = object and object.metadata.uid -- kubectl describe shows only Events with the object's uid
  local event = self:new_event(what, about)
  local created, problem = self.client:create(event)
  if created then self:remember(key, event) end
  return created, problem
end

-- what: {kind=, run=, message=}; kind: an outcome but success, "skipped" or "missed"; run: as of the registry's
-- events, with is_job when its object is a Job. Returns at once; false: there are too many, or kind has no Event.
function Events:post(what)
  if not REASONS[what.kind] then return false end
  if not self:take_token() then
    self.dropped = self.dropped + 1
    return false
  end
  local about = self:about(what.kind, what.run)
  local message = ("job %s: %s"):format(what.run.job, what.message ~= "" and what.message or what.kind)
  local key = table.concat({about.namespace, about.name, what.kind, message}, "\0")
  self.spawn(function()
    local done, problem = self:send(key, {kind = what.kind, message = message}, about)
    if not done then log.warning("an Event was not posted", {job = what.run.job, error = problem.message}) end
  end)
  return true
end

-- Posts what the history is told. jobs: by name, as they are at work; a run of a job that is gone counts as a Pod.
function Events:listen(history, jobs)
  history:listen(function(record, run)
    local job = jobs[run.job]
    local about = {job = run.job, namespace = run.namespace, name = run.name,
      is_job = job and template.of(job).kind == "Job"}
    self:post {kind = record.outcome, run = about, message = record.message or record.reason or ""}
  end)
end

return Events
