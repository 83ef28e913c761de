-- Taking over from a CronJob, with a daemon and an API server that only answer.
local ask = require "ask"
local clock = require "clock"
local cut_over = require "cut_over"
local json = require "json"
local kube = require "kube"
local task = require "task"

local try, connect, sleep = ask.try, kube.connect, task.sleep
local LAST <const> = clock.parse "2026-11-24T08:00:00Z"

after_each(function() ask.try, kube.connect, task.sleep = try, connect, sleep end)

-- more: what differs, {suspend=, annotations=, resume=, backfills=}. -> the commands that the daemon got
local function world(more)
  local object = {metadata = {annotations = more.annotations}, status = {lastScheduleTime = clock.format(LAST)},
    spec = {suspend = more.suspend or false, concurrencyPolicy = "Allow"}}
  local got, backfills = {}, more.backfills or 0
  local client = {escape = function(_, text) return text end}
  function client.request(_, method, _, options)
    if method == "PATCH" then
      local patch = json.parse(options.body)
      object.spec.suspend, object.metadata.annotations = patch.spec.suspend, patch.metadata.annotations
    end
    return {status = 200, body = json.encode(object)}
  end
  function kube.connect() return client end
  function task.sleep() end
  local answers = {
    jobs = function() return {rows = {{suspended = not more.running}}} end,
    resume = function() return more.resume or {since = LAST + 150} end,
    status = function()
      backfills = backfills - 1
      return {watermark = LAST + 1000, backfills = backfills >= 0 and {{job = "a"}} or {}}
    end,
    backfill = function(request)
      if not request.dry_run then got.backfill = {request.from - LAST, request.to - LAST} end
      got.waited = backfills < 0
      local rows = {}
      for slot = request.from + 60, request.to, 60 do rows[#rows + 1] = {slot = slot} end
      return {rows = rows}
    end,
    why = function() return {verdict = "skipped"} end,
  }
  function ask.try(_, request)
    got[#got + 1] = request.command
    return answers[request.command](request)
  end
  return got, object
end

local function run() return cut_over.run({}, "a", {namespace = "n", name = "a"}, function() end) end

describe("a cut-over", function()
  it("runs the slots between the CronJob's last and the job's first", function()
    local got, object = world {}
    assert.is_true(run())
    assert.same({0, 120}, got.backfill)
    assert.is_true(object.spec.suspend)
  end)

  it("takes nothing over from a CronJob that its owner had suspended", function()
    local got = world {suspend = true}
    local done, message = run()
    assert.is_nil(done)
    assert.matches("suspended already", message)
    assert.same({}, got)
  end)

  it("that is given again knows no slots after the first try", function()
    local got, object = world {resume = {again = true, since = LAST + 70}}
    object.spec.suspend, object.metadata.annotations = true, {["kube-scheduler/cut-over"] = "2026-11-24T08:01:10Z"}
    assert.is_true(run())
    assert.same({0, 60}, got.backfill)
    world {resume = {again = true}, running = true, suspend = true, annotations = {["kube-scheduler/cut-over"] = "x"}}
    assert.matches("not known since when", select(2, run()))
  end)

  it("waits for a backfill of the job before it asks what is missing", function()
    local got = world {backfills = 3}
    assert.is_true(run())
    assert.is_true(got.waited)
  end)
end)
