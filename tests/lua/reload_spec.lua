-- What a reload is made of: reading files so that a change is seen, and what differs between two schedules.
local diff = require "reload.diff"
local kit = require "hooks_kit"
local Leader = require "leader"
local log = require "log"
local Reload = require "reload"
local schedule = require "schedule"
local sources = require "reload.sources"
local sys = require "sys"
local task = require "task"
local watch = require "reload.watch"

before_each(kit.before)
after_each(kit.after)

local function write(path, content)
  local file = assert(io.open(path, "w"))
  file:write(content)
  file:close()
end

describe("sources", function()
  it("see each file that changed, went or came", function()
    local dir = kit.folder {a = "1", b = "2"}
    local function read()
      local s = sources.new()
      s.read(dir .. "/a")
      s.read(dir .. "/none")
      s.list(dir)
      return s
    end
    for _, change in ipairs {
      function() write(dir .. "/a", "3") end, function() os.remove(dir .. "/a") end,
      function() write(dir .. "/none", "") end, function() write(dir .. "/c", "") end,
    } do
      local s = read()
      assert.is_true(s:same())
      assert.is_true(s:equals(read()))
      change()
      assert.is_false(s:same())
      assert.is_false(s:equals(read()))
    end
    assert.same({dir}, read():folders())
  end)
end)

describe("the difference between schedules", function()
  local POD = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: main, image: %s}]}\n"
  local function load(jobs, image, settings)
    local dir = kit.folder {
      ["schedule.yml"] = ("settings: {cron_dialect: standard%s}\n%s"):format(settings or "", jobs),
      ["pod.yml"] = POD:format(image or "busybox"),
    }
    local plan = schedule.load {dir = dir, name = "schedule.yml", instance = "test"}
    assert.same(0, plan.problems:errors())
    return plan.jobs
  end
  local JOB = "a: {cron: 0 5 * * *, template: pod.yml, after: b}\nb: {cron: 0 6 * * *, template: pod.yml}\n"

  local function summary(old, new)
    local out = {}
    for i, change in ipairs(diff.jobs(old, new, function() end)) do
      out[i] = ("%s %s %s%s"):format(change.what, change.name, table.concat(change.fields or {}, ","),
        change.slots and " slots" or "")
    end
    return out
  end

  it("is none when only places differ", function()
    assert.same({}, summary(load(JOB), load("# a comment\n\n" .. JOB)))
  end)

  it("names what was added, removed and changed", function()
    assert.same({"changed a cron slots", "removed b ", "added c "}, summary(
      load "a: {cron: 0 5 * * *, template: pod.yml}\nb: {cron: 0 5 * * *, template: pod.yml}\n",
      load "a: {cron: 1 5 * * *, template: pod.yml}\nc: {cron: 0 5 * * *, template: pod.yml}\n"))
  end)

  it("sees defaults, and what templates say", function()
    assert.same({"changed a timeout", "changed b timeout"}, summary(load(JOB),
      load(JOB, nil, ", defaults: {timeout: 5}")))
    assert.same({"changed a manifest", "changed b manifest"}, summary(load(JOB), load(JOB, "alpine")))
    assert.same({"changed a timezone slots", "changed b timezone slots"},
      summary(load(JOB), load(JOB, nil, ", timezone: Europe/Berlin")))
  end)
end)

describe("the watch", function()
  it("takes many changes for one, and follows folders", function()
    local dir, causes = kit.folder {}, {}
    local w = watch.new {look = function(cause) causes[#causes + 1] = cause end}
    w:folders {dir, dir .. "/not there"}
    for i = 1, 5 do
      write(dir .. "/a", tostring(i))
      task.sleep(0.02)
    end
    kit.eventually(function() return causes[1] end)
    task.sleep(0.5)
    assert.same({"a file changed"}, causes)
    w:folders {}
    write(dir .. "/a", "more")
    task.sleep(0.5)
    assert.same(1, #causes)
    w:close()
  end)

  it("never looks twice at once, and again for what came meanwhile", function()
    local running, most, count = 0, 0, 0
    local w = watch.new {look = function()
      running, count = running + 1, count + 1
      most = math.max(most, running)
      task.sleep(0.05)
      running = running - 1
    end}
    w:ask "one"
    task.sleep(0.01)
    w:ask "two"
    w:ask "three"
    kit.eventually(function() return count == 2 and running == 0 end)
    assert.same(1, most)
    w:close()
  end)

  it("knows no mount where there is none", function()
    assert.is_false(watch.mounted_alone(kit.folder {a = ""} .. "/a"))
    assert.is_false(watch.mounted_alone "/not there")
  end)
end)

describe("a reload of a daemon that does not lead yet", function()
  it("is over before the daemon decides slots", function()
    local jobs, added = {}, {}
    for i = 1, 20000 do jobs[i] = {name = ("j%05d"):format(i), fingerprint = "x", history = {}, retries = {}} end
    local registry = {limit = function() return true end, open = function() end, begin = function() return true end}
    function registry.add(_, spec)
      added[#added + 1] = spec
      return true
    end
    local state = {acquire = function() return {watermark = 1, open = {}} end, read = function() return {} end,
      write = function() return true end, save = function() return true end}
    local lead = Leader.new {state = state, registry = registry, jobs = {}, whole = true, restore = function() end,
      open = function() end, spec = function(job) return job.name end, alerts = {}}
    registry.watermark, registry.acknowledge = function() return 1, {} end, function() end
    for _, job in ipairs(jobs) do job.schedule = {} end
    local none = function() end
    local reload = Reload.new {lead = lead, registry = registry, plan = {jobs = {}, settings = {}}, shown = {}, control = {},
      runner = {set_job = none, jobs = {}}, alerts = {configure = none}, hooks = {fire = none}}
    local plan = {jobs = jobs, settings = {}, problems = {}, bad = {}}
    task.spawn(function() reload:take_up({plan = plan, hooks = reload.hooks, sources = {}}, "a test") end)
    assert.equal(0, #lead.jobs) -- it waits within
    assert.is_true(lead:start())
    lead.stopped = true
    assert.equal(#jobs, #added)
  end)
end)

describe("a file that is mounted by itself", function()
  local read, warning = sys.read, log.warning
  after_each(function() sys.read, log.warning = read, warning end)

  it("is warned of when the daemon starts, and none beside it", function()
    local dir, said = kit.folder {["a b.yml"] = "", ["c.yml"] = ""}, {}
    local real = sys.real(dir)
    function sys.read(path)
      if path ~= "/proc/self/mountinfo" then return read(path) end
      return "1 0 0:1 / / rw - overlay overlay rw\n" ..
        "2 1 0:2 /volumes/x " .. real .. "/a\\040b.yml ro - ext4 /dev/x rw\n"
    end
    function log.warning(message, more) said[#said + 1] = {message:match "^[^;:]*", more.file} end
    local reload = Reload.new {}
    reload:begin {found = {}, sources = {files = {[dir .. "/a b.yml"] = "", [dir .. "/c.yml"] = ""}, folders = function() return {} end}}
    reload:stop()
    assert.same({{"this file is mounted by itself (subPath)", dir .. "/a b.yml"}}, said)
  end)
end)
