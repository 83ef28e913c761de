-- Which days calendars have.
local clock = require "clock"
local dates = require "calendar_kit".dates
local days = require "calendar.days"
local entry = require "calendar.entry"
local node = require "calendar.node"

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
