-- A run's output over HTTP: from the Pod or the state folder; where that is gone, the last lines that the history kept.
local logs = require "logs"
local query = require "api.query"
local reply = require "web.reply"

local log = {}

local TYPE = {["Content-Type"] = "text/plain; charset=utf-8", ["X-Content-Type-Options"] = "nosniff",
  ["Cache-Control"] = "no-store"}

local function source_of(daemon, run)
  local options = {instance = daemon.options.instance, namespace = run.namespace, container = run.container,
    state_dir = daemon.options.state_dir}
  if daemon.where.kind ~= "kubernetes" then return logs.files(options) end
  return logs.cluster(daemon.where.client, options)
end

-- Only whole lines that hold the text go on.
local function grep(text, write)
  local rest = ""
  return function(piece)
    local lines = {}
    rest = rest .. piece
    local at = 1
    for line, following in rest:gmatch "([^\n]*\n)()" do
      if line:find(text, 1, true) then lines[#lines + 1] = line end
      at = following
    end
    rest = rest:sub(at)
    return #lines == 0 or write(table.concat(lines))
  end
end

-- Waits for the client where the source can wait, which that of a followed Pod cannot: there who is too slow is cut.
local function writer(out, waits, how)
  local function write(piece)
    return out:write(piece) ~= nil and (not waits or out:drain() ~= nil)
  end
  return how.grep and grep(how.grep, write) or write
end

local function last_lines(run, how)
  local headers, lines = {["X-Log"] = "tail"}, {}
  for name, value in pairs(TYPE) do headers[name] = value end
  for _, line in ipairs(run.log_tail) do
    if not how.grep or line:find(how.grep, 1, true) then lines[#lines + 1] = line .. "\n" end
  end
  if how.tail then lines = table.move(lines, math.max(1, #lines - how.tail + 1), #lines, 1, {}) end
  return {headers = headers, body = table.concat(lines)}
end

-- run: {id=, namespace=, container=, log_tail= or nil}; how: {follow=, tail=, since=, grep=, timestamps=}
function log.respond(daemon, run, how)
  local is_local = daemon.where.kind ~= "kubernetes"
  if is_local and (how.since or how.timestamps) then
    return query.bad("since", "since, timestamps: lines of the local executor carry no time")
  end
  if how.follow and (how.tail or how.since or how.timestamps) and not is_local then
    return query.bad("follow", "follow: in a cluster it goes with grep only")
  end
  local source = source_of(daemon, run)
  local found, message = source:find(run.id)
  if found then
    return {headers = TYPE, stream = function(out)
      local write = writer(out, is_local or not how.follow, how)
      local done, problem = source:copy(found, how, write)
      if not done then error(problem) end
      if how.grep then write "\n" end -- ends a last line that has no end of its own
    end}
  end
  if not run.log_tail then return reply.error(404, message, {kind = "log", name = run.id}) end
  return last_lines(run, how)
end

return log
