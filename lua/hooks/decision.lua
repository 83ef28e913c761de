-- What before_run may answer: how one answer is checked (in the hook host), and how those of several files become
-- one (in the daemon).
local nearest = require "nearest"

local decision = {}

local MAX_DELAY <const> = 86400

local checks = {}

function checks.args(value)
  if type(value) ~= "table" then return "must be a list of strings" end
  local count = 0
  for _ in next, value do count = count + 1 end
  for i = 1, count do
    if type(rawget(value, i)) ~= "string" then return "must be a list of strings" end
  end
end

function checks.env(value)
  if type(value) ~= "table" then return "must be a table of NAME = \"value\"" end
  for name, text in next, value do
    if type(name) ~= "string" or not name:find("^[%a_][%w_]*$") then
      return ("has a name that is none for a variable: %s"):format(tostring(name))
    end
    if type(text) ~= "string" then return ("%s must be a string"):format(name) end
  end
end

function checks.delay(value)
  if math.type(value) == nil or not (value >= 0 and value <= MAX_DELAY) then
    return ("must be seconds from 0 to %d"):format(MAX_DELAY)
  end
end

-- The two values that the hook returned -> {verdict = "run" | "skip", reason, args, env, delay}, or nil and what
-- is wrong with them.
function decision.check(answer, reason)
  if answer == nil or answer == true then return {verdict = "run"} end
  if answer == false then
    if type(reason) ~= "string" or reason == "" then
      return nil, 'a veto needs a reason: return false, "why"'
    end
    return {verdict = "skip", reason = reason}
  end
  if type(answer) ~= "table" then
    return nil, ("returned a %s; it may return nothing, false with a reason, or a table of changes")
      :format(type(answer))
  end
  local change = {verdict = "run"}
  for field, value in next, answer do
    local check = checks[field]
    if not check then
      return nil, ("there is no change '%s'%s (args, env, delay)")
        :format(tostring(field), nearest.hint(tostring(field), {"args", "env", "delay"}))
    end
    local wrong = check(value)
    if wrong then return nil, ("%s %s"):format(field, wrong) end
    change[field] = value
  end
  return change
end

-- Adds one file's answer to what the files before it said. The first veto wins; of args the last, of env each
-- name's last, of delays the longest.
function decision.add(sum, answer, file)
  if sum.verdict == "skip" then return end
  if answer.verdict == "skip" then
    sum.verdict, sum.reason, sum.file = "skip", answer.reason, file
    return
  end
  sum.args = answer.args or sum.args
  if answer.delay then sum.delay = math.max(sum.delay or 0, answer.delay) end
  for name, value in pairs(answer.env or {}) do
    sum.env = sum.env or {}
    sum.env[name] = value
  end
end

return decision
