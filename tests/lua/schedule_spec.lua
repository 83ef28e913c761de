-- Mistakes in schedule.yml and templates, each at its place; and what good ones become.
local json = require "json"
local problems = require "problems"
local rules = require "rules"
local schedule = require "schedule"
local sys = require "sys"
local template = require "template"
local text = require "text"

local folder = require "schedule_kit".new()
local dir, load, write = folder.dir, folder.load, folder.write

local SETTINGS = "settings: {cron_dialect: standard}\n"

describe("schedule.yml", function()
  it("names every mistake at once, with its place", function()
    local plan, lines = load(SETTINGS .. [[
good:
  cron: "0 5 * * *"
  template: pod.yml
typo:
  corn: "0 5 * * *"
  template: pod.yml
types:
  cron: 5
  template: [x]
  args: {a: b}
cron:
  cron: "0 25 * * *"
  template: pod.yml
zone:
  cron: "0 5 * * *"
  timezone: Europe/Lndon
  template: pod.yml
missing:
  cron: "0 5 * * *"
  template: nowhere.yml
list: [1]
]])
    assert.same(1, #plan.jobs)
    assert.equal("good", plan.jobs[1].name)
    local all = table.concat(lines, "\n")
    for _, expected in ipairs {
      "schedule.yml:6:3: error: unknown key 'typo.corn' %(did you mean 'cron'%?%)",
      "schedule.yml:6:3: error: 'typo.cron' is missing",
      "schedule.yml:9:9: error: 'types.cron'",
      "schedule.yml:10:13: error: 'types.template'",
      "schedule.yml:11:9: error: 'types.args'",
      "schedule.yml:13:12: error: cron '0 25 %* %* %*'",
      "schedule.yml:17:13: error: .*Lndon",
      "schedule.yml:21:13: error: the template cannot be read",
      "schedule.yml:22:1: error: job 'list' must be a mapping",
    } do
      assert.matches(expected, all)
    end
  end)

  it("says once what is wrong with a template that two jobs name, and runs neither", function()
    write("bad.yml", "apiVersion: v1\nkind: Pod\nspec: {}\n")
    local plan, lines = load(SETTINGS .. "a: {cron: '@daily', template: bad.yml}\nb: {cron: '@daily', template: bad.yml}\n")
    assert.same(1, #lines)
    assert.same({"a", "b"}, plan.bad)
  end)

  it("gives each of two jobs with one template its own image", function()
    local plan = load(SETTINGS .. "a: {cron: '@daily', template: pod.yml, image: one}\nb: {cron: '@daily', template: pod.yml}\n")
    assert.equal("one", template.of(plan.jobs[1]).spec.containers[1].image)
    assert.not_equal("one", template.of(plan.jobs[2]).spec.containers[1].image)
  end)

  it("runs neither of two jobs with one name", function()
    local plan, lines = load(SETTINGS .. "a: {cron: '@daily', template: pod.yml}\na: {cron: '@hourly', template: pod.yml}\n")
    assert.same(0, #plan.jobs)
    assert.same({"a"}, plan.bad)
    assert.matches("^schedule.yml:3:1: error: job 'a' is here twice; the first is in line 2", lines[1])
  end)

  it("disables a job by an empty cron, takes anchors and merge keys", function()
    local plan, lines = load(SETTINGS .. "a: &base {cron: '', template: pod.yml, args: [x, 1]}\nb:\n  <<: *base\n  cron: '@daily'\n")
    assert.same({}, lines)
    assert.is_true(plan.jobs[1].disabled)
    assert.same({"x", "1"}, plan.jobs[2].args)
    assert.is_table(plan.jobs[2].manifest)
  end)

  it("warns once of five fields that could mean two things", function()
    local _, lines = load "a: {cron: '0 5 * * *', template: pod.yml}\nb: {cron: '0 6 * * *', template: pod.yml}\n"
    assert.same(1, #lines)
    assert.matches("warning: cron '0 5 %* %* %*' is read as crontab: .*05:00", lines[1])
  end)

  it("joins all files of a pattern, and finds a name that is in two", function()
    write("one.jobs.yml", SETTINGS .. "a: {cron: '@daily', template: pod.yml}\n")
    local plan = load("b: {cron: '@daily', template: pod.yml}\n", "two.jobs.yml")
    assert.same(1, #plan.jobs)
    plan = schedule.load {dir = dir, name = "*.jobs.yml", instance = "test"}
    assert.same(2, #plan.jobs)
    write("three.jobs.yml", "a: {cron: '@daily', template: pod.yml}\n")
    plan = schedule.load {dir = dir, name = "*.jobs.yml", instance = "test"}
    assert.same(1, #plan.jobs)
    local found = {}
    for i, problem in ipairs(plan.problems) do found[i] = problems.format(problem) end
    assert.matches("/three.jobs.yml:1:1: error: job 'a' is also in .*one.jobs.yml", table.concat(found, "\n"))
  end)

  it("changes the fingerprint with what decides the slots, and with nothing else", function()
    local function fingerprint(more, cron)
      return load(SETTINGS .. "a: {cron: '" .. (cron or "@daily") .. "', template: pod.yml" .. more .. "}\n").jobs[1].fingerprint
    end
    local first = fingerprint ""
    assert.equal(first, fingerprint ", image: other, args: [b], description: d")
    assert.not_equal(first, fingerprint ", timezone: Asia/Tokyo")
    assert.not_equal(first, fingerprint("", "@hourly"))
  end)

  it("knows the main container, and marks it in the object and in a Job's Pods", function()
    local plan, lines = load(SETTINGS .. "a: {cron: '@daily', template: pod.yml, main_container: main}\n" ..
      "b: {cron: '@daily', template: pod.yml, main_container: sidecar}\n")
    assert.same({"schedule.yml:3:56: error: the template has no container 'sidecar'"}, lines)
    assert.equal("main", template.of(plan.jobs[1]).metadata.annotations["kube-scheduler/main-container"])
    write("job.yml", "apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: {containers: [{name: c}]}}}\n")
    plan = load(SETTINGS .. "a: {cron: '@daily', template: job.yml, main_container: c}\n")
    assert.equal("c", template.of(plan.jobs[1]).spec.template.metadata.annotations["kube-scheduler/main-container"])
  end)

  it("survives a file that is missing, empty or no mapping", function()
    assert.same(1, schedule.load({dir = dir, name = "none.yml", instance = "t"}).problems:errors())
    assert.same(0, #load("").jobs)
    assert.matches("a schedule is a mapping", select(2, load "- a\n")[1])
  end)
end)

describe("the rules of a job's runs", function()
  local function errors_of(jobs) return table.concat(select(2, load(SETTINGS .. jobs)), "\n") end
  local function job(more, name) return ("%s: {cron: '@daily', template: pod.yml%s}\n"):format(name or "a", more) end

  it("have defaults, and may come from settings.defaults", function()
    local plan = load("settings: {cron_dialect: standard, limits: {db: 3}, defaults: {overlap: enqueue, limit: db, retries: {max: 2}}}\n" ..
      job "" .. job(", overlap: allow, retries: {max: 1, backoff: 1.5, on: [lost]}", "b"))
    local a, b = plan.jobs[1], plan.jobs[2]
    assert.same({"enqueue", "db", 10, 0, "hold"}, {a.overlap, a.limit, a.queue, a.priority, a.on_lost})
    assert.same({max = 2, delay = 30, backoff = 2, max_delay = 3600, on = {"failed", "start_failed", "timeout", "evicted"}}, a.retries)
    assert.same({"lost"}, b.retries.on)
    assert.equal(1.5, b.retries.backoff)
    assert.same({1, 0}, {rules.max_active(a), rules.max_active(b)})
  end)

  it("are refused with their place", function()
    for jobs, expected in pairs {
      [job ", limit: db"] = "schedule.yml:2:47: error: there is no limit 'db'",
      [job ", max_active: 0"] = ":2:52: error: 'a.max_active': a whole number from 1 on",
      [job ", priority: 1.5"] = "'a.priority': a whole number",
      [job ", retries: {delay: 3}"] = "'a.retries.max' is missing",
      [job ", retries: {max: 100}"] = "'a.retries.max': at most 99",
      [job ", retries: {max: 1, backoff: 0.5}"] = "'a.retries.backoff': a number from 1",
      [job ", retries: {max: 1, on: [succeded]}"] = "'a.retries.on': one of failed",
      [job ", after: 5"] = "'a.after': a job, a list of jobs or {jobs, on}",
      [job ", after: {jobs: b, on: never}"] = "'a.after.on': one of success, failure, any",
      [job ", after: bb" .. job("", "bbb")] = "2:47: error: job 'a' comes after 'bb', which is not there %(did you mean 'bbb'%?%)",
    } do
      assert.matches(expected, errors_of(jobs))
    end
  end)

  it("refuse jobs that wait for each other, and those after them, with the whole cycle", function()
    local plan, lines = load(SETTINGS .. job ", after: b" .. job(", after: [c]", "b") .. job(", after: {jobs: a}", "c") ..
      job(", after: a", "d") .. job("", "e"))
    local all = table.concat(lines, "\n")
    local prefix = dir:gsub("%p", "%%%0") .. "/schedule.yml:"
    assert.matches("schedule.yml:2:47: error: job 'a' waits for itself: a %(" .. prefix .. "2:47%), which comes after b %(" .. prefix ..
      "3:47%), which comes after c %(" .. prefix .. "4:47%), which comes after a", all)
    assert.matches("schedule.yml:5:47: error: job 'd' comes after 'a', which has a mistake", all)
    assert.same({"e", 1}, {plan.jobs[1].name, #plan.jobs})
    assert.matches("error: job 'a' waits for itself: a", errors_of(job ", after: a"))
  end)

  it("make jitter part of what defines the slots, and of a Job's backoffLimit nothing", function()
    assert.not_equal(load(SETTINGS .. job "").jobs[1].fingerprint, load(SETTINGS .. job ", jitter: 5m").jobs[1].fingerprint)
    local manifest = {kind = "Job", spec = {backoffLimit = 6, template = {spec = {containers = json.array {{name = "c"}}}}}}
    assert.equal(0, template.prepare(manifest, {namespace = "ns", retries = {max = 1}}).spec.backoffLimit)
    assert.equal(6, template.prepare(manifest, {namespace = "ns"}).spec.backoffLimit)
  end)
end)

describe("a template", function()
  local function read(content, name)
    write(name or "t.yml", content)
    local found = problems.new()
    local manifest = template.read(dir .. "/" .. (name or "t.yml"), {file = "schedule.yml"}, found)
    return manifest, found[1] and problems.format(found[1]):gsub("^.*/", "")
  end

  it("is refused with its place when it cannot run", function()
    for content, expected in pairs {
      ["apiVersion: v1\nkind: Deployment\nspec: {}\n"] = "^t.yml:2:7: error: 'kind' must be Pod or Job",
      ["apiVersion: v2\nkind: Pod\nspec: {}\n"] = "^t.yml:1:13: error: 'apiVersion' of a Pod must be v1",
      ["apiVersion: v1\nkind: Pod\nspec: {containers: []}\n"] = "^t.yml:3:20: error: there is no container",
      ["apiVersion: v1\nkind: Pod\nspec:\n  restartPolicy: Always\n  containers: [{name: a}]\n"] = "^t.yml:4:18: error: restartPolicy Always",
      ["apiVersion: batch/v1\nkind: Job\nspec: {}\n"] = "^t.yml:3:7: error: 'spec.template' must be a mapping",
      ["a: [\n"] = "^t.yml:2:",
    } do
      local manifest, message = read(content)
      assert.is_nil(manifest)
      assert.matches(expected, message)
    end
  end)

  it("may be JSON, with the place of a mistake", function()
    local manifest, message = read('{"apiVersion": "v1",\n "kind": "Pod" "x"}', "t.json")
    assert.is_nil(manifest)
    assert.matches("^t.json:2:", message)
    assert.is_table((read('{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"a"}]}}', "t.json")))
  end)

  local run = {job = "A_b", name = "a-b-1", instance = "i", slot = 1795507200, attempt = 0, trigger = "schedule"}

  it("becomes a Pod with our names, rules and environment, and stays as it was", function()
    local manifest = read "apiVersion: v1\nkind: Pod\nmetadata: {generateName: x, labels: {own: l}}\nspec:\n  volumes: []\n  containers:\n  - {name: a, args: [keep]}\n  - {name: b}\n"
    local prepared = template.prepare(manifest, {namespace = "ns", image = "new"})
    local before = json.encode(prepared)
    local pod = template.render(prepared, run, {env = {MORE = "1"}})
    assert.equal(before, json.encode(prepared))
    assert.equal("a-b-1", pod.metadata.name)
    assert.is_nil(pod.metadata.generateName)
    assert.equal("l", pod.metadata.labels.own)
    assert.matches("^a%-b%-%x+$", pod.metadata.labels["kube-scheduler/job"])
    assert.equal("2026-11-24T08:00:00Z", pod.metadata.annotations["kube-scheduler/slot"])
    assert.equal("Never", pod.spec.restartPolicy)
    assert.same({"keep"}, pod.spec.containers[1].args)
    assert.equal("new", pod.spec.containers[1].image)
    assert.equal("MORE", pod.spec.containers[2].env[4].name)
    assert.matches('"volumes":%[%]', json.encode(pod))
  end)

  it("becomes a Job whose Pods carry our labels", function()
    local manifest = read "apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: {containers: [{name: a}]}}}\n"
    local job = template.render(template.prepare(manifest, {namespace = "ns", args = json.array {"x"}}), run)
    assert.equal(0, job.spec.backoffLimit)
    assert.equal("i", job.spec.template.metadata.labels["kube-scheduler/instance"])
    assert.same({"x"}, job.spec.template.spec.containers[1].args)
  end)
end)

describe("durations", function()
  it("are read, or refused with what is expected", function()
    assert.same({90, 5400, 0, 172800}, {text.duration "90s", text.duration "1h30m", text.duration(0), text.duration "2d"})
    for _, wrong in ipairs {"", "5", "m", "1.5h", "-1s"} do assert.is_nil((text.duration(wrong))) end
  end)
end)

describe("SCHEDULE.md", function()
  it("has samples without a mistake, and every key", function()
    local reference = sys.read "lua/SCHEDULE.md"
    local count = 0
    for sample in reference:gmatch "```yaml\n(.-)```" do
      count = count + 1
      local _, lines = load(sample)
      assert.same({}, lines)
    end
    assert.equal(5, count)
    for _, key in ipairs(schedule.keys()) do assert.matches("`" .. key .. "`", reference, 1, false) end
  end)
end)

describe("a template with nothing where something could be", function()
  it("runs, and one with nonsense there is refused", function()
    write("odd.yml", "apiVersion: v1\nkind: Pod\nmetadata: {namespace: , labels: }\nspec:\n  initContainers: \n" ..
      "  containers:\n  - {name: a, env: }\n")
    local found = problems.new()
    local manifest = template.read(dir .. "/odd.yml", {file = "s"}, found)
    assert.same(0, found:errors())
    assert.is_nil(template.namespace(manifest))
    local pod = template.render(template.prepare(manifest, {namespace = "ns"}),
      {job = "a", name = "a-1", instance = "i", slot = 1, attempt = 0, trigger = "schedule"})
    assert.equal("KUBE_SCHEDULER_JOB", pod.spec.containers[1].env[1].name)
    write("odd.yml", "apiVersion: v1\nkind: Pod\nmetadata: {labels: [x]}\nspec: {containers: [{name: a}]}\n")
    assert.is_nil(template.read(dir .. "/odd.yml", {file = "s"}, found))
    assert.matches("odd.yml:3:20: error: 'labels' must be a mapping", problems.format(found[1]))
  end)
end)
