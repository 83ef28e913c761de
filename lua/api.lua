-- The API under /v1: its routes, and the handlers that only look. What they order: lua/api/commands.lua. lua/HTTP.md is
-- for people, /v1/openapi.json for programs; it is made of the routes below.
local clock = require "clock"
local commands = require "api.commands"
local json = require "json"
local list = require "api.list"
local log = require "api.log"
local names = require "names"
local openapi = require "api.openapi"
local preview = require "preview"
local reply = require "web.reply"
local task = require "task"
local template = require "template"
local view = require "api.view"
local when = require "when"

local api = {}

local get = {}

local MOST_SLOTS, MOST_RUNS = 1000, 1000
local JOBS_AT_ONCE = 500

local function bad(field, message)
  return reply.error(400, message, {causes = {{field = field, message = message}}})
end

-- A whole number of the query from 1 to most.
local function number(request, name, otherwise, most)
  local value = request.query[name]
  if not value then return otherwise end
  local n = math.tointeger(tonumber(value))
  if n and n >= 1 and n <= most then return n end
  return nil, bad(name, ("%s: a number from 1 to %d expected"):format(name, most))
end

-- An instant of the query: unix seconds, or as when.parse reads it.
local function instant(request, name, otherwise)
  local value = request.query[name]
  if not value then return otherwise end
  if value:match "^%d+$" then return math.tointeger(tonumber(value)) end
  local t, message = when.parse(value, clock.now())
  if t then return t end
  return nil, bad(name, name .. ": " .. message)
end

-- Jobs

local keys = {
  name = function(_, job) return job.name end,
  next = function(daemon, job) return view.next(daemon, job) or math.maxinteger end,
  last = function(daemon, job)
    local last = daemon.history:latest()[job.name]
    return last and (last.finished or last.at) or 0
  end,
}

local function wanted(daemon, job, query)
  local q = query.q and query.q:lower()
  if q and not (job.name .. "\n" .. (job.description or "")):lower():find(q, 1, true) then return false end
  if query.namespace and job.namespace ~= query.namespace then return false end
  return not query.state or view.state(daemon, job) == query.state
end

