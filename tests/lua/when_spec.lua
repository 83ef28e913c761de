-- Instants as people write and read them.
local clock = require "clock"
local when = require "when"

local NOW = clock.parse "2026-11-24T11:30:00Z"

local function parse(text, zone) return clock.format(assert(when.parse(text, NOW, zone))) end

describe("when.parse", function()
  it("takes instants, now, what is relative to it, dates and local times", function()
    for text, expected in pairs {
      ["2026-11-24T08:00:00Z"] = "2026-11-24T08:00:00Z",
      ["1899-12-31T23:00:00-05:00"] = "1900-01-01T04:00:00Z",
      ["now"] = "2026-11-24T11:30:00Z",
      ["+2h"] = "2026-11-24T13:30:00Z",
      ["-1d"] = "2026-11-23T11:30:00Z",
      ["2026-11-24"] = "2026-11-24T05:00:00Z",
      ["2026-07-01"] = "2026-07-01T04:00:00Z",
      ["2026-07-01T12:30"] = "2026-07-01T16:30:00Z",
      ["2026-07-01 12:30:15"] = "2026-07-01T16:30:15Z",
    } do
      assert.equal(expected, parse(text, "America/New_York"))
    end
    assert.equal("2026-11-24T00:00:00Z", parse "2026-11-24")
  end)

  it("takes the first of two passes, and moves out of a gap", function()
    assert.equal("2026-11-01T05:30:00Z", parse("2026-11-01T01:30", "America/New_York"))
    assert.equal("2026-03-08T07:30:00Z", parse("2026-03-08T02:30", "America/New_York"))
    assert.equal("2018-11-04T03:00:00Z", parse("2018-11-04", "America/Sao_Paulo"))
    assert.equal("2011-12-30T10:00:00Z", parse("2011-12-30", "Pacific/Apia"))
    assert.equal("2026-04-04T14:45:00Z", parse("2026-04-05T01:45", "Australia/Lord_Howe"))
  end)

  it("says what to write", function()
    for _, wrong in ipairs {"", "soon", "2h", "+2", "+h", "2026-02-30", "2026-11-24T25:00", "24.11.2026"} do
      local t, message = when.parse(wrong, NOW)
      assert.is_nil(t)
      assert.matches("write 2026%-11%-24T08:00:00Z, 2026%-11%-24, now, %+2h or %-1d", message)
    end
    for _, far in ipairs {"-999999d", "+99999999d", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"} do
      assert.matches("is not in the years 1 to 9999", select(2, when.parse(far, NOW)))
    end
    assert.matches("New_York", select(2, when.parse("now", NOW, "America/New_Yrok")))
  end)
end)

describe("when", function()
  it("writes RFC 3339 in a zone, Z for UTC alone", function()
    assert.equal("2026-11-24T11:30:00Z", when.format(NOW, "UTC"))
    assert.equal("2026-11-24T11:30:00Z", when.format(NOW, "Etc/UTC"))
    assert.equal("2026-11-24T11:30:00+00:00", when.format(NOW, "Europe/London"))
    assert.equal("2026-11-24T08:00:00-03:30", when.format(NOW, "America/St_Johns"))
    assert.equal("2026-11-24T22:30:00+11:00", when.format(NOW, "Australia/Lord_Howe"))
  end)

  it("writes in UTC what RFC 3339 cannot say: New York was 4:56:02 behind", function()
    assert.equal("0099-01-01T00:00:00Z", when.format(clock.parse "0099-01-01T00:00:00Z", "America/New_York"))
    assert.equal("1880-01-01T00:00:00Z", when.format(clock.parse "1880-01-01T00:00:00Z", "America/New_York"))
  end)

  it("writes for people", function()
    assert.equal("Tue 2026-11-24 06:30:00 EST", when.civil(NOW, "America/New_York"))
    assert.same({"in 2 h 5 min", "3 d ago", "now", "in 1 min 1 s", "in 1 d 1 h", "in 1 h"},
      {when.relative(NOW + 7500, NOW), when.relative(NOW - 3 * 86400, NOW), when.relative(NOW, NOW),
        when.relative(NOW + 61, NOW), when.relative(NOW + 90061, NOW), when.relative(NOW + 3601, NOW)})
  end)
end)
