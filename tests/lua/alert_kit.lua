-- What the specs of alerts share: senders in a world where time passes only when somebody sleeps.
-- Requiring it, before what logs, replaces the log: kit.lines holds what was logged, {level, message, fields}.
local kit = {lines = {}}

package.loaded.log = setmetatable({}, { __index = function(_, level)
  return function(message, fields)
    table.insert(kit.lines, { level = level, message = message, fields = fields or {} })
  end
end })

local KEY, DSN = "hbp_topsecretkey", "https://topsecretpublic:topsecretpass@sentry.example/pre/42"
kit.KEY, kit.DSN = KEY, DSN
kit.ABOUT = { instance = "prod", environment = "eu", host = "pod-1", version = "1.2.3" }

-- A world where time passes only when somebody sleeps, and answers come from a script:
-- answers[i] is a status, a table (a response), or a string (a network error); the last stays.
function kit.world(answers)
  local w = { now = 1000, requests = {}, sleeps = {} }
  function w.send(request)
    w.requests[#w.requests + 1] = request
    local answer = answers[math.min(#w.requests, #answers)]
    if type(answer) == "string" then return nil, answer end
    if type(answer) == "number" then answer = { status = answer } end
    return { status = answer.status, headers = answer.headers or {}, body = answer.body or "" }
  end
  function w.sleep(seconds)
    w.sleeps[#w.sleeps + 1] = seconds
    w.now = w.now + seconds
  end
  function w.options(more)
    local options = { send = w.send, sleep = w.sleep, now = function() return math.floor(w.now) end,
                      spawn = function(f, ...) f(...) end, random = function() return 0.5 end,
                      routes = { "honeybadger" },
                      env = function(name) return ({ HONEYBADGER_API_KEY = KEY, SENTRY_DSN = DSN })[name] end }
    for name, value in pairs(more or {}) do options[name] = value end
    return options
  end
  return w
end

function kit.failed(more)
  local e = { kind = "failed", job = "nightly", namespace = "batch", run = "nightly-1", slot_time = 0, attempt = 1,
              exit_code = 3, reason = "Error", log_tail = { "one", "two" }, file = "schedule.yml", line = 7 }
  for name, value in pairs(more or {}) do e[name] = value end
  return e
end

-- Sends one event and gives what done was told.
function kit.send(sender, given)
  local told = {}
  sender:send(given or kit.failed(), function(ok) told[#told + 1] = ok end)
  assert(#told == 1, "done was called " .. #told .. " times")
  return told[1]
end

function kit.logged(pattern)
  local count = 0
  for _, line in ipairs(kit.lines) do
    if line.message:find(pattern) then count = count + 1 end
  end
  return count
end

function kit.forget_lines()
  for i = #kit.lines, 1, -1 do kit.lines[i] = nil end
end

return kit
