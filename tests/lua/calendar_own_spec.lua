-- Calendars that are Lua functions: which days they have, and what becomes of one that is wrong.
local calendar = require "calendar"
local clock = require "clock"

local folder = require "schedule_kit".new()

local HEAD <const> = "settings:\n  cron_dialect: standard\n  calendars: {special: special.lua}\n"
local JOB <const> = 'a:\n  cron: "0 3 * * *"\n  template: pod.yml\n  only_on: special\n'

local function load(source)
  folder.write("hooks/calendars/special.lua", source)
  return folder.load(HEAD .. JOB)
end

-- The days of the slots after that time, as dates.
local function days(source, from, count)
  local plan, mistakes = load(source)
  assert.same({}, mistakes)
  local out, slot = {}, clock.parse(from)
  for i = 1, count do
    slot = calendar.next(plan.jobs[1], slot)
    out[i] = slot and clock.format(slot):sub(1, 10) or "none"
  end
  return table.concat(out, " ")
end

describe("a calendar in Lua", function()
  it("is a function of a date", function()
    assert.equal("2026-11-30 2026-12-31 2027-01-29", days([[
      -- the last working day of a month
      return function(date)
        local last = date.month == 12 and 31 or tonumber(os.date("!%d", os.time {year = date.year, month = date.month + 1, day = 0}))
        local weekend = {sat = true, sun = true}
        if weekend[date.weekday] then return false end
        return date.day == last or date.weekday == "fri" and date.day >= last - 2
      end]], "2026-11-24T00:00:00Z", 3))
  end)

  it("gets year, month, day, weekday, yearday and text of each day from 1970 to 2199", function()
    assert.equal("2028-02-29 2028-12-31 none", days([[
      local first, count
      return function(d)
        first, count = first or d.text, (count or 0) + 1
        if d.text == "2199-12-31" then assert(first == "1970-01-01" and count == 84006, count) end
        if d.text == "2028-02-29" then
          assert(d.year == 2028 and d.month == 2 and d.day == 29 and d.weekday == "tue" and d.yearday == 60)
          return true
        end
        if d.year == 2028 and d.yearday == 366 then return true end
      end]], "2026-11-24T00:00:00Z", 3))
  end)

  it("may use modules beside the hooks, and be combined with others", function()
    folder.write("hooks/moons.lua", 'return {["2026-12-24"] = true, ["2026-12-26"] = true}')
    folder.write("hooks/calendars/special.lua", 'local moons = require "moons"\nreturn function(d) return moons[d.text] end')
    local plan, mistakes = folder.load(HEAD .. JOB:gsub("special\n$", "{all: [special, {not: sat}]}\n"))
    assert.same({}, mistakes)
    assert.equal("calendar: not in all of (special, not sat)", calendar.reason(plan.jobs[1], clock.parse "2026-12-26T03:00:00Z"))
    assert.is_nil(calendar.reason(plan.jobs[1], clock.parse "2026-12-24T03:00:00Z"))
  end)

  it("moves slots, and its days are part of what defines them", function()
    local source = "return function(d) return d.weekday ~= 'sat' and d.weekday ~= 'sun'%s end"
    local fingerprints = {}
    for i, more in ipairs {"", " and true", " and d.text ~= '2026-12-24'"} do
      folder.write("hooks/calendars/special.lua", source:format(more))
      local job = folder.load(HEAD .. JOB .. "  move: next\n").jobs[1]
      fingerprints[i] = job.fingerprint
      assert.equal("2026-12-28T03:00:00Z", clock.format(job.schedule:next(clock.parse "2026-12-26T00:00:00Z")))
    end
    assert.equal(fingerprints[1], fingerprints[2])
    assert.not_equal(fingerprints[1], fingerprints[3])
  end)
end)

describe("the sample in SCHEDULE.md", function()
  it("is the last working day of a month", function()
    local source = require "sys".read "lua/SCHEDULE.md":match "```lua\n(%-%- hooks/calendars/.-)```"
    assert.equal("2026-01-30 2026-02-27 2026-03-31 2026-04-30 2026-05-29", days(source, "2026-01-01T00:00:00Z", 5))
    assert.equal("2028-02-29 2028-03-31", days(source, "2028-02-01T00:00:00Z", 2))
  end)
end)

describe("a mistake in it", function()
  local function mistake(source)
    local plan, lines = load(source)
    assert.same({"a"}, plan.bad)
    assert.equal(1, #lines)
    return lines[1]
  end

  it("has its line, and the day it was asked for; its job does not run", function()
    assert.equal("hooks/calendars/special.lua:3:1: error: attempt to index a nil value (field '?') (asked for 1970-01-01)",
      mistake "local t = {}\nreturn function(d)\n  return t[d.year].x\nend\n")
    assert.matches("^hooks/calendars/special.lua:1:1: error: unexpected symbol", mistake "?")
    assert.matches("special.lua:2:1: error: a date has no field 'wday'; .*weekday", mistake "return function(d)\nreturn d.wday end")
    assert.matches("special.lua:2:1: error: for good %(asked for 2026%-12%-25%)",
      mistake "return function(d)\nif d.text == '2026-12-25' then error 'for good' end end")
  end)

  it("is also what it returns", function()
    assert.matches("a calendar's file returns a function of a date, not a table", mistake "return {}")
    assert.matches("true or false expected for a day, not a number %(asked for 1970%-01%-01%)", mistake "return function() return 1 end")
  end)

  it("is what only hooks may do", function()
    assert.matches("special.lua:1:1: error: .*cannot be used while the file loads",
      mistake "return function() alert {title = 'x'} end")
    assert.matches("special.lua:1:1: error: 'io' is not defined", mistake "return function() return io.open '/etc/passwd' end")
    assert.matches("special.lua:1:1: error: 'count' is not declared", mistake "return function() count = 1 end")
  end)

  it("is a file that is not there", function()
    local plan, lines = folder.load(HEAD:gsub("special.lua", "gone.lua") .. JOB)
    assert.matches("^schedule.yml:3:24: error: the calendar cannot be read: there is no file .*/hooks/calendars/gone.lua", lines[1])
    assert.same({"a"}, plan.bad)
  end)

  it("is one that never ends, in Lua or beyond what a guard in Lua can stop", function()
    local own = require "calendar.own"
    local seconds = own.seconds
    own.seconds = 0.5
    finally(function() own.seconds = seconds end)
    assert.matches("special.lua:2:1: error: ran longer than its deadline of 500 ms", mistake "return function(d)\nwhile true do end end")
    assert.matches("special.lua:1:1: error: the hook host was killed: past its deadline",
      mistake "return function(d) return (('a'):rep(30000)):find('.-.-.-.-b$') end")
  end)
end)
