-- A sign of life each minute from the daemon that leads and decides slots, for a service that alerts when it stays
-- away: a scheduler cannot report its own death. Any address that takes a GET: healthchecks, Honeybadger, Cronitor.
local answer = require "alert.sender.answer"
local post = require "alert.sender.post"

local dead_man = {fields = {url = {"secret", required = true}}, alive = 60}

local TIMEOUT = 10

function dead_man.configure(_, settings)
  local url, err = post.address("dead_man: url", settings.url)
  if not url then return nil, err end
  return {url = url, timeout = settings.timeout or TIMEOUT, ca_file = settings.ca_file}
end

function dead_man.build(_, config)
  return {method = "GET", url = config.url, timeout = config.timeout, ca_file = config.ca_file}
end

-- The next comes in a minute: no second try.
function dead_man.judge(response)
  local verdict, seconds = answer.judge(response)
  return verdict == "ok" and "ok" or "final", seconds
end

return dead_man
