-- How commands arrive at a daemon on the same machine: a Unix socket in its state folder, for its owner alone; one
-- line of JSON each way.
--   over.serve{path=, handle=function(request) -> answer} -> server, closed by server:close(); or nil, message
--   over.ask{path=, request=, seconds=} -> answer; or nil, message, code as socket.ask
local json = require "json"
local requests = require "control.request"
local socket = require "socket"
local sys = require "sys"

local over = {}

over.NAME = "control.sock"

local ROOM = 8 << 20 -- bytes of an answer, as core/loop/socket.h has it

-- The kernel says who asks, whatever the request says.
local function handle_line(options, line, uid)
  local request = json.parse(line)
  if type(request) == "table" then request.by = sys.user(uid) end
  return requests.encode(options.handle(request), ROOM)
end

function over.serve(options)
  return socket.serve(options.path, function(line, uid) return handle_line(options, line, uid) end)
end

local hints = {
  notfound = "no daemon listens at %s: is it running, and with the same --state-dir?",
  denied = "%s may not be opened: run this as the user of the daemon, or as root",
  timeout = "the daemon at %s did not answer in time: look at its log",
}

function over.ask(options)
  local line, message, code = socket.ask(options.path, json.encode(options.request), options.seconds)
  if not line then return nil, hints[code] and hints[code]:format(options.path) or message, code end
  local answer = json.parse(line)
  if type(answer) ~= "table" then return nil, "the daemon's answer is unreadable: look at its log", "failed" end
  return answer
end

return over
