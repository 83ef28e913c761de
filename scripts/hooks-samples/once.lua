-- Alerts of each job's failures once in an hour, however many there are, and then says how many it kept back.
local HOUR <const> = 3600

function on_failed(event)
  local key = "once/" .. event.job
  local told = store.get(key) or {at = 0, more = 0}
  if os.time() - told.at < HOUR then
    store.set(key, {at = told.at, more = told.more + 1})
    return
  end
  store.set(key, {at = os.time(), more = 0})
  local more = told.more > 0 and (", after %d more that were not told"):format(told.more) or ""
  alert{title = event.job .. " failed" .. more, message = event.message}
end
