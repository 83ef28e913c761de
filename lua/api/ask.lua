-- POST /v1/commands, for the command line: a request of lua/control.lua and its answer as they are on its other ways.
-- Each command needs the right that its own path needs.
local json = require "json"
local reply = require "web.reply"
local requests = require "control.request"
local sys = require "sys"

local rights = {
  jobs = {"list", "jobs"}, why = {"get", "jobs"}, history = {"list", "runs"}, run = {"get", "runs"},
  status = {"get", "status"}, trigger = {"create", "jobs/trigger"}, backfill = {"create", "jobs/backfill"},
  suspend = {"update", "jobs/suspend"}, resume = {"update", "jobs/suspend"}, silence = {"update", "jobs/silence"},
  unsilence = {"update", "jobs/silence"},
}

return function(daemon, request)
  local asked = json.parse(request.body)
  local right = type(asked) == "table" and rights[asked.command]
  if not right then return reply.error(422, "the body is no command that this daemon knows") end
  local job = type(asked.job) == "string" and daemon.control:wanted(asked.job) or nil
  local refused = request.refuse(right[1], right[2], job and job.namespace or "", job and job.name)
  if refused then return refused end
  asked.by = request.by
  if not requests.is_id(asked.id) then asked.id = sys.random(8) end
  return reply.json(200, daemon.control:handle(asked))
end
