-- Events of runs and slots, with a client that only remembers.
local Events = require "kube.events"

local function fake()
  local seen = {created = {}, patched = {}, now = 0}
  local client = {}
  function client.get(_, kind, _, name)
    if kind == "Job" then return {metadata = {name = name, uid = "uid of " .. name}} end
    return nil, {status = 404, message = "not found"}
  end
  function client.create(_, object)
    seen.created[#seen.created + 1] = object
    return object
  end
  function client.patch(_, kind, namespace, name, patch)
    seen.patched[#seen.patched + 1] = {kind, namespace, name, patch}
    if seen.expired then return nil, {status = 404, message = "gone"} end
    return patch
  end
  local events = Events.new {
    client = client, namespace = "here", instance = "main",
    now = function() return seen.now end, spawn = function(f) f() end,
  }
  return events, seen
end

local function run(more)
  local out = {job = "backup", name = "backup-1", namespace = "there"}
  for name, value in pairs(more or {}) do out[name] = value end
  return out
end

describe("kube.events", function()
  it("posts a failure on the run's object, in its namespace", function()
    local events, seen = fake()
    assert.is_true(events:post {kind = "failed", run = run {is_job = true}, message = "exit code 3"})
    local event = seen.created[1]
    assert.are.same({apiVersion = "batch/v1", kind = "Job", namespace = "there", name = "backup-1",
      uid = "uid of backup-1"}, event.involvedObject)
    assert.are.equal("there", event.metadata.namespace)
    assert.are.equal("RunFailed", event.reason)
    assert.are.equal("Warning", event.type)
    assert.are.equal("job backup: exit code 3", event.message)
  end)

  it("posts a skip on the Lease", function()
    local events, seen = fake()
    events:post {kind = "skipped", run = run(), message = "it still runs"}
    assert.are.equal("main-jobs", seen.created[1].involvedObject.name)
    assert.are.equal("here", seen.created[1].metadata.namespace)
  end)

  it("posts on an object that is not there", function()
    local events, seen = fake()
    events:post {kind = "start_failed", run = run(), message = "no such namespace"}
    assert.are.equal("Pod", seen.created[1].involvedObject.kind)
    assert.is_nil(seen.created[1].involvedObject.uid)
  end)

  it("counts a repetition on the first Event", function()
    local events, seen = fake()
    for _ = 1, 3 do events:post {kind = "skipped", run = run(), message = "it still runs"} end
    assert.are.equal(1, #seen.created)
    assert.are.equal(3, seen.patched[2][4].count)
    assert.are.equal(seen.created[1].metadata.name, seen.patched[2][3])
    seen.expired = true -- Events live an hour
    events:post {kind = "skipped", run = run(), message = "it still runs"}
    assert.are.equal(2, #seen.created)
  end)

  it("posts ten at once, then one a second", function()
    local events, seen = fake()
    for i = 1, 20 do events:post {kind = "failed", run = run(), message = tostring(i)} end
    assert.are.equal(10, #seen.created)
    assert.are.equal(10, events.dropped)
    seen.now = 2.5
    for i = 21, 25 do events:post {kind = "failed", run = run(), message = tostring(i)} end
    assert.are.equal(12, #seen.created)
  end)

  it("has nothing to say of a success", function()
    local events, seen = fake()
    assert.is_false(events:post {kind = "succeeded", run = run(), message = ""})
    assert.are.equal(0, #seen.created)
  end)

  it("posts what the history is told, on the Pod or Job that the job's template makes", function()
    local events, seen = fake()
    local told
    local history = {listen = function(_, f) told = f end}
    events:listen(history, {backup = {manifest = {kind = "Job", metadata = {}, spec = {template = {spec = {containers = {}}}}}}})
    told({outcome = "failed", reason = "Error", message = "exit code 3"}, run())
    told({outcome = "succeeded"}, run())
    assert.are.equal(1, #seen.created)
    assert.are.equal("Job", seen.created[1].involvedObject.kind)
    assert.are.equal("job backup: exit code 3", seen.created[1].message)
  end)
end)
