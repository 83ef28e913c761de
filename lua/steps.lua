-- Long work in short steps, so that what is due meanwhile is not kept waiting: whoever has much to do calls the
-- function after each piece of it.
--   local pause = steps.new()
--   for … do …; pause() end
local clock = require "clock"
local task = require "task"

local steps = {}

local LONGEST <const> = 0.002     -- seconds; a step of the garbage collector may come on top
local PIECES_TO_LOOK <const> = 8  -- a look at the clock costs something too

-- options: {now=, wait=}, for tests.
function steps.new(options)
  local now, wait = options and options.now or clock.monotonic, options and options.wait or task.sleep
  local pieces, began = 0, now()
  return function()
    pieces = pieces + 1
    if pieces % PIECES_TO_LOOK ~= 0 or now() - began < LONGEST then return end
    wait(0)
    began = now()
  end
end

return steps
