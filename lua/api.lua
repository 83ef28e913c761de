-- The API under /v1: its routes. lua/HTTP.md is for people; /v1/openapi.json, for programs, is made of them.
local ask = require "api.ask"
local bulk = require "api.bulk"
local commands = require "api.commands"
local draft = require "api.draft"
local jobs = require "api.jobs"
local openapi = require "api.openapi"
local reply = require "web.reply"
local runs = require "api.runs"
local times = require "api.times"
local view = require "api.view"
local whole = require "api.whole"

local api = {}

local SLOT = {slot = "unix seconds, or a time such as 2026-11-24T08:00:00Z"}
local SPAN = {from = "default: now", to = "exclusive"}
local ORDER = {reason = "string", ["until"] = "string"}
local PLACE = "/v1/jobs/{namespace}/{job}"

local function with(query, more)
  local out = {}
  for _, each in ipairs {query, more} do
    for name, text in pairs(each) do out[name] = text end
  end
  return out
end

local of_runs = {limit = "100, at most 1000", continue = "of the page before", outcome = "only these, a,b: " ..
  "succeeded, failed, timeout, start_failed, evicted, lost, deleted, unknown, skipped, missed", trigger = "only of it",
  since = "recorded since", ["until"] = "recorded before", state = "open: under way or waiting; over"}

-- {METHOD, PATH, handler, summary=, may={verb, resource}, query={name=description}, body={name=type}, any=: a standby
-- answers too}. may: of the path's job, else in all namespaces; a list that shows only what may be seen has none.
local routes = {
  {"GET", "/v1/jobs", jobs.list, summary = "Jobs, in pages", query = {limit = "rows, 100, at most 500",
    continue = "of the page before", q = "text in name or description", namespace = "only of it",
    label = "of the template: key=value, key!=value, key, !key, with commas", failed = "the last run failed",
    failed_since = "a run failed since", active = "a run is under way", recent = "runs in each row, 20, at most 100",
    state = "enabled, disabled, suspended or failing", sort = "name, next or last; -name the other way round"}},
  {"GET", PLACE, jobs.one, summary = "A job", may = {"get", "jobs"}},
  {"GET", PLACE .. "/next", jobs.next, summary = "Its next slots", may = {"get", "jobs"}, query = {
    count = "10, at most 1000", from = "slots after it", timezone = "to show them in"}},
  {"GET", PLACE .. "/runs", runs.of_job, summary = "Its runs, and slots that did not run, newest first",
    may = {"get", "runs"}, query = of_runs},
  {"GET", PLACE .. "/explain", jobs.explain, summary = "Why a slot ran, or did not", may = {"get", "jobs"},
    query = SLOT},
  {"GET", PLACE .. "/manifest", jobs.manifest, summary = "What would be created", may = {"get", "jobs"}, query = SLOT},
  {"POST", PLACE .. "/trigger", commands.trigger, summary = "Runs it now; the same Idempotency-Key is the same run",
    may = {"create", "jobs/trigger"}, body = {args = "array", reason = "string"}},
  {"POST", PLACE .. "/suspend", commands.suspend, summary = "Its slots are skipped", may = {"update", "jobs/suspend"},
    body = ORDER},
  {"POST", PLACE .. "/resume", commands.resume, summary = "Ends that", may = {"update", "jobs/suspend"}, body = {}},
  {"POST", PLACE .. "/silence", commands.silence, summary = "No alerts of it until then",
    may = {"update", "jobs/silence"}, body = ORDER},
  {"POST", PLACE .. "/unsilence", commands.unsilence, summary = "Ends that", may = {"update", "jobs/silence"},
    body = {}},
  {"POST", PLACE .. "/backfill", commands.backfill, summary = "Runs the slots after from, up to to",
    may = {"create", "jobs/backfill"}, body = {from = "string", to = "string", parallel = "integer", max = "integer",
      reason = "string", dryRun = "boolean"}},
  {"GET", "/v1/backfills", commands.backfills, summary = "Backfills under way"},
  {"DELETE", "/v1/backfills/{id}", commands.cancel_backfill, summary = "Starts no more of its slots"},
  {"POST", "/v1/bulk", bulk, summary = "One order for many jobs, if as many are meant as expected", body = {
    action = "string", jobs = "array", filter = "object", expect = "integer", dryRun = "boolean", reason = "string",
    ["until"] = "string", args = "array"}},
  {"POST", "/v1/commands", ask, summary = "What kube-scheduler --server asks, as on its other ways", body = {
    command = "string", job = "string"}},
  {"GET", "/v1/runs", runs.list, summary = "Runs of all jobs, newest first",
    query = with(of_runs, {job = "only of it", namespace = "only of it"})},
  {"GET", "/v1/runs/{id}", runs.one, summary = "A run, with the last lines of its output"},
  {"GET", "/v1/runs/{id}/log", runs.log, summary = "Its output", query = {follow = "until it is over",
    tail = "only so many of the last lines", since = "only lines since then, in a cluster",
    grep = "only lines with this text", timestamps = "before each line, in a cluster",
    container = "of a Pod with several"}},
  {"GET", "/v1/upcoming", times.upcoming, summary = "Slots to come, of all jobs", query = with(SPAN, {
    limit = "500, at most 2000", job = "only of it", namespace = "only of it"})},
  {"GET", "/v1/heatmap", times.heatmap, summary = "How many jobs start when, and where that is most at once",
    query = with(SPAN, {step = "seconds, 3600", timezone = "UTC"})},
  {"POST", "/v1/pause", commands.pause, summary = "All slots are skipped until then", may = {"update", "jobs/suspend"},
    body = ORDER},
  {"POST", "/v1/unpause", commands.unpause, summary = "Ends that", may = {"update", "jobs/suspend"}, body = {}},
  {"POST", "/v1/silence", commands.silence_all, summary = "No alerts until then", may = {"update", "jobs/silence"},
    body = ORDER},
  {"POST", "/v1/unsilence", commands.unsilence_all, summary = "Ends that", may = {"update", "jobs/silence"}, body = {}},
  {"POST", "/v1/check", draft.check, summary = "The mistakes of a schedule.yml, which is the body", any = true,
    may = {"list", "jobs"}},
  {"POST", "/v1/diff", draft.diff, summary = "What that schedule.yml would change", any = true, may = {"list", "jobs"}},
  {"GET", "/v1/audit", whole.audit, summary = "Who ordered what, newest first", may = {"list", "audit"},
    query = {limit = "100, at most 1000", continue = "of the page before", job = "only of it", by = "only theirs"}},
  {"GET", "/v1/status", whole.status, summary = "Who leads, and what is under way", may = {"get", "status"}},
  {"GET", "/v1/whoami", whole.whoami, summary = "Who asks, and what they may do", any = true},
}

