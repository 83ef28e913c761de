-- Runs over HTTP, and the slots that did not run: those under way from the registry, the others from the history.
local json = require "json"
local log = require "api.log"
local pod = require "api.pod"
local query = require "api.query"
local reply = require "web.reply"
local steps = require "steps"
local view = require "api.view"

local runs = {}

local MOST <const> = 1000

-- Those under way or waiting that are wanted, newest slot first.
local function open_runs(daemon, wanted, pause)
  local out, place = {}, 0
  while place do
    local some
    some, place = daemon.registry:open_runs(place)
    for _, run in ipairs(some) do
      if wanted(run) then out[#out + 1] = run end
    end
    pause()
  end
  if #out <= MOST then table.sort(out, function(a, b) return a.slot > b.slot end) end
  return out
end

local function zone_of(daemon, name)
  local job = daemon.runner.jobs[name]
  return job and job.schedule and job.schedule:zone()
end

-- What the query asks for; nil and an answer when it cannot be.
local function asked(request)
  local limit, before, since, till, refused
  limit, refused = query.number(request, "limit", 100, MOST)
  if not limit then return nil, refused end
  before, refused = query.number(request, "continue", nil, math.maxinteger)
  if refused then return nil, refused end
  since, refused = query.instant(request, "since")
  if refused then return nil, refused end
  till, refused = query.instant(request, "until")
  if refused then return nil, refused end
  local state = request.query.state
  if state and state ~= "open" and state ~= "over" then
    return nil, query.bad("state", "state: open or over expected")
  end
  return {limit = limit, before = before, since = since, till = till, state = state,
    outcomes = query.set(request, "outcome")}
end

-- Under way first, on the first page, then what is over, newest first.
local function list(daemon, request, job, more)
  local want, refused = asked(request)
  if not want then return refused end
  local pause, allowed, out = steps.new(), request.scope("list", "runs"), {}
  local namespace, trigger = request.query.namespace, request.query.trigger
  local function accept(run)
    return allowed(run.namespace) and (not job or run.job == job) and (not namespace or run.namespace == namespace)
      and (not trigger or run.trigger == trigger)
  end
  if not (want.before or want.outcomes or want.since or want.till or want.state == "over") then
    out = table.move(open_runs(daemon, accept, pause), 1, want.limit, 1, {})
  end
  local open = #out
  if want.state ~= "open" then
    local past = daemon.history:page {job = job, limit = want.limit + 1 - open, before = want.before,
      outcomes = want.outcomes, since = want.since, till = want.till, accept = accept, pause = pause}
    table.move(past, 1, #past, #out + 1, out)
  end
  local token = #out > want.limit and out[want.limit].id or nil
  out[want.limit + 1] = nil
  return reply.list("RunList", {continue = token and tostring(token) or nil}, out, function(run)
    return view.run(run, zone_of(daemon, run.job))
  end, pause, more)
end

function runs.of_job(daemon, request) return list(daemon, request, request.job.name) end

function runs.list(daemon, request) return list(daemon, request, request.query.job) end

-- A run that is under way, or its record, which knows more once it is over.
local function find(daemon, id)
  local run = daemon.registry:named(id)
  if run and run.state ~= "finished" and run.state ~= "skipped" then return run end
  run = daemon.history:named(id) or run
  if run then return run end
  return nil, reply.error(404, ("there is no run '%s', or it is not remembered any more"):format(id),
    {kind = "runs", name = id})
end

-- The run, if it may be seen.
local function found(daemon, request, subresource)
  local run, refused = find(daemon, request.segments.id)
  if not run then return nil, refused end
  refused = request.refuse("get", subresource, run.namespace, run.job)
  if refused then return nil, refused end
  return run
end

function runs.one(daemon, request)
  local run, refused = found(daemon, request, "runs")
  if not run then return refused end
  local job = daemon.runner.jobs[run.job]
  local asked_for = run.data and json.parse(run.data) or {}
  local out = view.run(run, zone_of(daemon, run.job))
  local args = run.args or asked_for.args or job and job.args
  out.by, out.note = out.by or asked_for.by, run.note or asked_for.reason
  out.args = args and json.array(args)
  out.log_tail = run.log_tail and json.array(run.log_tail)
  out.job_known = job ~= nil
  out.usual_seconds = job and view.did(daemon, job).seconds
  if daemon.where.client then pod.add(daemon.where.client, run, out) end
  return reply.json(200, out)
end

function runs.log(daemon, request)
  local run, refused = found(daemon, request, "runs/log")
  if not run then return refused end
  local tail, since
  tail, refused = query.number(request, "tail", nil, 1000000)
  if refused then return refused end
  since, refused = query.instant(request, "since")
  if refused then return refused end
  local job = daemon.runner.jobs[run.job]
  return log.respond(daemon, {id = request.segments.id, namespace = run.namespace, log_tail = run.log_tail,
    container = request.query.container or job and job.main_container},
    {follow = query.flag(request, "follow"), tail = tail, since = since, grep = request.query.grep,
      timestamps = query.flag(request, "timestamps")})
end

return runs
