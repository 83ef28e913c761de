-- An expression or a job's cron in words: what it says, what it might have meant, what changes of the clock do to it.
--   explain.of(subject, from) -> {description=, other_reading=, warnings={{code=, message=}}, changes=, slots=}
--     subject: of preview.lua, with a schedule; other_reading: what robfig-v1 reads, when that is something else;
--     code: of explain.codes; changes: of explain.changes(subject, from), {at=, kind=, wall=, runs=, text=}
--   explain.text(out, subject, found, zone, now) -> the same for people, as preview.table writes it
local calendar = require "calendar"
local clock = require "clock"
local cron = require "cron"
local preview = require "preview"

local explain = {}

local DAY = 86400
local HORIZON = 5 * 366 * DAY -- seconds: as far as the engine's own warnings look
local SLOTS = 3
explain.codes = {[1] = "day_or", [2] = "five_fields", [4] = "dst_gap", [8] = "dst_overlap"}

-- Goes on at the pace it had: an interval that runs straight through a change is not touched by it.
local function steady(part, slot)
  local previous = part:previous(slot)
  local earlier = previous and part:previous(previous)
  return earlier and slot - previous <= previous - earlier and slot - previous < DAY
end

local function sentence(wall, format, ...)
  local date = wall:match "^[^T]+"
  return ("on %s %s "):format(date, preview.wall_text(wall, date)) .. format:format(...)
end

local function touched_by_gap(part, change, before, after)
  local slot = part:next(change - 1)
  local effect, wall = part:effect(slot or change)
  if effect ~= "moved" and effect ~= "lost" or effect == "lost" and steady(part, slot) then return nil end
  local lost = clock.parse(wall .. "Z")
  if lost < change + before or lost >= change + after then return nil end -- that was another gap
  local outcome = "it does not run then"
  if effect == "moved" then
    outcome = "it runs at " .. preview.wall_text(preview.wall(slot, part:zone()), wall:match "^[^T]+")
  end
  return {at = change, kind = "gap", wall = wall, runs = effect, text = sentence(wall, "does not exist: %s", outcome)}
end

local passes = {
  first = "it runs once, at the first", second = "it runs once, at the second", both = "it runs both times",
}

local function touched_by_overlap(part, change, before, after)
  local length = before - after
  local first, second = part:next(change - length - 1), part:next(change - 1)
  local runs = first and part:effect(first)
  if runs ~= "first" and runs ~= "second" or first >= change + length then return nil end
  if runs == "first" and second and second < change + length then runs = "both" end
  local previous = part:previous(first)
  if runs == "both" and previous and first - previous == part:next(first) - first then return nil end
  local wall = preview.wall(first, part:zone())
  local outcome = sentence(wall, "comes twice: %s", passes[runs])
  return {at = change, kind = "overlap", wall = wall, runs = runs, text = outcome}
end

-- The first gap and the first overlap that touch one expression.
local function changes_of(part, from, out)
  local zone, change, found = part:zone(), from, {}
  repeat
    change = cron.next_change(change, zone)
    if not change or change > from + HORIZON then return end
    local before, after = cron.civil(change - 1, zone).offset, cron.civil(change, zone).offset
    local kind, look = "gap", touched_by_gap
    if after < before then kind, look = "overlap", touched_by_overlap end
    if not found[kind] then
      found[kind] = look(part, change, before, after)
      out[#out + 1] = found[kind]
    end
  until found.gap and found.overlap
end

-- The next gap and the next overlap that touch the subject, for each of its expressions.
function explain.changes(subject, from)
  local all, out, seen = {}, {}, {}
  for _, expression in ipairs(subject.expressions) do changes_of(subject.parse {expression}, from, all) end
  table.sort(all, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.text < b.text
  end)
  for _, change in ipairs(all) do
    if not seen[change.text] then out[#out + 1] = change end
    seen[change.text] = true
  end
  return out
end

local function other_reading(subject, description)
  local other = cron.parse(subject.expressions, {dialect = "robfig-v1", timezone = subject.schedule:zone()})
  other = other and other:describe()
  return other ~= description and other or nil
end

function explain.of(subject, from)
  local out = {description = subject.schedule:describe(), warnings = {}, changes = explain.changes(subject, from)}
  for _, warning in ipairs(subject.schedule:warnings(from)) do
    local code = explain.codes[warning.code]
    if code == "five_fields" then
      if not subject.dialect_given then out.other_reading = other_reading(subject, out.description) end
    elseif code == "day_or" or not subject.dst_given then
      out.warnings[#out.warnings + 1] = {code = code, message = warning.message}
    end
  end
  if subject.job then out.description = out.description .. calendar.describe(subject.job, from) end
  out.slots = preview.slots(subject, from, SLOTS)
  return out
end

function explain.text(out, subject, found, zone, now)
  local lines = {out:paint("bold", found.description)}
  if found.other_reading then
    lines[#lines + 1] = ("robfig-v1, as the first kube-scheduler read it: %s"):format(found.other_reading)
  end
  for _, warning in ipairs(found.warnings) do
    lines[#lines + 1] = out:paint("yellow", "warning: ") .. warning.message
  end
  for _, change in ipairs(found.changes) do lines[#lines + 1] = change.text end
  local slots = #found.slots > 0 and preview.table(out, subject, found.slots, zone, now)
    or preview.ending(subject, zone) .. "\n"
  return table.concat(lines, "\n") .. "\n\n" .. slots
end

return explain
