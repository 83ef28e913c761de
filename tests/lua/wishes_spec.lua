-- What hooks are told of a job's past, what they may change in a manifest, and runs that take too long.
local cjson = require "cjson"
local clock = require "clock"
local json = require "json"
local overrun = require "overrun"
local patch = require "hooks.patch"
local summary = require "history.summary"

describe("a patch", function()
  local MANIFEST = [[{"kind": "Pod", "metadata": {"name": "a", "namespace": "n", "labels": {"kube-scheduler/job": "j"}},
    "spec": {"volumes": [], "containers": [{"name": "main", "args": ["x"], "env": [{"name": "A", "value": "1"}]},
    {"name": "side"}]}}]]

  local function apply(...)
    local changed, wrong = patch.apply(assert(json.parse(MANIFEST)), {...})
    return changed and json.encode(changed), wrong
  end

  it("merges mappings and lists of named things, replaces other lists, and takes away", function()
    local text = apply {patch = {metadata = {labels = {team = "t"}}, spec = {containers = {
      {name = "main", args = {"y", "z"}, env = {{name = "B", value = "2"}}}, {name = "new", tty = true}},
      volumes = cjson.null, activeDeadlineSeconds = 5.0}}}
    assert.same(json.parse [[{"kind": "Pod", "metadata": {"name": "a", "namespace": "n", "labels": {"team": "t",
      "kube-scheduler/job": "j"}, "annotations": {}}, "spec": {"activeDeadlineSeconds": 5, "containers": [
      {"name": "main", "args": ["y", "z"], "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
      {"name": "side"}, {"name": "new", "tty": true}]}}]], json.parse(text))
    assert.matches('"activeDeadlineSeconds":5,', text, 1, true)
  end)

  it("may be a whole manifest, where an empty list stays one", function()
    local whole = cjson.decode(MANIFEST)
    whole.spec.volumes, whole.spec.containers[1].args = {}, nil
    local text = apply {manifest = whole}
    assert.matches('"volumes":%[%]', text)
    assert.is_nil(text:find "args")
  end)

  it("leaves what makes the object this run's, and a container", function()
    local text = apply {patch = {metadata = {name = "b", namespace = "m", labels = {["kube-scheduler/job"] = "k"}}}}
    assert.matches('"name":"a","namespace":"n"', text)
    assert.matches('"kube-scheduler/job":"j"', text, 1, true)
    assert.same({nil, "there is no container left"}, {apply {patch = {spec = {containers = {}}}}})
    assert.same({nil, "the kind must stay Pod"}, {apply {patch = {kind = "Job"}}})
  end)
end)

describe("a job's past", function()
  it("is counted from what is kept, and goes on", function()
    local told
    local records = {{job = "a", outcome = "skipped"}, {job = "a", outcome = "failed"}}
    for i = 1, 19 do records[#records + 1] = {job = "a", outcome = "succeeded", started = 0, finished = i} end
    local past = summary.new {
      listen = function(_, f) told = f end,
      list = function() return records end, -- newest first
    }
    assert.same({runs = 20, failures_in_a_row = 1}, past:of "a")
    told {job = "a", outcome = "succeeded", started = 0, finished = 100}
    assert.same({runs = 21, failures_in_a_row = 0, p95 = 19}, past:of "a")
  end)
end)

describe("a run that goes on", function()
  it("is told once beyond what was expected, and once beyond what is usual", function()
    local told, now = {}, clock.now()
    local runs = {{id = 1, job = "a", state = "started", started = now - 50}, {id = 2, job = "a", state = "waiting"},
      {id = 3, job = "a", state = "started", started = now}}
    local watch = overrun.watch {registry = {runs = function() return runs end}, runner = {
      jobs = {a = {expect_duration = 20}}, hooks = {defined = function() return true end},
      summary = {of = function() return {p95 = 40} end},
      tell_running = function(_, hook, run) told[#told + 1] = hook .. " " .. run.id end,
    }}
    watch:look()
    watch:look()
    assert.same({"on_overrun 1", "on_slow 1"}, told)
    watch:stop()
  end)
end)
