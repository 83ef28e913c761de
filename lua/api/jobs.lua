-- Jobs over HTTP: the list, one job, its slots.
local calendar = require "calendar"
local choose = require "api.choose"
local clock = require "clock"
local json = require "json"
local list = require "api.list"
local names = require "names"
local preview = require "preview"
local query = require "api.query"
local reply = require "web.reply"
local steps = require "steps"
local template = require "template"
local view = require "api.view"

local jobs = {}

local MOST_ROWS <const>, MOST_SLOTS <const>, RECENT <const> = 500, 1000, 20

local keys = {
  name = function(_, job) return job.name end,
  next = function(daemon, job) return view.next(daemon, job) or math.maxinteger end,
  last = function(daemon, job)
    local last = daemon.history:latest()[job.name]
    return last and (last.finished or last.at) or 0
  end,
}

-- What the query says of which jobs are meant; an instant of it may be refused.
function jobs.wanted(request)
  local since, refused = query.instant(request, "failed_since")
  if refused then return nil, refused end
  local q = request.query
  local filter, field, message = choose.filter {q = q.q, namespace = q.namespace, label = q.label, state = q.state,
    failed = query.flag(request, "failed"), failed_since = since, active = query.flag(request, "active")}
  if not filter then return nil, query.bad(field, message) end
  return filter
end

-- The page that the query asks for, with its rows.
local function collect(daemon, request, limit, filter, pause)
  local minus, sort = (request.query.sort or "name"):match "^(%-?)(.*)$"
  local key = keys[sort]
  if not key then return nil, query.bad("sort", "sort: name, next or last expected, with - for the other way round") end
  local page, problem = list.page {limit = limit, token = request.query.continue, descending = minus == "-",
    keys = sort == "name" and "string" or "number"}
  if not page then return nil, query.bad("continue", problem) end
  local allowed = request.scope("list", "jobs")
  for _, job in ipairs(daemon.control.jobs) do
    if allowed(job.namespace) and filter(daemon, job) then page:add(key(daemon, job), job.name, job) end
    pause()
  end
  return page
end

function jobs.list(daemon, request)
  local limit, recent, refused, filter
  limit, refused = query.number(request, "limit", 100, MOST_ROWS)
  if not limit then return refused end
  recent, refused = query.number(request, "recent", RECENT, 100, 0)
  if not recent then return refused end
  filter, refused = jobs.wanted(request)
  if not filter then return refused end
  local pause = steps.new()
  local page
  page, refused = collect(daemon, request, limit, filter, pause)
  if not page then return refused end
  local found, token, remaining, total = page:finish()
  local past = daemon.history:recent(found, recent, pause)
  return reply.list("JobList", {continue = token, remainingItemCount = remaining, total = total}, found, function(job)
    return view.job(daemon, job, past[job.name] or {})
  end, pause)
end

function jobs.one(daemon, request)
  local job = request.job
  local out = view.job(daemon, job, daemon.history:recent({job}, RECENT, steps.new())[job.name] or {})
  out.place = ("%s:%d"):format(job.file, job.line)
  out.template, out.args, out.labels = job.template, job.args, json.object(choose.labels(job))
  out.may = json.array(request.rights(job))
  return reply.json(200, out)
end

function jobs.next(_, request)
  local count, from, zone, refused
  count, refused = query.number(request, "count", 10, MOST_SLOTS)
  if not count then return refused end
  local subject = preview.job(request.job)
  zone, refused = query.zone(request, subject.zone)
  if not zone then return refused end
  from, refused = query.instant(request, "from", clock.now(), zone)
  if not from then return refused end
  local pause, slots = steps.new(), {}
  local slot = request.job.schedule and calendar.next(request.job, from)
  while slot and #slots < count do
    slots[#slots + 1] = slot
    slot = calendar.next(request.job, slot)
    pause()
  end
  return reply.list("SlotList", {}, slots, function(each)
    return preview.plain(preview.record(subject, each, zone))
  end, pause, {job = request.job.name, timezone = zone})
end

function jobs.explain(daemon, request)
  local slot, refused = query.instant(request, "slot")
  if refused then return refused end
  if not slot then return query.bad("slot", "slot: which? a time expected") end
  local answer = daemon.control:handle {command = "why", id = "http", job = request.job.name, slot = slot}
  if answer.error then return reply.error(422, answer.error) end
  return reply.json(200, {job = answer.job, slot = view.time(answer.slot), verdict = answer.verdict, text = answer.text,
    run = answer.record and view.run(answer.record) or answer.run and {id = answer.run} or nil})
end

function jobs.manifest(daemon, request)
  local job = request.job
  local slot, refused = query.instant(request, "slot", job.schedule and job.schedule:next(clock.now()) or clock.now())
  if refused then return refused end
  local name = names.slot {instance = daemon.options.instance, namespace = job.namespace, job = job.name, slot = slot,
    attempt = 0}
  return reply.json(200, template.render(template.of(job), {job = job.name, name = name,
    instance = daemon.options.instance, slot = slot, attempt = 0, trigger = "schedule"}))
end

return jobs