-- The path's job in request.job; or an answer.
local function find_job(daemon, request)
  local name, namespace = request.segments.job, request.segments.namespace
  local job, problem = daemon.control:wanted(name)
  if job and job.namespace ~= namespace then
    job, problem = nil, ("job '%s' is in namespace %s"):format(job.name, job.namespace)
  end
  request.job = job
  return not job and reply.error(404, problem, {kind = "jobs", name = name}) or nil
end

-- What is changed must still be what the client saw: If-Match has the ETag of the job, as GET gave it.
local function outdated(daemon, request)
  local tag = request.headers["if-match"]
  if request.method == "GET" or not tag or tag == "*" then return nil end
  if tag == reply.tag(jobs.one(daemon, request).body) then return nil end
  return reply.error(412, "the job is not any more as If-Match has it: look again")
end

-- Before the handler: whether we may answer at all, which job is meant, and whether they may.
local function guarded(daemon, route)
  local handler, may = route[3], route.may
  return function(request)
    if not route.any and not daemon.lead.begun then
      return reply.error(503, "this daemon does not lead: ask again, or another", {retryAfterSeconds = 2})
    end
    local of_job = request.segments.job ~= nil
    local refusal = may and request.refuse(may[1], may[2], of_job and request.segments.namespace or "",
      request.segments.job) or of_job and find_job(daemon, request) or of_job and outdated(daemon, request)
    return refusal or handler(daemon, request)
  end
end

-- feed: of lua/web/feed.lua
function api.routes(daemon, feed)
  local out = {}
  for i, route in ipairs(routes) do
    out[i] = with(route, {[3] = guarded(daemon, route)})
  end
  out[#out + 1] = {"GET", "/v1/events", function(request)
    return request.refuse("watch", "runs") or feed:respond(request)
  end, summary = "What happens, as Server-Sent Events", query = {after = "the last id seen, as Last-Event-ID"}}
  local document = openapi.of(out)
  out[#out + 1] = {"GET", "/v1/openapi.json", function() return reply.json(200, document) end, summary = "This"}
  return out
end

-- What happens goes to those who listen.
function api.tell(daemon, feed)
  local function of_run(event, run) feed:publish(event, view.run(run)) end
  daemon.runner:listen(function(what, run) of_run(what == "asked" and "created" or what, run) end)
  daemon.history:listen(function(record, _, rebuilt)
    if not rebuilt then of_run("finished", record) end
  end)
  daemon.control:listen(function(order) feed:publish("command", order) end)
  function daemon.on_look(configuration) feed:publish("reload", configuration) end
end

return api
