-- Slots that go to another day.
local calendar = require "calendar"
local clock = require "clock"

local load = require "schedule_kit".new().load

local HEAD <const> = "settings:\n  cron_dialect: standard\n"
local JOB <const> = 'a:\n  cron: "0 3 * * *"\n  template: pod.yml\n'

describe("move", function()
  local MONTHLY <const> = JOB:gsub('"0 3 %* %* %*"', '"0 3 1,25,26 * *"')
  local preview = require "preview"

  local function slots(lines, from, count)
    local plan, messages = load(HEAD .. "  calendars: {workdays: {not: [sat, sun, 12-25]}}\n" .. lines)
    assert.same({}, messages)
    local subject, out = preview.job(plan.jobs[1]), {}
    for i, slot in ipairs(preview.slots(subject, clock.parse(from), count)) do
      local record = preview.record(subject, slot, "Europe/Berlin")
      out[i] = record.time:sub(6, 16) .. (record.note and " " .. record.note or "")
    end
    return out, plan.jobs[1]
  end

  it("takes a slot to the next or the previous day at the same wall time; those that meet are one", function()
    local zone = MONTHLY .. "  timezone: Europe/Berlin\n  only_on: workdays\n"
    assert.same({"12-28T03:00 moved from Fri 2026-12-25 03:00:00 CET", "01-01T03:00"},
      (slots(zone .. "  move: next\n", "2026-12-20T00:00:00Z", 2)))
    assert.same({"12-24T03:00 moved from Fri 2026-12-25 03:00:00 CET", "01-01T03:00"},
      (slots(zone .. "  move: previous\n", "2026-12-20T00:00:00Z", 2)))
    assert.same({"10-26T03:00 moved from Sun 2026-10-25 03:00:00 CET"}, -- the clock was set back at that 03:00
      (slots(zone:gsub(",26", "") .. "  move: next\n", "2026-10-20T00:00:00Z", 1)))
  end)

  it("makes one slot of two that meet, and leaves apart those that are an hour apart", function()
    local twice = JOB:gsub('"0 3 %* %* %*"', '["0 3 * * *", "0 4 26 * *"]') .. "  timezone: Europe/Berlin\n" ..
      "  only_on: [12-24, 12-27]\n  move: next\n"
    assert.same({"12-27T03:00", "12-27T04:00 moved from Sat 2026-12-26 04:00:00 CET"},
      (slots(twice, "2026-12-24T12:00:00Z", 2)))
  end)

  it("is in the slots themselves, and in what says that they are others", function()
    local _, plain = slots(MONTHLY .. "  only_on: workdays\n", "2026-12-20T00:00:00Z", 1)
    local _, moved = slots(MONTHLY .. "  only_on: workdays\n  move: next\n", "2026-12-20T00:00:00Z", 1)
    local _, other = slots(MONTHLY .. "  only_on: [workdays, 12-25]\n  move: next\n", "2026-12-20T00:00:00Z", 1)
    local _, same = slots(MONTHLY .. "  skip_on: {not: workdays}\n  move: next\n", "2026-12-20T00:00:00Z", 1)
    assert.equal(clock.parse "2026-12-28T03:00:00Z", moved.schedule:next(clock.parse "2026-12-20T00:00:00Z"))
    assert.not_equal(plain.fingerprint, moved.fingerprint)
    assert.not_equal(moved.fingerprint, other.fingerprint)
    assert.equal(moved.fingerprint, same.fingerprint)
    assert.is_nil(calendar.reason(moved, clock.parse "2026-12-28T03:00:00Z"))
    assert.equal("at 03:00 on the 1st, 25th and 26th, UTC, only on workdays, else on the next such day",
      require "explain".of(preview.job(moved), 0).description)
  end)

  it("needs days to move from", function()
    local plan, lines = load(HEAD .. JOB .. "  move: next\n")
    assert.match("schedule.yml:6:9: error: 'a.move' needs only_on or skip_on", lines[1], 1, true)
    assert.same({"a"}, plan.bad)
  end)
end)
