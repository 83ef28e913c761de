-- What the changes of the clock do to an expression, in words.
local clock = require "clock"
local explain = require "explain"
local preview = require "preview"

local function changes(expression, zone, from, dst)
  local subject = assert(preview.expression(expression, {timezone = zone, dialect = "standard", dst = dst}))
  local texts = {}
  for i, change in ipairs(explain.of(subject, clock.parse(from)).changes) do texts[i] = change.text end
  return texts
end

local NEW_YORK, YEAR = "America/New_York", "2026-01-01T00:00:00Z"

describe("the changes of the clock that touch a schedule", function()
  it("are the next gap and the next overlap of a fixed time, by its policy", function()
    assert.same({"on 2026-03-08 02:30 does not exist: it runs at 03:00"}, changes("30 2 * * *", NEW_YORK, YEAR))
    assert.same({"on 2026-03-08 02:30 does not exist: it does not run then"}, changes("30 2 * * *", NEW_YORK, YEAR, "skip"))
    assert.same({"on 2026-11-01 01:30 comes twice: it runs once, at the first"}, changes("30 1 * * *", NEW_YORK, YEAR))
    assert.same({"on 2026-11-01 01:30 comes twice: it runs both times"}, changes("30 1 * * *", NEW_YORK, YEAR, "robfig"))
    assert.same({"on 2026-03-08 02:15 does not exist: it runs at 03:00",
      "on 2026-11-01 01:15 comes twice: it runs once, at the first"}, changes("15 1,2 * * *", NEW_YORK, YEAR))
  end)

  it("may be half an hour or a day long", function()
    assert.same({"on 2026-10-04 02:15 does not exist: it runs at 02:30"}, changes("15 2 * * *", "Australia/Lord_Howe", YEAR))
    assert.same({"on 2026-04-05 01:45 comes twice: it runs once, at the first"},
      changes("45 1 * * *", "Australia/Lord_Howe", YEAR))
    assert.same("on 2011-12-30 02:30 does not exist: it runs at 2011-12-31 00:00",
      changes("30 2 * * *", "Pacific/Apia", "2011-12-01T00:00:00Z")[1])
  end)

  it("do not touch what runs straight through at its pace", function()
    for _, expression in ipairs {"*/30 * * * *", "0 * * * *", "* * * * *", "0 12 * * *", "@every 1h", "@at 2026-11-01T05:30:00Z"} do
      assert.same({}, changes(expression, NEW_YORK, YEAR))
    end
  end)

  it("do touch a step that loses or gains runs", function()
    assert.same({"on 2026-03-08 02:00 does not exist: it does not run then"}, changes("0 */2 * * *", NEW_YORK, YEAR))
    assert.same({"on 2026-11-01 01:00 comes twice: it runs both times"}, changes("*/30 1 * * *", NEW_YORK, YEAR))
  end)

  it("are those of the zone in front of each expression", function()
    assert.same({"on 2026-03-29 02:30 does not exist: it runs at 03:00",
      "on 2026-10-25 02:30 comes twice: it runs once, at the first"}, changes("TZ=Europe/Berlin 30 2 * * 0", NEW_YORK, YEAR))
    assert.same({}, changes("30 2 * * *", "Asia/Kolkata", YEAR))
  end)
end)

describe("a preview", function()
  it("writes the missing time without its date when the slot is on that day", function()
    local subject = assert(preview.expression("30 2 * * *", {timezone = NEW_YORK}))
    local slot = subject.schedule:next(clock.parse "2026-03-08T06:00:00Z")
    assert.same({slot = slot, time = "2026-03-08T03:00:00-04:00", utc = "2026-03-08T07:00:00Z", effect = "moved",
      wall = "2026-03-08T02:30:00", note = "moved: 02:30 does not exist"}, preview.record(subject, slot, NEW_YORK))
  end)

  it("marks the place of a mistake", function()
    local subject, message = preview.expression("0 5 * * MOM", {})
    assert.is_nil(subject)
    assert.matches("\n  0 5 %* %* MOM\n          %^$", message)
  end)
end)
