-- Which days calendars have, which slots they and freezes drop, and the mistakes that can be made in them.
local calendar = require "calendar"
local clock = require "clock"
local days = require "calendar.days"
local entry = require "calendar.entry"
local ics = require "calendar.ics"
local node = require "calendar.node"
local policy = require "policy"
local problems = require "problems"
local schedule = require "schedule"
local sys = require "sys"

local dir = os.tmpname()
os.remove(dir)
sys.mkdir(dir)

local function write(name, content)
  local file = assert(io.open(dir .. "/" .. name, "w"))
  file:write(content)
  file:close()
end

-- The days of a set, as dates.
local function dates(set, year)
  local out, start = {}, days.start_of(year)
  for day = start, start + days.length_of(year) - 1 do
    if days.has(set, year, day) then out[#out + 1] = days.text(day):sub(6) end
  end
  return table.concat(out, " ")
end

local function of_entry(word, year)
  local set = days.none()
  assert(entry.read(word))(set, year)
  return dates(set, year)
end

-- Gauss's rule, with his two exceptions and the constants of 1900 to 2099.
local function easter_by_gauss(year)
  local a, b, c = year % 19, year % 4, year % 7
  local d = (19 * a + 24) % 30
  local e = (2 * b + 4 * c + 6 * d + 5) % 7
  if d == 29 and e == 6 then return days.of(year, 4, 19) end
  if d == 28 and e == 6 and a > 10 then return days.of(year, 4, 18) end
  return days.of(year, 3, 22) + d + e
end

describe("days", function()
  it("count as the clock does", function()
    for _, text in ipairs {"1900-03-01", "1970-01-01", "2000-02-29", "2026-11-24", "2199-12-31"} do
      local day = clock.parse(text .. "T00:00:00Z") // 86400
      assert.equal(text, days.text(day))
      assert.equal(day, days.of(days.date(day)))
    end
    assert.equal(2, days.weekday(days.of(2026, 11, 24)))
    assert.is_nil(days.of(2026, 2, 29))
  end)

  it("are those of the zone, also beside a change of its clock", function()
    local function day(text, zone) return days.text(days.at(clock.parse(text), zone)) end
    assert.equal("2026-03-28", day("2026-03-28T22:59:59Z", "Europe/Berlin"))
    assert.equal("2026-03-29", day("2026-03-28T23:00:00Z", "Europe/Berlin"))
    assert.equal("2026-03-29", day("2026-03-29T21:59:59Z", "Europe/Berlin")) -- 23 hours long
    assert.equal("2026-10-25", day("2026-10-25T22:59:59Z", "Europe/Berlin")) -- 25 hours long
    assert.equal("2011-12-31", day("2011-12-30T10:00:00Z", "Pacific/Apia"))  -- December 30 was left out
  end)

  it("have Easter where Gauss has it, from 1900 to 2099", function()
    for year = 1900, 2099 do assert.equal(easter_by_gauss(year), days.easter(year), year) end
    assert.equal("2026-04-05", days.text(days.easter(2026)))
    assert.equal("2038-04-25", days.text(days.easter(2038))) -- as late as can be
  end)
end)

describe("an entry", function()
  it("is a date, a yearly date or a weekday", function()
    assert.equal("12-25", of_entry("2026-12-25", 2026))
    assert.equal("", of_entry("2026-12-25", 2027))
    assert.equal("12-25", of_entry("12-25", 2031))
    assert.equal("02-29", of_entry("02-29", 2028))
    assert.equal("", of_entry("02-29", 2027))
    assert.equal("01-03 01-10 01-17 01-24 01-31", of_entry("sat", 2026):sub(1, 29))
  end)

  it("is a range, also over New Year", function()
    assert.equal("12-30 12-31", of_entry("2026-12-30..2027-01-02", 2026))
    assert.equal("01-01 01-02", of_entry("2026-12-30..2027-01-02", 2027))
    assert.equal("01-01 01-02 12-30 12-31", of_entry("12-30..01-02", 2030))
    assert.equal("02-28", of_entry("02-28..02-29", 2027))
    assert.equal("03-01", of_entry("02-29..03-01", 2027))
    assert.equal("", of_entry("02-29..02-29", 2027))
    assert.equal(of_entry("fri..mon", 2027), dates(days.complement(
      node.leaf("", entry.read "tue..thu"):year(2027, "UTC"), 2027), 2027))
  end)

  it("counts from Easter, also into another year", function()
    assert.equal("04-03", of_entry("easter-2", 2026))
    assert.equal("05-14", of_entry("easter+39", 2026))
    assert.equal(days.text(days.easter(2026) + 300):sub(6), of_entry("easter+300", 2027))
  end)

  it("may be wrong", function()
    for word, message in pairs {["2026-02-29"] = "no date", ["13-01"] = "no date", ["2026-12-25..12-26"] = "two dates",
      ["2027-01-01..2026-12-31"] = "ends before", ["easter+999"] = "at most 366", ["1969-01-01"] = "1970 to 2199",
      ["sat..12-01"] = "two dates"} do
      local add, problem = entry.read(word)
      assert.is_nil(add)
      assert.match(message, problem, 1, true)
    end
    assert.same({}, {entry.read "holidays"})
  end)
end)

describe("and, or and not", function()
  local words = {"sat", "12-24..01-02", "easter-2", "2028-02-29", "mon..fri"}
  local leaves = {}
  for i, word in ipairs(words) do leaves[i] = node.leaf(word, (entry.read(word))) end
  local any, all, none_of = node.any, node.all, node.none_of

  local function same(a, b)
    for _, year in ipairs {2027, 2028} do assert.equal(dates(a:year(year, "UTC"), year), dates(b:year(year, "UTC"), year)) end
  end

  it("keep their laws", function()
    for _, a in ipairs(leaves) do
      same(a, none_of(none_of(a)))
      for _, b in ipairs(leaves) do
        same(none_of(any {a, b}), all {none_of(a), none_of(b)})
        same(none_of(all {a, b}), any {none_of(a), none_of(b)})
        same(a, all {a, any {a, b}})
        for _, c in ipairs(leaves) do same(all {a, any {b, c}}, any {all {a, b}, all {a, c}}) end
      end
      assert.equal("", dates(all {a, none_of(a)}:year(2028, "UTC"), 2028))
      assert.equal(366 * 6 - 1, #dates(any {a, none_of(a)}:year(2028, "UTC"), 2028))
      assert.equal(365 * 6 - 1, #dates(any {a, none_of(a)}:year(2027, "UTC"), 2027))
    end
  end)

  it("say what they are made of", function()
    assert.equal("any of (sat, not easter-2)", any({leaves[1], none_of(leaves[3])}).text)
  end)
end)

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

local HEAD <const> = "settings:\n  cron_dialect: standard\n"
local JOB <const> = 'a:\n  cron: "0 3 * * *"\n  template: pod.yml\n'

local function load(yaml)
  write("schedule.yml", yaml)
  write("pod.yml", "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {name: main, image: busybox}\n")
  local plan = schedule.load {dir = dir, name = "schedule.yml", instance = "test"}
  local lines = {}
  for i, problem in ipairs(plan.problems) do
    lines[i] = problems.format(problem):gsub("^" .. dir:gsub("%p", "%%%0") .. "/", "")
  end
  return plan, lines
end

describe("mistakes about days", function()
  it("have their place and what was meant", function()
    write("bad.ics", event "DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=HOURLY")
    local plan, lines = load(HEAD .. [[
  calendars:
    holidays: [12-25, 2026-02-30]
    sat: [12-25]
    round: {not: about}
    about: [round]
    feed: bad.ics
    gone: nowhere.ics
    odd: {some: [sat]}
    both: {any: [sat], not: sun}
    good: mon..fri
  freezes:
  - {from: 2026-12-20, to: tomorrow, reason: x}
  - {from: 2026-12-20, to: 2026-12-19, reason: x}
  - {from: 2026-12-20, to: 2026-12-24}
  - {from: 2026-12-20, to: 2026-12-24, reason: x, jobs: [god]}
good:
  cron: "0 3 * * *"
  template: pod.yml
  skip_on: {not: good}
typo:
  cron: "0 3 * * *"
  template: pod.yml
  only_on: [sat, goood]
of_bad:
  cron: "0 3 * * *"
  template: pod.yml
  skip_on: holidays
number:
  cron: "0 3 * * *"
  template: pod.yml
  skip_on: 5
]])
    local all = table.concat(lines, "\n")
    for _, expected in ipairs {
      "schedule.yml:4:23: error: '2026-02-30': there is no date 2026-02-30",
      "schedule.yml:5:5: error: 'sat' cannot be a calendar's name: it reads as days",
      "schedule.yml:6:18: error: calendar 'about' needs itself: about, which needs round, which needs about",
      "bad.ics:4:1: error: FREQ is YEARLY, WEEKLY or DAILY here, not HOURLY",
      "schedule.yml:9:11: error: the calendar cannot be read",
      "schedule.yml:10:11: error: unknown key 'some'",
      "schedule.yml:11:11: error: one of any: [...], all: [...] or not: expected, and one only",
      "schedule.yml:14:28: error: 'tomorrow' is not a time",
      "schedule.yml:15:28: error: 'to' must be later than 'from'",
      "schedule.yml:16:5: error: 'settings.freezes.3.reason' is missing",
      "schedule.yml:17:57: warning: the freeze holds no job 'god' (did you mean 'good'?)",
      "schedule.yml:25:18: error: there is no calendar 'goood' (did you mean 'good'?); write a calendar's name",
      "schedule.yml:33:12: error: a calendar's name, 2026-12-25",
    } do
      assert.match(expected, all, 1, true)
    end
    assert.same({"good"}, {plan.jobs[1].name, plan.jobs[2]})
    assert.same({"number", "of_bad", "typo"}, (function() table.sort(plan.bad) return plan.bad end)())
  end)

  it("in a default are told once, and no job runs without its calendar", function()
    local plan, lines = load(HEAD .. "  defaults: {skip_on: holidays}\n" .. JOB .. JOB:gsub("^a", "b"))
    assert.equal(1, #lines)
    assert.equal(0, #plan.jobs)
  end)
end)

local function reason(job, at, now) return calendar.reason(job, clock.parse(at), now and clock.parse(now)) end

describe("a slot", function()
  it("is dropped by the day of the job's zone", function()
    local job = load(HEAD .. "  calendars: {holidays: [12-25]}\n" .. JOB .. "  timezone: America/New_York\n  skip_on: holidays\n").jobs[1]
    assert.is_nil(reason(job, "2026-12-25T04:59:59Z"))
    assert.equal("calendar: in holidays", reason(job, "2026-12-25T05:00:00Z"))
    assert.equal("calendar: in holidays", reason(job, "2026-12-26T04:59:59Z"))
    assert.is_nil(reason(job, "2026-12-26T05:00:00Z"))
  end)

  it("must be in only_on and not in skip_on, of the job or of the defaults", function()
    local plan = load(HEAD .. "  defaults: {only_on: mon..fri}\n" .. JOB .. "  skip_on: [12-25]\n" ..
      JOB:gsub("^a", "b") .. "  only_on: sun\n")
    assert.equal("calendar: in 12-25", reason(plan.jobs[1], "2026-12-25T03:00:00Z"))
    assert.equal("calendar: not in mon..fri", reason(plan.jobs[1], "2026-12-26T03:00:00Z"))
    assert.is_nil(reason(plan.jobs[1], "2026-12-24T03:00:00Z"))
    assert.is_nil(reason(plan.jobs[2], "2026-12-27T03:00:00Z"))
  end)

  it("is frozen by its own time, and by the time at which it would start", function()
    local plan = load(HEAD .. "  timezone: Europe/Berlin\n  freezes:\n" ..
      "  - {from: 2026-12-20, to: 2026-12-24T12:00, reason: year end, jobs: [a*]}\n" .. JOB .. JOB:gsub("^a", "b"))
    local a, b = table.unpack(plan.jobs)
    assert.is_nil(reason(a, "2026-12-19T22:59:59Z"))
    assert.equal("freeze: year end", reason(a, "2026-12-19T23:00:00Z"))
    assert.is_nil(reason(a, "2026-12-24T11:00:00Z"))
    assert.equal("freeze: year end", reason(a, "2026-12-19T22:00:00Z", "2026-12-20T01:00:00Z"))
    assert.is_nil(reason(b, "2026-12-21T03:00:00Z"))
  end)

  it("is dropped when due, not when somebody asks for the run", function()
    local job = load(HEAD .. JOB .. "  skip_on: [12-25]\n").jobs[1]
    local run = {job = "a", slot = clock.parse "2026-12-25T03:00:00Z", trigger = "schedule", attempt = 0, active = 0, queued = 0}
    assert.same({"drop", "calendar: in 12-25"}, {policy.decide(job, run, {})})
    for _, trigger in ipairs {"manual", "backfill", "retry"} do
      run.trigger = trigger
      assert.equal("run", (policy.decide(job, run, {})))
    end
  end)
end)

describe("the next slot", function()
  local function next_of(lines, from)
    local job = load(HEAD .. lines).jobs[1]
    local slot = calendar.next(job, clock.parse(from))
    return slot and clock.format(slot)
  end

  it("is the first that is not dropped", function()
    assert.equal("2026-12-28T03:00:00Z", next_of(JOB .. "  only_on: mon..fri\n  skip_on: [12-25]\n", "2026-12-24T03:00:00Z"))
    assert.equal("2026-12-25T03:00:00Z", next_of(JOB, "2026-12-24T03:00:00Z"))
    assert.equal("2027-01-02T03:00:00Z", next_of("  freezes: [{from: 2026-12-20, to: 2027-01-02, reason: x}]\n" .. JOB,
      "2026-12-24T03:00:00Z"))
    assert.equal("2026-03-29T23:00:00Z", -- a day after one that is 23 hours long
      next_of(JOB:gsub('"0 3 %* %* %*"', '"0 * * * *"') .. "  timezone: Europe/London\n  skip_on: 2026-03-29\n", "2026-03-29T00:00:00Z"))
  end)

  it("may never come", function()
    assert.is_nil(next_of(JOB .. "  only_on: 2026-01-01\n", "2026-12-24T03:00:00Z"))
    assert.is_nil(next_of(JOB:gsub("0 3 %* %* %*", "* * * * * *") .. "  only_on: {all: [sat, sun]}\n", "2026-12-24T03:00:00Z"))
  end)
end)

describe("what is shown of a job", function()
  local preview = require "preview"
  local why = require "why"
  local from = clock.parse "2026-12-24T03:00:00Z"
  local christmas = clock.parse "2026-12-25T03:00:00Z"
  local job = load(HEAD .. "  calendars: {holidays: [12-25..12-26]}\n" .. JOB .. "  skip_on: holidays\n").jobs[1]
  local subject = preview.job(job)

  local function texts(slots)
    local out = {}
    for i, slot in ipairs(slots) do
      local record = preview.record(subject, slot, "UTC")
      out[i] = record.utc:sub(6, 10) .. (record.note and " " .. record.note or "")
    end
    return out
  end

  it("leaves out what is dropped, or says why", function()
    assert.same({"12-27", "12-28"}, texts(preview.slots(subject, from, 2)))
    assert.same({"12-25 dropped: calendar: in holidays", "12-26 dropped: calendar: in holidays", "12-27"},
      texts(preview.slots(subject, from, 3, true)))
    assert.equal("calendar: in holidays", preview.plain(preview.record(subject, christmas, "UTC")).dropped)
  end)

  it("says on which days it runs", function()
    assert.equal("at 03:00, UTC, not on holidays", require "explain".of(subject, from).description)
  end)

  it("says that no slot is kept", function()
    local never = preview.job(load(HEAD .. JOB .. "  only_on: 2026-01-01\n").jobs[1])
    assert.same({}, preview.slots(never, from, 2))
    assert.match("dropped, calendar: not in 2026-01-01", preview.ending(never, "UTC"), 1, true)
  end)

  it("says why a slot will not run", function()
    local answer = why.slot {job = job, slot = christmas, now = from, records = {}, runs = {}}
    assert.equal("it will be skipped: calendar: in holidays", answer.text)
    assert.equal("dropped", answer.verdict)
  end)

  it("is compared by what is left", function()
    local other = load(HEAD .. JOB).jobs[1]
    assert.same({{job = "a", added = 2, removed = 0, slots = {{slot = christmas, change = "added"}}}},
      require "simulate.diff"({job}, {other}, from, from + 10 * 86400, 1))
  end)
end)

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
