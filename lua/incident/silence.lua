-- Silences: a job's alerts, or all, are not sent until an end. What happens meanwhile is kept: what is still wrong at
-- the end is sent then. Ends of what was told before go out all the same.
local clock = require "clock"

local silence = {}

silence.ALL = "*"

local LONGEST = 30 * 86400 -- seconds

-- The order of a request {until=, reason=, by=}; or nil and what is wrong.
function silence.order(request, now)
  local till = request["until"]
  if math.type(till) ~= "integer" then return nil, "a silence needs an end: --until TIME" end
  if till <= now then
    return nil, ("--until %s is past: it is %s now"):format(clock.format(till), clock.format(now))
  end
  if till > now + LONGEST then return nil, "a silence lasts 30 days at most" end
  if type(request.reason) ~= "string" or not request.reason:find "%S" then
    return nil, "a silence needs a reason: --reason TEXT"
  end
  return {["until"] = till, reason = request.reason, by = request.by, since = now}
end

-- The silences as they are with one entry changed; those that are over go.
function silence.with(silences, name, order, now)
  local out = {}
  for each, old in pairs(silences) do
    if old["until"] > now then out[each] = old end
  end
  out[name] = order
  return out
end

function silence.holds(silences, job, now)
  for _, name in ipairs {job or "", silence.ALL} do
    if silences[name] and silences[name]["until"] > now then return true end
  end
  return false
end

return silence
