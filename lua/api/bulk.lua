-- One order for many jobs: those that are named, or all that a list's filters find.
--   {action=, jobs={"namespace/name", …} or filter={…}, expect=: how many are meant, dryRun=, reason=, until=, args=}
local choose = require "api.choose"
local commands = require "api.commands"
local json = require "json"
local query = require "api.query"
local reply = require "web.reply"
local steps = require "steps"

local actions = {
  trigger = {"create", "jobs/trigger"}, suspend = {"update", "jobs/suspend"}, resume = {"update", "jobs/suspend"},
  silence = {"update", "jobs/silence"}, unsilence = {"update", "jobs/silence"},
}

local SAMPLE <const> = 20

-- Those that are named; nil and an answer when one is not there.
local function named(daemon, list)
  if not json.is_array(list) then return nil, query.bad("jobs", "jobs: a list of namespace/name expected") end
  local out, known = {}, {}
  for _, name in ipairs(list) do
    local namespace, short = tostring(name):match "^([^/]+)/(.+)$"
    local job = short and daemon.runner.jobs[short]
    if not job or job.namespace ~= namespace then
      return nil, query.bad("jobs", ("there is no job '%s'"):format(name))
    end
    if not known[job.name] then out[#out + 1], known[job.name] = job, true end
  end
  return out
end

local function filtered(daemon, want, pause)
  if type(want) ~= "table" then return nil, query.bad("filter", 'filter: an object such as {"q": "pi"} expected') end
  local filter, field, message = choose.filter(want)
  if not filter then return nil, query.bad(field, message) end
  local out = {}
  for _, job in ipairs(daemon.control.jobs) do
    if filter(daemon, job) then out[#out + 1] = job end
    pause()
  end
  return out
end

local function chosen(daemon, body, pause)
  if (body.jobs == nil) == (body.filter == nil) then
    return nil, query.bad("jobs", "either jobs or filter says which are meant")
  end
  if body.jobs then return named(daemon, body.jobs) end
  return filtered(daemon, body.filter, pause)
end

local function names_of(jobs, most)
  local out = {}
  for i = 1, math.min(#jobs, most) do out[i] = jobs[i].namespace .. "/" .. jobs[i].name end
  return json.array(out)
end

-- Whoever may not do it to one of them does it to none.
local function refused(request, jobs, action, pause)
  for _, job in ipairs(jobs) do
    local refusal = request.refuse(action[1], action[2], job.namespace, job.name)
    if refusal then return refusal end
    pause()
  end
end

-- Suspensions are written at once, for each write may take a while; the others are orders of their own.
local function follow(daemon, request, body, jobs, pause)
  local failed = {}
  local function fail(job, refusal)
    failed[#failed + 1] = {job = job.namespace .. "/" .. job.name, message = json.parse(refusal.body).message}
  end
  if body.action == "suspend" or body.action == "resume" then
    local names = {}
    for i, job in ipairs(jobs) do names[i] = job.name end
    local answer, refusal = commands.order(daemon, request, body.action, {jobs = names, reason = body.reason,
      ["until"] = body["until"]})
    return answer and failed, refusal
  end
  for _, job in ipairs(jobs) do
    local answer, refusal = commands.order(daemon, request, body.action, {job = job.name, reason = body.reason,
      ["until"] = body["until"], args = body.args})
    if not answer then fail(job, refusal) end
    pause()
  end
  return failed
end

return commands.body(function(daemon, request, body)
  local action, pause = actions[body.action], steps.new()
  if not action then
    return query.bad("action", "action: trigger, suspend, resume, silence or unsilence expected")
  end
  local jobs, refusal = chosen(daemon, body, pause)
  if not jobs then return refusal end
  refusal = refused(request, jobs, action, pause)
  if refusal then return refusal end
  if body.dryRun then return reply.json(200, {count = #jobs, jobs = names_of(jobs, SAMPLE)}) end
  if body.expect ~= nil and body.expect ~= #jobs then
    return reply.error(409, ("%d jobs are meant now, not %s: nothing was done"):format(#jobs, tostring(body.expect)))
  end
  local failed
  failed, refusal = follow(daemon, request, body, jobs, pause)
  if not failed then return refusal end
  return reply.json(200, {action = body.action, count = #jobs, failed = json.array(failed)})
end)
