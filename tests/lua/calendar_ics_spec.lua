-- iCalendar files as sets of days, and the lines that are refused.
local dates = require "calendar_kit".dates
local days = require "calendar.days"
local ics = require "calendar.ics"

local function event(lines) return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" .. lines:gsub("\n", "\r\n") .. "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n" end

local function of_ics(lines, year, zone)
  local add, problem = ics.parse(event(lines))
  if not add then error(("%d: %s"):format(problem.line, problem.message), 0) end
  local set = days.none()
  add(set, year, zone or "UTC")
  return dates(set, year)
end

describe("an .ics file", function()
  it("has dates, folds, quotes and components that say nothing about days", function()
    local set, text = days.none(), table.concat({"\xef\xbb\xbfBEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//EN",
      "BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD", "DTSTART:19701025T030000", "END:STANDARD",
      "END:VTIMEZONE", "BEGIN:VEVENT", "UID:1", "SUMMARY;X-A=\"a:b;c\":Heili", " gabend: BEGIN:VEVENT", "DTSTART;VAL",
      "\tUE=DATE:202612", " 24", "BEGIN:VALARM", "DURATION:PT15M", "END:VALARM", "END:VEVENT", "BEGIN:VEVENT",
      "STATUS:CANCELLED", "DTSTART;VALUE=DATE:20260601", "END:VEVENT", "BEGIN:VTODO", "DTSTART:nonsense", "END:VTODO",
      "END:VCALENDAR", ""}, "\r\n")
    assert(ics.parse(text))(set, 2026, "Asia/Tokyo")
    assert.equal("12-24", dates(set, 2026))
  end)

  it("has events of several days; DTEND is not in them", function()
    assert.equal("12-30 12-31", of_ics("DTSTART;VALUE=DATE:20261230\nDTEND;VALUE=DATE:20270102", 2026))
    assert.equal("01-01", of_ics("DTSTART;VALUE=DATE:20261230\nDTEND;VALUE=DATE:20270102", 2027))
    assert.equal("05-01 05-02", of_ics("DTSTART;VALUE=DATE:20260501\nDURATION:P2D", 2026))
    assert.equal("05-01", of_ics("DTSTART;VALUE=DATE:20260501\nDTEND;VALUE=DATE:20260501", 2026))
  end)

  it("has times of a foreign zone, which are other days elsewhere", function()
    local new_york = "DTSTART;TZID=America/New_York:20261224T200000\nDURATION:PT2H"
    assert.equal("12-24", of_ics(new_york, 2026, "America/New_York"))
    assert.equal("12-25", of_ics(new_york, 2026, "Europe/Berlin"))
    assert.equal("12-25", of_ics("DTSTART:20261224T230000Z\nDTEND:20261225T230000Z", 2026, "Europe/Berlin"))
    assert.equal("12-24 12-25", of_ics("DTSTART:20261224T230000Z\nDTEND:20261225T230000Z", 2026, "UTC"))
    assert.equal("12-31", of_ics("DTSTART:20270101T030000Z", 2026, "America/New_York"))
    assert.equal("07-01", of_ics("DTSTART:20260701T090000\nDTEND:20260701T100000", 2026, "Asia/Tokyo"))
  end)

  it("repeats by year, week and day", function()
    assert.equal("12-25", of_ics("DTSTART;VALUE=DATE:20201225\nRRULE:FREQ=YEARLY", 2040))
    assert.equal("", of_ics("DTSTART;VALUE=DATE:20201225\nRRULE:FREQ=YEARLY", 2019))
    assert.equal("", of_ics("DTSTART;VALUE=DATE:20201225\nRRULE:FREQ=YEARLY;COUNT=3", 2023))
    assert.equal("12-25", of_ics("DTSTART;VALUE=DATE:20201225\nRRULE:FREQ=YEARLY;COUNT=3", 2022))
    assert.equal("", of_ics("DTSTART;VALUE=DATE:20200229\nRRULE:FREQ=YEARLY", 2025))
    assert.equal("02-29", of_ics("DTSTART;VALUE=DATE:20200229\nRRULE:FREQ=YEARLY;INTERVAL=2", 2024))
    assert.equal("11-26", of_ics("DTSTART;VALUE=DATE:20201126\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", 2026))
    assert.equal("05-25", of_ics("DTSTART;VALUE=DATE:20200525\nRRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO", 2026))
    assert.equal("01-06 01-20 02-03", of_ics("DTSTART;VALUE=DATE:20260106\nRRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20260203", 2026))
    assert.equal("01-06 01-08 01-13", of_ics("DTSTART;VALUE=DATE:20260106\nRRULE:FREQ=WEEKLY;BYDAY=TU,TH;COUNT=3", 2026))
    assert.equal("01-05 01-11 01-19", of_ics("DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;COUNT=3", 2026))
    assert.equal("01-05 01-18 01-19",
      of_ics("DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=WEEKLY;WKST=SU;INTERVAL=2;BYDAY=SU,MO;COUNT=3", 2026))
    assert.equal("01-01 01-04 01-07", of_ics("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY;INTERVAL=3;COUNT=3", 2026))
    assert.equal("01-02 01-05", of_ics("DTSTART;VALUE=DATE:20260102\nRRULE:FREQ=DAILY;BYDAY=MO,FR;COUNT=2", 2026))
  end)

  it("leaves EXDATE out, which still counts", function()
    assert.equal("01-01 01-03", of_ics("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE;VALUE=DATE:20260102", 2026))
    assert.equal("01-01 01-04", of_ics("DTSTART;TZID=Europe/Berlin:20260101T080000\nRRULE:FREQ=DAILY;UNTIL=20260104T070000Z\n" ..
      "EXDATE;TZID=Europe/Berlin:20260102T080000\nEXDATE:20260103T070000Z", 2026, "Europe/Berlin"))
  end)

  it("is refused with its line where it is not understood", function()
    for lines, expected in pairs {
      ["SUMMARY:x"] = "2: the event has no DTSTART",
      ["DTSTART:20261325"] = "3: DTSTART:20261325 is not a date",
      ["DTSTART;TZID=Berlin Time:20260101T000000"] = "3: TZID=Berlin Time",
      ["DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=MONTHLY"] = "4: FREQ is YEARLY, WEEKLY or DAILY here, not MONTHLY",
      ["DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;BYSETPOS=1"] = "4: 'BYSETPOS=1' in RRULE is not understood",
      ["DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=WEEKLY;BYDAY=1MO"] = "4: BYMONTH, and a number in BYDAY",
      ["DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=DAILY;INTERVAL=7;BYDAY=MO"] = "4: DTSTART is not one of the days",
      ["DTSTART;VALUE=DATE:20260101\nRDATE;VALUE=DATE:20260105"] = "4: RDATE is not understood",
      ["DTSTART;VALUE=DATE:20260101\nDURATION:P1X"] = "4: DURATION:P1X",
      ["DTSTART;VALUE=DATE:20260101\nDURATION:PT5H"] = "4: of an event with dates",
      ["DTSTART;VALUE=DATE:20260102\nDTEND;VALUE=DATE:20260101"] = "4: it ends before it starts",
      ["DTSTART;VALUE=DATE:20260102\nDTEND:20260103T000000Z"] = "4: DTEND must be of the same kind",
      ["DTSTART;VALUE=DATE:20260102\nno line"] = "4: this is no line of iCalendar",
    } do
      local done, problem = pcall(of_ics, lines, 2026)
      assert.is_false(done)
      assert.match(expected, problem, 1, true)
    end
    local _, problem = ics.parse "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\n"
    assert.same({4, "END:VEVENT is missing"}, {problem.line, problem.message})
  end)
end)
