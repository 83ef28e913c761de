-- Which slots calendars and freezes drop, what is shown of it, and the mistakes that can be made in them.
local calendar = require "calendar"
local clock = require "clock"
local policy = require "policy"

local folder = require "schedule_kit".new()
local load, write = folder.load, folder.write

local HEAD <const> = "settings:\n  cron_dialect: standard\n"
local JOB <const> = 'a:\n  cron: "0 3 * * *"\n  template: pod.yml\n'

describe("mistakes about days", function()
  it("have their place and what was meant", function()
    write("bad.ics", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260101\nRRULE:FREQ=HOURLY\nEND:VEVENT\nEND:VCALENDAR\n")
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

  it("is frozen by a label of its template, or of a Job's Pods", function()
    write("pod-web.yml", "apiVersion: v1\nkind: Pod\nmetadata: {labels: {tier: web}}\nspec: {containers: [{name: c, image: i}]}\n")
    write("job-web.yml", "apiVersion: batch/v1\nkind: Job\nspec:\n  template:\n    metadata: {labels: {tier: web}}\n" ..
      "    spec: {containers: [{name: c, image: i}]}\n")
    local jobs = JOB:gsub("pod.yml", "pod-web.yml") .. JOB:gsub("^a", "b") .. JOB:gsub("^a", "c"):gsub("pod.yml", "job-web.yml")
    local function reasons(which)
      local plan, mistakes = load(HEAD .. "  freezes: [{from: 2026-12-20, to: 2026-12-24, reason: x, " .. which .. "}]\n" .. jobs)
      local out = {}
      for i, job in ipairs(plan.jobs) do out[i] = reason(job, "2026-12-21T03:00:00Z") and job.name or "-" end
      return table.concat(out), mistakes[1]
    end
    assert.equal("a-c", (reasons "label: tier=web"))
    assert.equal("--c", (reasons "label: tier=web, jobs: [b, c]"))
    local none, warning = reasons "label: tier=db"
    assert.equal("---", none)
    assert.equal("schedule.yml:3:66: warning: the freeze holds no job: no template has the label tier=db", warning)
    assert.match("schedule.yml:3:66: error: 'web' is not a label: write KEY=VALUE", select(2, reasons "label: web"), 1, true)
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
