-- run --record FILE: every event that hooks are told or asked about, as a line {"at":…, "hook":…, "event":{…}} at the
-- end of the file, for kube-scheduler replay. Bounded, and the first write that fails is the last: a full disk costs a
-- log line. The file belongs on a local disk, since it is written on the loop's thread.
--   local record = recorder.open(path);  record(hook, event)
local clock = require "clock"
local json = require "json"
local log = require "log"

local recorder = {}

local MAX_BYTES <const> = 64 << 20

-- open, max_bytes: for tests.
function recorder.open(path, open, max_bytes)
  max_bytes = max_bytes or MAX_BYTES
  local file, wrong = (open or io.open)(path, "a")

  local function stop(why)
    log.error("events are recorded no more", {file = path, error = why})
    if file then file:close() end
    file = nil
  end

  if not file then
    stop(wrong)
  else
    file:setvbuf "no" -- a line is written whole, and an error is seen at once
  end
  local bytes = file and file:seek "end" or 0

  return function(hook, event)
    if not file then return end
    local line = json.encode {at = clock.now(), hook = hook, event = event} .. "\n"
    if bytes + #line > max_bytes then return stop(("it has %d bytes, and may have %d"):format(bytes, max_bytes)) end
    local written, why = file:write(line)
    if not written then return stop(why) end
    bytes = bytes + #line
  end
end

return recorder
