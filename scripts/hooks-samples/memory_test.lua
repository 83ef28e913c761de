local function pod(memory)
  return {spec = {containers = {{name = "main", resources = memory and {limits = {memory = memory}}}}}}
end

local function ask(attempt, reason, memory)
  local manifest = pod(memory)
  manifest.kind = "Pod"
  return fire{hook = "on_attempt_failed", attempt = attempt, reason = reason, manifest = manifest}
end

test("the memory doubles with each attempt", function()
  equal(ask(0, "OOMKilled", "1Gi").patches, {{patch = pod "2048Mi"}})
  equal(ask(1, "OOMKilled", "1Gi").patches, {{patch = pod "4096Mi"}})
  equal(ask(0, "OOMKilled").patches, {{patch = pod "512Mi"}})
end)

test("there is a limit", function()
  equal(ask(3, "OOMKilled", "1Gi").reason, "it needs more than 8192 MiB")
end)

test("a Job's template is changed", function()
  local answer = fire{hook = "on_attempt_failed", reason = "OOMKilled",
    manifest = {kind = "Job", spec = {template = pod "1Gi"}}}
  equal(answer.patches, {{patch = {spec = {template = pod "2048Mi"}}}})
end)

test("other failures are retried as they are", function() equal(ask(0, "Error", "1Gi"), {verdict = "run"}) end)
