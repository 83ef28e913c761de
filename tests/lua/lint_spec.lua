-- What `check` warns of: allowed, but may not be meant.
local clock = require "clock"
local lint = require "lint"
local problems = require "problems"

local load = require "schedule_kit".new().load

local NOW = clock.parse "2026-11-24T00:00:00Z"

-- The warnings of a schedule, from the file's name on.
local function warnings(yaml, peak)
  local plan = load(yaml)
  assert.same({}, {table.unpack(plan.problems)})
  lint.add(plan, {now = NOW, peak = peak})
  local lines = {}
  for i, problem in ipairs(plan.problems) do lines[i] = problems.format(problem):match "[^/]*$" end
  return lines
end

-- Those of one job.
local function of_job(fields) return warnings("settings: {cron_dialect: standard}\njob: {template: pod.yml, " .. fields .. "}\n") end

-- n jobs at five past midnight and one at another time.
local function crowd(n, cron, rest)
  local lines = {"settings: {cron_dialect: standard}"}
  for i = 1, n do lines[#lines + 1] = ("j%02d: {cron: '%s', template: pod.yml}"):format(i, cron) end
  for i = 1, rest or 0 do lines[#lines + 1] = ("r%02d: {cron: '%d 7 * * *', template: pod.yml}"):format(i, i) end
  return table.concat(lines, "\n") .. "\n"
end

describe("lint", function()
  it("warns of day of month or weekday, at the cron", function()
    local lines = of_job "cron: '0 4 13 * FRI'"
    assert.same(1, #lines)
    assert.matches("^schedule.yml:2:32: warning: job 'job': day of month and weekday are both given: .* write & before", lines[1])
    assert.same({}, of_job "cron: '0 4 13 * &FRI'")
  end)

  it("warns of a fixed time that the clock skips or repeats, when no dst policy says what is meant", function()
    assert.matches("on 2027%-03%-14 02:30 does not exist: it runs at 03:00; write dst: cronie if that is meant",
      of_job("cron: '30 2 * * *', timezone: America/New_York")[1])
    assert.matches("on 2027%-04%-04 01:45 comes twice: it runs once", of_job("cron: '45 1 * * *', timezone: Australia/Lord_Howe")[1])
    for _, fine in ipairs {
      "cron: '30 2 * * *', timezone: America/New_York, dst: cronie", "cron: '30 2 * * *'",
      "cron: '30 4 * * *', timezone: America/New_York", "cron: '*/30 * * * *', timezone: America/New_York",
    } do
      assert.same({}, of_job(fine))
    end
    assert.same({}, warnings("settings: {cron_dialect: standard, defaults: {dst: skip}}\n" ..
      "a: {cron: '30 2 * * *', timezone: America/New_York, template: pod.yml}\n"))
  end)

  it("warns of slots that come while the one before is expected to run", function()
    assert.matches("slots come 5 min apart, but expect_duration is 6 min: under overlap: forbid .* are skipped",
      of_job("cron: '*/5 * * * *', expect_duration: 6m")[1])
    assert.matches("slots come 30 min apart", of_job("cron: ['0 4 * * *', '30 4 * * *'], expect_duration: 1h")[1])
    for _, fine in ipairs {"'*/5 * * * *', expect_duration: 5m", "'*/5 * * * *', expect_duration: 6m, overlap: allow",
      "'@at 2027-01-01T00:00:00Z', expect_duration: 5m"} do
      assert.same({}, of_job("cron: " .. fine))
    end
  end)

  it("warns of an interval that drifts past midnight", function()
    assert.matches("@every 7h drifts past midnight: 24 h is no multiple of 7 h", of_job("cron: '@every 7h'")[1])
    assert.matches("@every 36h drifts", of_job("cron: ['0 4 * * *', '@every 36h']")[1])
    for _, fine in ipairs {"@every 6h", "@every 90s", "@every 48h"} do assert.same({}, of_job("cron: '" .. fine .. "'")) end
  end)

  it("warns of a peak of ten that are over half of all", function()
    local lines = warnings(crowd(10, "5 0 * * *", 9))
    assert.same(1, #lines)
    assert.matches("^schedule.yml:2:13: warning: 10 of 19 jobs start in the same second, next at 2026%-11%-24T00:05:00Z: " ..
      "j01, j02, j03 and 7 more; spread them with H", lines[1])
    assert.same({}, warnings(crowd(10, "5 0 * * *", 10)))
    assert.same({}, warnings(crowd(9, "5 0 * * *")))
    assert.same({}, warnings(crowd(12, "H 0 * * *")))
  end)

  it("warns of as many as asked for, in a week's second too", function()
    assert.matches("3 of 6 jobs .* 2026%-11%-29T00:05:00Z", warnings(crowd(3, "5 0 * * SUN", 3), 3)[1])
    assert.same({}, warnings(crowd(3, "5 0 * * SUN", 3), 4))
  end)
end)
