-- The text with gaps against the tree that it stands for.
local form = require "form"
local json = require "json"
local template = require "template"

local manifests = {
  pod = [[{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [
    {"name": "a", "image": "one", "args": [], "env": [{"name": "KUBE_SCHEDULER_SLOT", "value": "mine"}]},
    {"name": "b", "image": "two"}], "initContainers": [{"name": "c", "image": "three"}]}}]],
  job = [[{"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x", "labels": {"a": "\"b\\"}}, "spec": {
    "backoffLimit": 6, "template": {"metadata": {"annotations": {"k": "v"}}, "spec": {"containers": [
    {"name": "a", "image": "one", "args": ["x", 1]}]}}}}]],
}

-- Every combination of what the lists' items say; {} says nothing.
local function combinations(lists)
  local all = {{}}
  for _, list in ipairs(lists) do
    local more = {}
    for _, so_far in ipairs(all) do
      for _, item in ipairs(list) do
        local one = {}
        for _, part in ipairs {so_far, item} do
          for key, value in pairs(part) do one[key] = value end
        end
        more[#more + 1] = one
      end
    end
    all = more
  end
  return all
end

local jobs = combinations {
  {{name = "plain", namespace = "ns"}, {name = "Ünsinn \"%d\" / \\ %1", namespace = "ns-2"}},
  {{}, {image = "registry.example/a:1@sha256:0"}},
  {{}, {args = json.array {}}, {args = json.array {"a b", "\"\n", "%1"}}},
  {{}, {main_container = "a"}},
  {{}, {retries = {max = 3}}},
}
local runs = combinations {
  {{instance = "i", name = "plain-1", slot = 1795524720, attempt = 0, trigger = "schedule"},
    {instance = "i", name = "plain-2-r1", slot = -1, attempt = 12, trigger = "catch-up"}},
  {{}, {last_success = 1795524660}},
}
local changes = {{}, {args = {}}, {args = {"other", "two"}}, {env = {A = "1"}}, {env = {}, args = {"x"}}}

describe("a template as text with gaps", function()
  for kind, text in pairs(manifests) do
    it("gives the bytes of the tree: " .. kind, function()
      local manifest = json.parse(text)
      for _ = 1, 2 do -- making a text, and using it
        for _, job in ipairs(jobs) do
          for _, run in ipairs(runs) do
            for _, change in ipairs(changes) do
              run.job, job.manifest, job.prepared = job.name, manifest, nil
              local expected = json.encode(template.render(template.prepare(manifest, job), run, change))
              assert.equal(expected, form.encode(job, run, change))
            end
          end
        end
      end
    end)
  end

  it("does not mix two templates up", function()
    local run = {job = "j", instance = "i", name = "j-1", slot = 1, attempt = 0, trigger = "manual"}
    for _, name in ipairs {"one", "two"} do
      local manifest = json.parse('{"kind": "Pod", "spec": {"containers": [{"name": "' .. name .. '"}]}}')
      local text = form.encode({name = "j", namespace = "ns", manifest = manifest}, run, {})
      assert.equal(name, json.parse(text).spec.containers[1].name)
    end
  end)
end)
