-- Long work in slices, so that no slot waits for it: the function that slice() gives lets others go first whenever
-- that much time is used up. It costs little, so it is called for each row.
--   local pause = slice();  for … do …; pause() end
local clock = require "clock"
local task = require "task"

local SECONDS <const> = 0.002

return function()
  local ends = clock.monotonic() + SECONDS
  return function()
    if clock.monotonic() < ends then return end
    task.sleep(0)
    ends = clock.monotonic() + SECONDS
  end
end
