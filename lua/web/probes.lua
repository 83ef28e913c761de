-- /livez: the loop turns, which an answer shows; it never depends on the API server, whose outage no restart mends.
-- /readyz: the schedule is loaded, the API server was reached once, and we are not stopping. Whether we lead does not
-- matter: standbys are ready, or a rolling update would never end. /healthz is livez by its old name.
--   ?verbose lists the checks, ?exclude=NAME leaves one out.
local reply = require "web.reply"

local probes = {}

local function ping() return true end

-- daemon: {state=, stopping=}
local function ready_checks(daemon)
  return {
    {"ping", ping},
    {"schedule", ping}, -- nothing listens before it is loaded
    {"api", function() return daemon.state:reached() end, "the API server was not reached yet"},
    {"shutdown", function() return not daemon.stopping end, "the scheduler is stopping"},
  }
end

local function answer(name, checks, query)
  local lines, good = {}, true
  for _, check in ipairs(checks) do
    local excluded = query.exclude == check[1]
    local passed = excluded or check[2]()
    good = good and passed
    lines[#lines + 1] = ("[%s]%s %s"):format(passed and "+" or "-", check[1],
      excluded and "excluded: ok" or passed and "ok" or "failed: " .. check[3])
  end
  lines[#lines + 1] = ("%s check %s"):format(name, good and "passed" or "failed")
  if good and not query.verbose then return reply.text(200, "ok") end
  return reply.text(good and 200 or 503, table.concat(lines, "\n") .. "\n")
end

function probes.routes(daemon)
  local function live(name)
    return function(request) return answer(name, {{"ping", ping}}, request.query) end
  end
  local function ready(request) return answer("readyz", ready_checks(daemon), request.query) end
  return {
    {"GET", "/livez", live "livez", open = true, summary = "Whether the process works"},
    {"GET", "/healthz", live "healthz", open = true, summary = "The same, by its old name"},
    {"GET", "/readyz", ready, open = true, summary = "Whether it can be counted on"},
  }
end

return probes
