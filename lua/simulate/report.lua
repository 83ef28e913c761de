-- What simulate prints: text for people, JSON for programs. Both are written while time goes on, so that a year of
-- slots needs no memory.
local clock = require "clock"
local heat_map = require "simulate.heat"
local json = require "json"
local text = require "text"
local when = require "when"

local report = {}

local MOST_JOBS <const> = 30 -- that are shown, unless all are wanted

-- "overlap: a run is still active × 12; …", the most frequent first.
local function reasons_text(reasons)
  local list = text.keys(reasons)
  table.sort(list, function(a, b)
    if reasons[a] ~= reasons[b] then return reasons[a] > reasons[b] end
    return a < b
  end)
  for i, reason in ipairs(list) do list[i] = ("%s (%d)"):format(reason, reasons[reason]) end
  return table.concat(list, "; ")
end

-- Names of jobs, those with skips or failures first, then those with the most runs.
local function by_interest(jobs)
  local names = text.keys(jobs)
  table.sort(names, function(a, b)
    local x, y = jobs[a], jobs[b]
    if x.skipped + x.failed ~= y.skipped + y.failed then return x.skipped + x.failed > y.skipped + y.failed end
    if x.runs ~= y.runs then return x.runs > y.runs end
    return a < b
  end)
  return names
end

local function time_of_day(seconds)
  return ("%02d:%02d:%02d"):format(seconds // 3600, seconds // 60 % 60, seconds % 60)
end

local Text = {}
Text.__index = Text

-- out: of terminal.lua; zone: of the times shown; all: whether every slot is listed
function report.text(out, zone, all) return setmetatable({out = out, zone = zone, all = all}, Text) end

function Text:line(time, run, style, what)
  io.write(("%s  %s  %s\n"):format(when.civil(time, self.zone), run.job, self.out:paint(style, what)))
end

-- ", attempt 2, slot 00:10:00": what is not plain from the time of the line.
local function details(run, now)
  local parts = ""
  if run.trigger == "manual" then parts = parts .. ", triggered" end
  if run.attempt > 0 then parts = ("%s, attempt %d"):format(parts, run.attempt + 1) end
  if run.slot ~= now and run.trigger ~= "manual" then parts = parts .. ", slot " .. clock.format(run.slot) end
  return parts
end

function Text:started(run, now)
  if self.all then self:line(now, run, "green", "runs" .. details(run, now)) end
end

function Text:ended(run)
  if not self.all or run.outcome == "succeeded" then return end
  self:line(run.finished, run, run.replaced and "yellow" or "red", run.replaced and "replaced" or run.outcome)
end

function Text:skipped(run, reason, now)
  if self.all then self:line(now, run, "yellow", "skipped" .. details(run, now) .. ": " .. reason) end
end

function Text:told(kind, entry)
  if self.all then self:line(entry.at, {job = entry.job or "-"}, "blue", ("%s: %s"):format(kind, entry.what)) end
end

function Text:jobs(tally)
  local rows, names = {}, by_interest(tally.jobs)
  for i, name in ipairs(names) do
    local job = tally.jobs[name]
    if i > MOST_JOBS and not self.all then break end
    rows[i] = {name, job.slots, job.runs, job.failed > 0 and {job.failed, style = "red"} or nil,
      job.skipped > 0 and {job.skipped, style = "yellow"} or nil, job.busy > 0 and when.span(job.busy) or nil,
      reasons_text(job.reasons)}
  end
  io.write(self.out:table({"job", "slots", "runs", "failed", "skipped", "busy", "why skipped"}, rows,
    {right = {[2] = true, [3] = true, [4] = true, [5] = true}}))
  if #rows < #names then print(("… and %d jobs more: --all"):format(#names - #rows)) end
end

function Text:skips(tally)
  if self.all or #tally.skips == 0 then return end
  local rows = {}
  for i, skip in ipairs(tally.skips) do rows[i] = {when.civil(skip.slot, self.zone), skip.job, skip.reason} end
  io.write("\n", self.out:table({"skipped", "job", "why"}, rows))
  if #rows < tally.skipped then print(("… and %d more: --all"):format(tally.skipped - #rows)) end
end

function Text:collisions(tally)
  local rows = {}
  for i, second in ipairs(tally:collisions()) do
    rows[i] = {second.starts, time_of_day(second.time), when.civil(second.first, self.zone), second.times}
  end
  if #rows > 0 then
    io.write("\n", self.out:table({"start at once", "at", "first", "times"}, rows, {right = {[1] = true, [4] = true}}))
  end
end

-- effects: how many of each kind hooks asked for
function Text:close(tally, from, to, effects)
  if self.all and tally.runs + tally.skipped > 0 then print() end
  local runs = tally.runs
  print(("%s to %s: %d jobs, %d runs, %d failed, %d skipped"):format(when.civil(from, self.zone),
    when.civil(to, self.zone), #text.keys(tally.jobs), runs, tally.failed, tally.skipped))
  for _, kind in ipairs(text.keys(effects)) do print(("Hooks asked for %s: %d times"):format(kind, effects[kind])) end
  print()
  self:jobs(tally)
  self:skips(tally)
  if runs == 0 then return end
  print(("\nPeak: %d at once, first at %s"):format(tally.peak.runs, when.civil(tally.peak.at, self.zone)))
  self:collisions(tally)
  io.write("\n", heat_map(self.out, tally.heat, self.zone))
end

local Json = {}
Json.__index = Json

-- One object; its `runs` are in the order in which they end, those still running at the end last.
function report.json(from, to)
  local self = setmetatable({open = {}, told_list = json.array {}, separator = "\n"}, Json)
  io.write(('{"from": "%s", "to": "%s", "runs": ['):format(clock.format(from), clock.format(to)))
  return self
end

function Json:write_run(run)
  io.write(self.separator, json.encode {
    job = run.job, slot = run.slot, utc = clock.format(run.slot), attempt = run.attempt, trigger = run.trigger,
    started = run.started, finished = run.finished or json.null, outcome = run.outcome or json.null,
  })
  self.separator = ",\n"
end

function Json:started(run, now)
  run.started = now
  self.open[run.id] = run
end

function Json:ended(run)
  self.open[run.id] = nil
  self:write_run(run)
end

function Json.skipped() end -- the tally keeps them

function Json:told(kind, entry)
  self.told_list[#self.told_list + 1] = {kind = kind, job = entry.job or json.null, at = entry.at, what = entry.what}
end

local function heat_rows(heat)
  local rows = json.array {}
  for weekday = 0, 6 do
    rows[weekday + 1] = json.array {}
    for hour = 0, 23 do rows[weekday + 1][hour + 1] = heat[weekday][hour] end
  end
  return rows
end

local function jobs_object(tally)
  local out = json.object {}
  for name, job in pairs(tally.jobs) do
    out[name] = {slots = job.slots, runs = job.runs, failed = job.failed, skipped = job.skipped, busy = job.busy,
      reasons = json.object(job.reasons)}
  end
  return out
end

function Json:close(tally)
  local left = {}
  for _, run in pairs(self.open) do left[#left + 1] = run end
  table.sort(left, function(a, b) return a.slot < b.slot or a.slot == b.slot and a.job < b.job end)
  for _, run in ipairs(left) do self:write_run(run) end
  local rest = json.encode {
    skips = json.array(tally.skips), jobs = jobs_object(tally), collisions = json.array(tally:collisions()),
    peak = {runs = tally.peak.runs, at = tally.peak.at or json.null}, heat = heat_rows(tally.heat), zone = tally.zone,
    effects = self.told_list,
  }
  io.write("\n], ", rest:sub(2), "\n")
end

return report
