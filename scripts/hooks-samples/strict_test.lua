local function verdict(image, memory, kind)
  local pod = {kind = "Pod", spec = {containers = {
    {name = "main", image = image, resources = memory and {limits = {memory = memory}}}}}}
  local manifest = kind == "Job" and {kind = "Job", spec = {template = pod}} or pod
  local answer = fire{hook = "before_create", manifest = manifest}
  return answer.reason or answer.verdict
end

test("images need a version", function()
  for image, expected in pairs {["a:1"] = "run", ["h:5000/a:2"] = "run", ["a@sha256:00"] = "run",
      ["h:5000/a"] = "h:5000/a has no fixed version", ["a:latest"] = "a:latest has no fixed version",
      a = "a has no fixed version"} do
    equal(verdict(image, "1Gi"), expected)
  end
end)

test("containers need a limit of memory", function()
  equal(verdict "a:1", "container main has no limit of memory")
end)

test("a Job's Pods are looked at", function()
  equal(verdict("a", "1Gi", "Job"), "a has no fixed version")
  equal(verdict("a:1", "1Gi", "Job"), "run")
end)
