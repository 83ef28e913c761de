-- Slots of all jobs together, computed by the engine that runs them, calendars and freezes included: what comes, and
-- when much comes at once.
local calendar = require "calendar"
local clock = require "clock"
local json = require "json"
local query = require "api.query"
local reply = require "web.reply"
local steps = require "steps"
local view = require "api.view"

local times = {}

local DAY <const> = 86400
local MOST_SLOTS <const> = 2000      -- of upcoming
local MOST_BUCKETS <const> = 1000
local MOST_COUNTED <const> = 1000000 -- slots that a heat map looks at
local PEAKS <const>, NAMES <const> = 5, 10

-- from, to; or nil and an answer.
local function span(request, otherwise, zone)
  local from, to, refused
  from, refused = query.instant(request, "from", clock.now(), zone)
  if not from then return nil, refused end
  to, refused = query.instant(request, "to", from + otherwise, zone)
  if not to then return nil, refused end
  if to <= from then return nil, query.bad("to", "to: a time after from expected") end
  return from, to
end

-- Whether the slot will be skipped because somebody said so.
local function is_suspended(daemon, job, slot)
  for _, o in ipairs {daemon.runner.paused or false, daemon.runner.suspended[job.name] or false} do
    if o and (not o["until"] or o["until"] > slot) then return true end
  end
  return false
end

-- A heap of {slot=, job=}, the earliest first.
local function before(a, b)
  if a.slot ~= b.slot then return a.slot < b.slot end
  return a.job.name < b.job.name
end

local function sink(heap, i)
  while true do
    local least = i
    for child = 2 * i, 2 * i + 1 do
      if heap[child] and before(heap[child], heap[least]) then least = child end
    end
    if least == i then return end
    heap[i], heap[least], i = heap[least], heap[i], least
  end
end

-- The first slot of each job that may be seen, in [from, to).
local function first_slots(daemon, request, from, to, pause)
  local heap, allowed = {}, request.scope("list", "jobs")
  local name, namespace = request.query.job, request.query.namespace
  for _, job in ipairs(daemon.control.jobs) do
    local wanted = job.schedule and (not name or job.name == name) and (not namespace or job.namespace == namespace)
    local slot = wanted and allowed(job.namespace) and calendar.next(job, from - 1)
    if slot and slot < to then heap[#heap + 1] = {slot = slot, job = job} end
    pause()
  end
  for i = #heap // 2, 1, -1 do sink(heap, i) end
  return heap
end

function times.upcoming(daemon, request)
  local limit, from, to, refused
  limit, refused = query.number(request, "limit", 500, MOST_SLOTS)
  if not limit then return refused end
  from, to = span(request, DAY, "UTC")
  if not from then return to end
  local pause, out = steps.new(), {}
  local heap = first_slots(daemon, request, from, to, pause)
  while heap[1] and #out < limit do
    local top = heap[1]
    out[#out + 1] = {slot = top.slot, job = top.job}
    local following = calendar.next(top.job, top.slot)
    if following and following < to then
      top.slot = following
    else
      heap[1] = heap[#heap]
      heap[#heap] = nil
    end
    if heap[2] then sink(heap, 1) end
    pause()
  end
  return reply.list("UpcomingList", {}, out, function(entry)
    local job = entry.job
    return {job = job.name, namespace = job.namespace, slot = view.time(entry.slot, job.schedule:zone()),
      effect = job.schedule:effect(entry.slot), suspended = is_suspended(daemon, job, entry.slot) or nil,
      usual_seconds = view.did(daemon, job).seconds}
  end, pause, {from = view.time(from), to = view.time(to), complete = heap[1] == nil})
end

-- Jobs whose slots are the same for certain are looked at once.
local function groups_of(daemon, request, pause)
  local out, known, allowed = {}, {}, request.scope("list", "jobs")
  for _, job in ipairs(daemon.control.jobs) do
    if job.schedule and allowed(job.namespace) then
      local hashed = type(job.cron) == "table" or job.cron:find("[Hh@]")
      local key = not hashed and not job.days and not job.freezes and job.fingerprint or job.name
      if not known[key] then
        known[key] = {job = job, names = {}}
        out[#out + 1] = known[key]
      end
      table.insert(known[key].names, job.name)
    end
    pause()
  end
  return out
end

-- Adds a group's slots to the buckets. How many more slots may be looked at.
local function count(group, want, buckets, left, pause)
  local slot = calendar.next(group.job, want.from - 1)
  while slot and slot < want.to and left > 0 do
    local at = (slot - want.from) // want.step + 1
    buckets[at] = buckets[at] + #group.names
    left = left - 1
    slot = calendar.next(group.job, slot)
    pause()
  end
  return left
end

-- The seconds of the fullest bucket in which most jobs start.
local function peaks(groups, want, at, pause)
  local from, counts, names, slots = want.from + (at - 1) * want.step, {}, {}, {}
  for _, group in ipairs(groups) do
    local slot = calendar.next(group.job, from - 1)
    while slot and slot < math.min(from + want.step, want.to) do
      if not counts[slot] then counts[slot], names[slot], slots[#slots + 1] = 0, {}, slot end
      counts[slot] = counts[slot] + #group.names
      for i = 1, math.min(#group.names, NAMES - #names[slot]) do table.insert(names[slot], group.names[i]) end
      slot = calendar.next(group.job, slot)
      pause()
    end
  end
  table.sort(slots, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  local out = {}
  for i = 1, math.min(PEAKS, #slots) do
    out[i] = {slot = view.time(slots[i], want.zone), starts = counts[slots[i]], jobs = json.array(names[slots[i]])}
  end
  return json.array(out)
end

local function fullest(buckets)
  local at = 1
  for i, n in ipairs(buckets) do
    if n > buckets[at] then at = i end
  end
  return at
end

local function heat_wanted(request)
  local zone, step, refused
  zone, refused = query.zone(request, "UTC")
  if not zone then return nil, refused end
  step, refused = query.number(request, "step", 3600, 31 * DAY, 60)
  if not step then return nil, refused end
  local from, to = span(request, 7 * DAY, zone)
  if not from then return nil, to end
  if (to - from + step - 1) // step > MOST_BUCKETS then
    return nil, query.bad("step", ("step: at most %d buckets, so a longer step or a shorter span"):format(MOST_BUCKETS))
  end
  return {from = from, to = to, step = step, zone = zone}
end

function times.heatmap(daemon, request)
  local want, refused = heat_wanted(request)
  if not want then return refused end
  local pause, buckets, left = steps.new(), {}, MOST_COUNTED
  for i = 1, (want.to - want.from + want.step - 1) // want.step do buckets[i] = 0 end
  local groups = groups_of(daemon, request, pause)
  for _, group in ipairs(groups) do left = count(group, want, buckets, left, pause) end
  local at = fullest(buckets)
  return reply.json(200, {kind = "Heatmap", from = view.time(want.from, want.zone), to = view.time(want.to, want.zone),
    step = want.step, timezone = want.zone, buckets = json.array(buckets), most = buckets[at],
    complete = left > 0, peaks = left > 0 and peaks(groups, want, at, pause) or nil})
end

return times
