-- What is not about one job: how the daemon does, who ordered what, what drafts of the schedule would do.
local json = require "json"
local query = require "api.query"
local reply = require "web.reply"
local steps = require "steps"
local sys = require "sys"
local view = require "api.view"

local whole = {}

function whole.status(daemon)
  local answer = daemon.control:handle {command = "status", id = "http"}
  if answer.error then return reply.error(500, answer.error) end
  answer.version, answer.total = sys.version, #daemon.control.jobs
  return reply.json(200, answer)
end

-- Who asks, as far as we know, and what they may do everywhere.
function whole.whoami(_, request)
  return reply.json(200, {name = request.who.name, groups = request.who.groups and json.array(request.who.groups),
    auth = request.auth, may = json.array(request.rights())})
end

function whole.audit(daemon, request)
  local limit, before, refused
  limit, refused = query.number(request, "limit", 100, 1000)
  if not limit then return refused end
  before, refused = query.number(request, "continue", nil, math.maxinteger)
  if refused then return refused end
  local rows = daemon.audit:page {limit = limit + 1, before = before, job = request.query.job, by = request.query.by}
  local token = #rows > limit and tostring(rows[limit].id) or nil
  rows[limit + 1] = nil
  return reply.list("AuditList", {continue = token}, rows, function(row)
    return {at = view.time(row.at), command = row.command, job = row.job, by = row.by, reason = row.reason,
      request = row.request, detail = json.object(row.detail)}
  end, steps.new())
end

return whole
