-- A run's output over HTTP: from the Pod or the state folder; where that is gone, the last lines that the history kept.
local logs = require "logs"
local reply = require "web.reply"

local log = {}

local TYPE = {["Content-Type"] = "text/plain; charset=utf-8", ["X-Content-Type-Options"] = "nosniff",
  ["Cache-Control"] = "no-store"}

local function source_of(daemon, namespace)
  local options = {instance = daemon.options.instance, namespace = namespace, state_dir = daemon.options.state_dir}
  if daemon.where.kind == "local" then return logs.files(options), true end
  return logs.cluster(daemon.where.client, options), false
end

-- Files are read by our own task, which may wait for the client; a Pod's lines come as they come.
local function writer(out, waits)
  return function(piece)
    if not out:write(piece) and waits then error(reply.GONE) end
    if waits and not out:drain() then error(reply.GONE) end
  end
end

-- run: {id=, namespace=, log_tail= or nil}
function log.respond(daemon, run, follow)
  local source, waits = source_of(daemon, run.namespace)
  local found, message = source:find(run.id)
  if found then
    return {headers = TYPE, stream = function(out)
      local done, problem = source:copy(found, follow, writer(out, waits))
      if not done then error(problem) end
    end}
  end
  if not run.log_tail then return reply.error(404, message, {kind = "log", name = run.id}) end
  local headers = {["X-Log"] = "tail"}
  for name, value in pairs(TYPE) do headers[name] = value end
  return {headers = headers, body = table.concat(run.log_tail, "\n") .. "\n"}
end

return log
