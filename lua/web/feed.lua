-- What happens, told at once to those who listen: Server-Sent Events, with the last ones kept for who was away.
--   feed.new() -> f;  f:publish(event, data)   f:respond(request) -> an answer   f:close()   f:count()
-- An id is <our start>-<number>: with one of another daemon, or too old, the listener gets `event: reset` and asks
-- for all again.
local json = require "json"
local reply = require "web.reply"
local sys = require "sys"
local task = require "task"

local Feed = {}
Feed.__index = Feed

local RING, BEAT, MOST = 1000, 15, 64 -- events kept, seconds between comments, listeners

function Feed.new()
  return setmetatable({epoch = sys.random(4), last = 0, ring = {}, listeners = {}}, Feed)
end

function Feed:count()
  local n = 0
  for _ in pairs(self.listeners) do n = n + 1 end
  return n
end

-- Who cannot keep up is cut by the server, and comes back with the last id it saw.
function Feed:publish(event, data)
  self.last = self.last + 1
  local text = ("id: %s-%d\nevent: %s\ndata: %s\n\n"):format(self.epoch, self.last, event, json.encode(data))
  self.ring[self.last % RING] = text
  for out in pairs(self.listeners) do
    if not out:write(text) then self.listeners[out] = nil end
  end
end

-- What came after the id; the request to start anew where that is not known any more.
function Feed:since(id)
  local epoch, number = (id or ""):match "^(%x+)-(%d+)$"
  number = math.tointeger(tonumber(number))
  if epoch ~= self.epoch or number > self.last or number < self.last - RING then
    return ("id: %s-%d\nevent: reset\ndata: {}\n\n"):format(self.epoch, self.last)
  end
  local out = {}
  for i = number + 1, self.last do out[#out + 1] = self.ring[i % RING] end
  return table.concat(out)
end

function Feed:respond(request)
  if self:count() >= MOST then
    return reply.error(503, ("%d clients listen already"):format(MOST), {retryAfterSeconds = 30})
  end
  local id = request.headers["last-event-id"] or request.query.after
  return {headers = {["Content-Type"] = "text/event-stream", ["Cache-Control"] = "no-cache",
    ["X-Accel-Buffering"] = "no"}, stream = function(out)
      out:write("retry: 2000\n\n" .. self:since(id))
      self.listeners[out] = true
      repeat task.sleep(BEAT) until self.closed or not out:write ": here\n\n"
      self.listeners[out] = nil
    end}
end

-- Tells that we go, and that another is to be asked soon.
function Feed:close()
  for out in pairs(self.listeners) do out:write "event: bye\nretry: 1000\ndata: {}\n\n" end
  self.closed, self.listeners = true, {}
end

return Feed
