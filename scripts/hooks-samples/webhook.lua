-- Tells a webhook of each failure: copy into the hooks folder, and set HOOK_WEBHOOK_URL in the daemon's environment.
-- {"text": …} is what Slack, Mattermost, Rocket.Chat and Google Chat want.
local url = os.getenv("HOOK_WEBHOOK_URL")
if not url then error("set HOOK_WEBHOOK_URL to the address to tell", 0) end

local LINES <const> = 10 -- of what the job printed last

local function last_lines(event)
  local tail = event.log_tail or {}
  return table.concat({table.unpack(tail, math.max(1, #tail - LINES + 1), #tail)}, "\n")
end

function on_failed(event)
  local why = event.exit_code and ("exit code %d"):format(event.exit_code) or event.reason or event.outcome
  local text = ("%s failed (%s): run %s, slot %s"):format(event.job, why, event.run, event.slot_time)
  local lines = last_lines(event)
  http.post{url = url, json = {text = lines == "" and text or text .. "\n" .. lines}}
end
