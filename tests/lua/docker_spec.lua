local docker = require "docker"
local json = require "json"
local problems = require "problems"
local rules = require "docker.rules"
local yaml = require "yaml"

local function pod(container, spec)
  local manifest = assert(yaml.parse(([[
apiVersion: v1
kind: Pod
metadata: {name: run, namespace: default, labels: {kube-scheduler/job: a}, annotations: {kube-scheduler/slot: then}}
spec:
  containers:
  - {name: main, image: box%s}
%s]]):format(container and ", " .. container or "", spec or "")))
  return manifest
end

local function body(...) return json.parse(assert(docker.encode(pod(...)))) end

local function mistakes(...)
  local found, out = problems.new(), {}
  docker.check(pod(...), "pod.yml", found)
  for i, problem in ipairs(found) do out[i] = problem.message end
  return out
end

describe("a template in a container engine", function()
  it("takes the image's own command where it names none", function()
    local made = body()
    assert.equal("box", made.Image)
    assert.is_nil(made.Entrypoint)
    assert.is_nil(made.Cmd)
    assert.is_nil(made.User)
  end)

  it("takes null for absent", function()
    local made = body("command: null, args: null, env: null, resources: null, securityContext: null, volumeMounts: null",
      "  volumes: null\n  securityContext: null\n")
    assert.same({"box"}, {made.Image, made.Entrypoint, made.Cmd, made.User})
  end)

  it("expands variables that are there, and those before them in env", function()
    local made = body [[env: [{name: A, value: x}, {name: B, value: "$(A)$(C)y"}, {name: C}],
      args: ["$(B)", "$$(A)", "$$$(A)", "$(D)", "$A", "$(A", "1$(A)2$(A)3"] ]]
    assert.same({"A=x", "B=x$(C)y", "C="}, made.Env)
    assert.same({"x$(C)y", "$(A)", "$x", "$(D)", "$A", "$(A", "1x2x3"}, made.Cmd)
  end)

  it("reads quantities", function()
    assert.equal(64 << 20, rules.memory "64Mi")
    assert.equal(1500000, rules.memory "1.5M")
    assert.equal(128, rules.memory(128))
    assert.is_nil(rules.memory "64MB")
    assert.equal(500000000, rules.cpu "500m")
    assert.equal(1500000000, rules.cpu(1.5))
    assert.is_nil(rules.cpu "many")
  end)

  it("lets the container's user win over the Pod's, and keeps root", function()
    local spec = "  securityContext: {runAsUser: 1, runAsGroup: 2}\n"
    assert.equal("1:2", body(nil, spec).User)
    assert.equal("0:2", body("securityContext: {runAsUser: 0}", spec).User)
  end)

  it("says in labels what a later daemon has to know", function()
    local labels = body("imagePullPolicy: Never", "  activeDeadlineSeconds: 7\n").Labels
    assert.equal("a", labels["kube-scheduler/job"])
    assert.equal("then", labels["kube-scheduler/slot"])
    assert.equal("default", labels["kube-scheduler/namespace"])
    assert.equal("7", labels["kube-scheduler/deadline"])
    assert.equal("Never", labels["kube-scheduler/pull"])
  end)

  it("refuses what would be left out", function()
    assert.same({}, mistakes())
    assert.matches("'subPath'", mistakes("volumeMounts: [{name: v, mountPath: /v, subPath: a}]",
      "  volumes: [{name: v, emptyDir: {}}]\n")[1])
    assert.matches("no volume 'v'", mistakes("volumeMounts: [{name: v, mountPath: /v}]")[1])
    assert.matches("'hugepages%-2Mi'", mistakes("resources: {limits: {hugepages-2Mi: 1}}")[1])
    assert.matches("must be a string", mistakes("args: [1]")[1])
    assert.matches("'initContainers'", mistakes(nil, "  initContainers: []\n")[1])
    assert.matches("write Never", mistakes(nil, "  restartPolicy: OnFailure\n")[1])
  end)

  it("refuses it of a hook's patch too", function()
    local made, why = docker.encode(pod "livenessProbe: {}")
    assert.is_nil(made)
    assert.matches("livenessProbe", why)
  end)
end)
