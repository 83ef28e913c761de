-- What the API orders: the commands of lua/control.lua, in the words of HTTP.
local clock = require "clock"
local crypto = require "crypto"
local json = require "json"
local names = require "names"
local reply = require "web.reply"
local requests = require "control.request"
local sys = require "sys"
local when = require "when"

local commands = {}

-- The body as a table; nil and an answer. Only JSON: a form of another site cannot send that unasked.
local function body_of(request)
  if request.body == "" then return {} end
  local type_given = request.headers["content-type"] or ""
  if not type_given:match "^application/json" then
    return nil, reply.error(415, "the body is application/json, and its Content-Type says so")
  end
  local body, problem = json.parse(request.body)
  if type(body) == "table" and not json.is_array(body) then return body end
  return nil, reply.error(400, "the body is no JSON object" ..
    (problem and (": line %d: %s"):format(problem.line or 0, problem.message) or ""))
end

-- Unix seconds, or a text that when.parse reads; sets body[name]. An answer, when it is neither.
local function read_time(body, name)
  local value = body[name]
  if value == nil or math.type(value) == "integer" then return nil end
  local t, message = when.parse(tostring(value), clock.now())
  body[name] = t
  if t then return nil end
  return reply.error(422, ("%s: %s"):format(name, message), {causes = {{field = name, message = message}}})
end

-- The same Idempotency-Key is the same request, so the same run.
local function id_of(request)
  local key = request.headers["idempotency-key"]
  if not key then return sys.random(8) end
  return requests.is_id(key) and key or crypto.sha256(key):sub(1, 16)
end

local function order(daemon, request, command, more)
  more.command, more.id, more.by = command, id_of(request), request.by
  local answer = daemon.control:handle(more)
  if answer.error then return nil, reply.error(422, answer.error) end
  return answer
end

-- f(daemon, request, body) behind the body; job: the segment's, checked before (lua/api.lua)
local function with_body(f)
  return function(daemon, request)
    local body, refused = body_of(request)
    if not body then return refused end
    for _, name in ipairs {"until", "from", "to"} do
      refused = read_time(body, name)
      if refused then return refused end
    end
    return f(daemon, request, body)
  end
end

commands.trigger = with_body(function(daemon, request, body)
  local answer, refused = order(daemon, request, "trigger", {job = request.job.name, args = body.args,
    reason = body.reason})
  if not answer then return refused end
  local run = names.request {instance = daemon.options.instance, namespace = request.job.namespace,
    job = request.job.name, request = answer.id}
  return reply.json(202, {job = request.job.name, id = answer.id, run = run, again = answer.again},
    {Location = "/v1/runs/" .. run})
end)

-- A command that is over when it is answered.
local function plain(command, fields, of_job)
  return with_body(function(daemon, request, body)
    local more = {job = of_job and request.job.name or nil}
    for _, field in ipairs(fields) do more[field] = body[field] end
    if command == "backfill" then more.dry_run = body.dryRun end
    local answer, refused = order(daemon, request, command, more)
    return answer and reply.json(command == "backfill" and not more.dry_run and 202 or 200, answer) or refused
  end)
end

commands.suspend = plain("suspend", {"reason", "until"}, true)
commands.resume = plain("resume", {}, true)
commands.backfill = plain("backfill", {"from", "to", "parallel", "max"}, true)
commands.pause = plain("suspend", {"reason", "until"}, false)
commands.unpause = plain("resume", {}, false)

commands.silence = plain("silence", {"reason", "until"}, true)
commands.unsilence = plain("unsilence", {}, true)

-- All jobs' alerts.
function commands.silence_all(daemon, request)
  request.job = {name = "all"}
  return commands.silence(daemon, request)
end

function commands.unsilence_all(daemon, request)
  request.job = {name = "all"}
  return commands.unsilence(daemon, request)
end

-- Slots that run go on; no more of them are started.
function commands.cancel_backfill(daemon, request)
  local id, under_way = request.segments.id, nil
  for _, each in ipairs(daemon.control.backfill:describe()) do
    if each.id == id then under_way = each end
  end
  local job = under_way and daemon.runner.jobs[under_way.job]
  if not under_way then
    return reply.error(404, ("there is no backfill '%s' under way"):format(id), {kind = "backfills", name = id})
  end
  local refused = request.refuse("delete", "jobs/backfill", job and job.namespace or "", under_way.job)
  if refused then return refused end
  local answer
  answer, refused = order(daemon, request, "backfill", {cancel = id})
  return answer and reply.json(200, answer) or refused
end

function commands.backfills(daemon, request)
  local allowed, out = request.scope("list", "jobs"), {}
  for _, each in ipairs(daemon.control.backfill:describe()) do
    local job = daemon.runner.jobs[each.job]
    if allowed(job and job.namespace or "") then out[#out + 1] = each end
  end
  return reply.json(200, {kind = "BackfillList", items = json.array(out)})
end

commands.body, commands.order = with_body, order

return commands