function get.jobs(daemon, request)
  local limit, problem = list.limit(request.query.limit)
  if not limit then return bad("limit", problem) end
  local minus, sort = (request.query.sort or "name"):match "^(%-?)(.*)$"
  if not keys[sort] then return bad("sort", "sort: name, next or last expected, with - for the other way round") end
  local entries = {}
  for i, job in ipairs(daemon.control.jobs) do
    if i % JOBS_AT_ONCE == 0 then task.sleep(0) end -- no slot waits for a long list
    if wanted(daemon, job, request.query) then
      entries[#entries + 1] = {key = keys[sort](daemon, job), name = job.name, job = job}
    end
  end
  local page, token, remaining = list.page(entries, limit, request.query.continue, minus == "-")
  if not page then return bad("continue", token) end
  local items = {}
  for i, entry in ipairs(page) do items[i] = view.job(daemon, entry.job) end
  return reply.json(200, {kind = "JobList", metadata = {continue = token, remainingItemCount = remaining},
    items = json.array(items)})
end

function get.job(daemon, request)
  local out = view.job(daemon, request.job)
  out.words = request.job.schedule and request.job.schedule:describe()
  out.place = ("%s:%d"):format(request.job.file, request.job.line)
  return reply.json(200, out)
end

function get.next(_, request)
  local count, from, refused
  count, refused = number(request, "count", 10, MOST_SLOTS)
  if not count then return refused end
  from, refused = instant(request, "from", clock.now())
  if not from then return refused end
  local subject, items = preview.job(request.job), {}
  local zone = request.query.timezone or subject.zone
  local known, message = when.parse("now", clock.now(), zone)
  if not known then return bad("timezone", message) end
  for i, slot in ipairs(preview.slots(subject, from, count)) do
    items[i] = preview.plain(preview.record(subject, slot, zone))
  end
  return reply.json(200, {kind = "SlotList", job = request.job.name, timezone = zone, items = json.array(items)})
end

function get.explain(daemon, request)
  local slot, refused = instant(request, "slot")
  if refused then return refused end
  if not slot then return bad("slot", "slot: which? a time expected") end
  local answer = daemon.control:handle {command = "why", id = "http", job = request.job.name, slot = slot}
  if answer.error then return reply.error(422, answer.error) end
  return reply.json(200, {job = answer.job, slot = view.time(answer.slot), verdict = answer.verdict, text = answer.text,
    run = answer.record and view.run(answer.record) or answer.run and {id = answer.run} or nil})
end

function get.manifest(daemon, request)
  local job = request.job
  local slot, refused = instant(request, "slot", job.schedule and job.schedule:next(clock.now()) or clock.now())
  if refused then return refused end
  local name = names.slot {instance = daemon.options.instance, namespace = job.namespace, job = job.name, slot = slot,
    attempt = 0}
  return reply.json(200, template.render(template.of(job), {job = job.name, name = name,
    instance = daemon.options.instance, slot = slot, attempt = 0, trigger = "schedule"}))
end

-- Runs

local function active_runs(daemon, job)
  local out = {}
  for _, run in ipairs(daemon.registry:runs()) do
    if run.state ~= "finished" and run.state ~= "skipped" and (not job or run.job == job) then out[#out + 1] = run end
  end
  return out
end

-- Under way first, then what is over, newest first.
local function runs_of(daemon, request, job)
  local limit, refused = number(request, "limit", 100, MOST_RUNS)
  if not limit then return refused end
  local items, outcome = {}, request.query.outcome
  local function add(run)
    if #items < limit and (not outcome or run.outcome == outcome) then items[#items + 1] = view.run(run) end
  end
  for _, run in ipairs(active_runs(daemon, job)) do add(run) end
  for _, record in ipairs(daemon.history:list {job = job, limit = MOST_RUNS}) do add(record) end
  return reply.json(200, {kind = "RunList", items = json.array(items)})
end

function get.job_runs(daemon, request) return runs_of(daemon, request, request.job.name) end

function get.runs(daemon, request) return runs_of(daemon, request, request.query.job) end

local function find_run(daemon, id)
  for _, run in ipairs(active_runs(daemon)) do
    if run.name == id then return run end
  end
  local record = daemon.history:named(id)
  if record then return record end
  return nil, reply.error(404, ("there is no run '%s', or it is not remembered any more"):format(id),
    {kind = "runs", name = id})
end

function get.run(daemon, request)
  local run, refused = find_run(daemon, request.segments.id)
  if not run then return refused end
  local out = view.run(run)
  out.log_tail = run.log_tail and json.array(run.log_tail)
  return reply.json(200, out)
end

function get.log(daemon, request)
  local run, refused = find_run(daemon, request.segments.id)
  if not run then return refused end
  local follow = request.query.follow
  return log.respond(daemon, {id = request.segments.id, namespace = run.namespace, log_tail = run.log_tail},
    follow ~= nil and follow ~= "false" and follow ~= "0")
end

-- The whole

function get.status(daemon)
  local answer = daemon.control:handle {command = "status", id = "http"}
  if answer.error then return reply.error(500, answer.error) end
  return reply.json(200, answer)
end

local SLOT = {slot = "unix seconds, or a time such as 2026-11-24T08:00:00Z"}
local PLACE = "/v1/jobs/{namespace}/{job}"

-- {METHOD, PATH, handler, summary=, query={name=description}, body={name=type}, any=: a standby answers too}
local routes = {
  {"GET", "/v1/jobs", get.jobs, summary = "Jobs, in pages", query = {limit = "rows, 100, at most 500",
    continue = "of the page before", q = "text in name or description", namespace = "only of it",
    state = "enabled, disabled, suspended or failing", sort = "name, next or last; -name the other way round"}},
  {"GET", PLACE, get.job, summary = "A job"},
  {"GET", PLACE .. "/next", get.next, summary = "Its next slots", query = {count = "10, at most 1000",
    from = "slots after it", timezone = "to show them in"}},
  {"GET", PLACE .. "/runs", get.job_runs, summary = "Its runs, and slots that did not run, newest first",
    query = {limit = "100, at most 1000", outcome = "only of it"}},
  {"GET", PLACE .. "/explain", get.explain, summary = "Why a slot ran, or did not", query = SLOT},
  {"GET", PLACE .. "/manifest", get.manifest, summary = "What would be created", query = SLOT},
  {"POST", PLACE .. "/trigger", commands.trigger, summary = "Runs it now; the same Idempotency-Key is the same run",
    body = {args = "array", reason = "string"}},
  {"POST", PLACE .. "/suspend", commands.suspend, summary = "Its slots are skipped", body = {reason = "string",
    ["until"] = "string"}},
  {"POST", PLACE .. "/resume", commands.resume, summary = "Ends that", body = {}},
  {"POST", PLACE .. "/backfill", commands.backfill, summary = "Runs the slots after from, up to to", body = {
    from = "string", to = "string", parallel = "integer", max = "integer", dryRun = "boolean"}},
  {"GET", "/v1/runs", get.runs, summary = "Runs of all jobs, newest first", query = {job = "only of it",
    limit = "100, at most 1000", outcome = "only of it"}},
  {"GET", "/v1/runs/{id}", get.run, summary = "A run, with the last lines of its output"},
  {"GET", "/v1/runs/{id}/log", get.log, summary = "Its output", query = {follow = "until it is over"}},
  {"POST", "/v1/pause", commands.pause, summary = "All slots are skipped until then", body = {reason = "string",
    ["until"] = "string"}},
  {"POST", "/v1/unpause", commands.unpause, summary = "Ends that", body = {}},
  {"POST", "/v1/check", commands.check, summary = "The mistakes of a schedule.yml, which is the body", any = true},
  {"GET", "/v1/status", get.status, summary = "Who leads, and what is under way"},
}

-- Before the handler: whether we may answer at all, and which job is meant.
local function guarded(daemon, route)
  local handler, any = route[3], route.any
  return function(request)
    if not any and not daemon.lead.begun then
      return reply.error(503, "this daemon does not lead: ask again, or another", {retryAfterSeconds = 2})
    end
    local segments = request.segments
    if segments.job then
      local job, problem = daemon.control:wanted(segments.job)
      if job and job.namespace ~= segments.namespace then
        job, problem = nil, ("job '%s' is in namespace %s"):format(job.name, job.namespace)
      end
      if not job then return reply.error(404, problem, {kind = "jobs", name = segments.job}) end
      request.job = job
    end
    return handler(daemon, request)
  end
end

-- feed: of lua/web/feed.lua
function api.routes(daemon, feed)
  local out = {}
  for i, route in ipairs(routes) do
    local copy = {}
    for key, value in pairs(route) do copy[key] = value end
    copy[3] = guarded(daemon, route)
    out[i] = copy
  end
  out[#out + 1] = {"GET", "/v1/events", function(request) return feed:respond(request) end,
    summary = "What happens, as Server-Sent Events", query = {after = "the last id seen, as Last-Event-ID"}}
  local document = openapi.of(out)
  out[#out + 1] = {"GET", "/v1/openapi.json", function() return reply.json(200, document) end, summary = "This"}
  return out
end

-- What happens goes to those who listen.
function api.tell(daemon, feed)
  daemon.runner:listen(function(what, run) feed:publish(what == "asked" and "created" or what, view.run(run)) end)
  daemon.history:listen(function(record, _, rebuilt)
    if not rebuilt then feed:publish("finished", view.run(record)) end
  end)
  daemon.control:listen(function(order) feed:publish("command", order) end)
end

return api
