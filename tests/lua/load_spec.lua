-- How a large schedule is loaded: in steps, and with jobs that share what they have in common.
local crypto = require "crypto"
local schedule = require "schedule"
local steps = require "steps"
local sys = require "sys"
local yaml = require "yaml"

local POD = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: main, image: busybox}]}\n"

-- Files by their names instead of a folder's.
local function load(files, more)
  files["pod.yml"] = POD
  local function name_of(path) return path:match "[^/]*$" end
  local options = {dir = "d", name = "schedule.yml", instance = "test",
    open = function(path) return yaml.load(path, files[name_of(path)]) end,
    read = function(path) return files[name_of(path)] end}
  for key, value in pairs(more or {}) do options[key] = value end
  local plan = schedule.load(options)
  assert.same(0, plan.problems:errors())
  return plan
end

local function jobs(text) return load({["schedule.yml"] = "settings: {cron_dialect: standard}\n" .. text}).jobs end

describe("steps", function()
  it("wait whenever one took long, and look at the clock now and then only", function()
    local now, looks, waits = 0, 0, 0
    local pause = steps.new {now = function() looks = looks + 1 return now end, wait = function() waits = waits + 1 end}
    for _ = 1, 800 do
      now = now + 0.0001 -- what a piece takes
      pause()
    end
    assert.equal(33, waits) -- 24 pieces a step: 2.4 ms
    assert.is_true(looks <= 1 + 100 + waits)
  end)
end)

describe("a schedule", function()
  it("is loaded in pieces of one job", function()
    local text, pauses = {"settings: {cron_dialect: standard}"}, 0
    for i = 1, 500 do text[i + 1] = ("job-%d: {cron: '%d * * * *', template: pod.yml}"):format(i, i % 60) end
    local plan = load({["schedule.yml"] = table.concat(text, "\n")}, {pause = function() pauses = pauses + 1 end})
    assert.equal(500, #plan.jobs)
    assert.is_true(pauses >= 500, pauses)
  end)

  it("has the jobs of several files in one order", function()
    local folder = os.tmpname()
    os.remove(folder)
    assert(sys.mkdir(folder))
    local files = {["1.yml"] = "b: {cron: '@daily', template: pod.yml}\nd: {cron: '@daily', template: pod.yml}\n",
      ["2.yml"] = "", ["3.yml"] = "a: {cron: '@daily', template: pod.yml}\nc: {cron: '@daily', template: pod.yml}\n"}
    for name in pairs(files) do assert(io.open(folder .. "/" .. name, "w")):close() end
    local plan = load(files, {name = "?.yml", dir = folder})
    os.execute("rm -r " .. folder)
    local names = {}
    for i, job in ipairs(plan.jobs) do names[i] = job.name end
    assert.same({"a", "b", "c", "d"}, names)
    assert.equal(folder .. "/1.yml:2", ("%s:%d"):format(plan.jobs[4].file, plan.jobs[4].line))
  end)

  it("lets jobs share a schedule that says the same, and only those", function()
    local list = jobs [[
a: {cron: 0 5 * * *, template: pod.yml}
b: {cron: 0 5 * * *, template: pod.yml, args: [x]}
c: {cron: 0 5 * * *, template: pod.yml, timezone: Asia/Tokyo}
d: {cron: 0 5 * * *, template: pod.yml, start: 2026-01-01T00:00:00Z}
e: {cron: H 5 * * *, template: pod.yml}
f: {cron: H 5 * * *, template: pod.yml}
g: {cron: [0 5 * * *], template: pod.yml}
h: {cron: 0 5 * * *, template: pod.yml, jitter: 1m}
]]
    assert.equal(list[1].schedule, list[2].schedule)
    assert.equal(list[1].schedule, list[8].schedule)
    for i = 3, 7 do assert.not_equal(list[1].schedule, list[i].schedule) end
    assert.not_equal(list[5].schedule:next(0), list[6].schedule:next(0))
    assert.equal(list[1].fingerprint, list[2].fingerprint)
    assert.equal(list[1].fingerprint, list[7].fingerprint)
    for _, i in ipairs {3, 4, 5, 8} do assert.not_equal(list[1].fingerprint, list[i].fingerprint) end
  end)

  it("has the fingerprints that baselines were kept with", function()
    assert.equal(crypto.sha256("standard\nUTC\ncronie\nnil\nnil\non\n0 5 * * *"):sub(1, 16),
      jobs("a: {cron: 0 5 * * *, template: pod.yml}\n")[1].fingerprint)
  end)

  it("names the place of a mistake in an expression, in quotes or not", function()
    local plan = schedule.load {dir = "d", name = "schedule.yml", instance = "test", read = function() return POD end,
      open = function(path)
        return yaml.load(path, "settings: {cron_dialect: standard}\na: {cron: 0 25 * * *, template: pod.yml}\n" ..
          "b: {cron: '0 25 * * *', template: pod.yml}\nc: {cron: [0 5 * * *, \"0 25 * * *\"], template: pod.yml}\n")
      end}
    local places = {}
    for i, problem in ipairs(plan.problems) do places[i] = ("%d:%d"):format(problem.line, problem.column) end
    assert.same({"2:13", "3:14", "4:26"}, places)
    assert.same({"a", "b", "c"}, plan.bad)
  end)
end)
