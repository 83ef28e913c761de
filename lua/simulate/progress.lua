-- A bar on stderr while virtual time goes on, where stderr is a terminal.
local clock = require "clock"
local sys = require "sys"
local task = require "task"

local progress = {}
progress.__index = progress

local STEPS <const> = 100
local WIDTH <const> = 40

function progress.new(from, to)
  return setmetatable({from = from, to = to, shown = sys.isatty(2)}, progress)
end

function progress:draw()
  local part = (clock.now() - self.from) / (self.to - self.from)
  local filled = math.floor(part * WIDTH)
  io.stderr:write(("\r[%s%s] %3d%%  %s "):format(("#"):rep(filled), (" "):rep(WIDTH - filled), math.floor(part * 100),
    clock.format(clock.now()):sub(1, 10)))
end

-- A task that draws a hundred times on the way.
function progress:start()
  if not self.shown then return end
  task.spawn(function()
    while self.shown do
      self:draw()
      task.sleep((self.to - self.from) / STEPS)
    end
  end)
end

function progress:clear()
  if self.shown then io.stderr:write "\r\27[K" end
  self.shown = false
end

return progress
