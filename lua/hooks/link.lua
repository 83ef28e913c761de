-- The daemon's end of one hook host: starts the child process, exchanges messages with it (lua/hooks/host.lua lists
-- them), and ends it at its deadline.
local cjson = require "cjson"
local process = require "process"
local task = require "task"

local link = {}
link.__index = link

local MEMORY <const> = 256 << 20 -- of addresses: above what the guard inside allows, for what it cannot see
-- Seconds beyond the deadline inside the host until it is killed from here.
local GRACE <const> = 0.3

local SIGNALS <const> = {[4] = "SIGILL", [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE", [9] = "SIGKILL",
  [11] = "SIGSEGV", [15] = "SIGTERM"}

-- on_log(text): what hooks print; on_stderr(line): what should never come.
-- env: the host's whole environment, so that no other secret of the daemon is in its reach.
-- unsent: a mirror of lua/hooks/store.lua.
function link.start(options)
  local child, message = process.spawn {
    argv = {"/proc/self/exe", "--hook-host"}, -- ourselves, also after an upgrade replaced the file
    env = options.env, limits = {memory = MEMORY}, on_stderr = options.on_stderr,
  }
  if not child then return nil, message end
  local self = setmetatable({child = child, on_log = options.on_log, unsent = options.unsent, alive = true}, link)
  task.spawn(function()
    child:wait()
    self.alive = false
  end)
  return self
end

function link:kill()
  self.alive = false
  self.child:kill(9)
end

function link:pid() return self.child:pid() end

-- What changed in the store since it was asked last, for the next message; nil: nothing.
function link:news()
  if next(self.unsent) == nil then return nil end
  local news = {}
  for key, text in pairs(self.unsent) do news[key], self.unsent[key] = text, nil end
  return news
end

function link:send(message) return self.child:write(cjson.encode(message) .. "\n") end

-- What became of the host (continues "the hook host …"), and whether it was its deadline. Waits for its end.
function link:obituary()
  self:kill()
  local code, signal, overdue = self.child:wait()
  if overdue then return "was killed: past its deadline, in what no guard inside Lua can stop", true end
  if signal ~= 0 then return ("was ended by %s"):format(SIGNALS[signal] or "signal " .. signal) end
  return ("ended with exit code %d"):format(code)
end

-- Sends a message and waits for its reply, at most `seconds` that hooks may compute and a little more. nil, why,
-- overdue: the host is gone.
function link:exchange(message, seconds)
  local sent = self:send(message)
  if sent then self.child:watchdog(seconds + GRACE) end
  while sent do
    local line = self.child:read_line()
    local ok, reply = pcall(cjson.decode, line)
    if not line or not ok then break end
    if reply.op ~= "log" then
      self.child:watchdog()
      return reply
    end
    self.on_log(reply.text)
  end
  return nil, self:obituary()
end

return link
