-- What hooks that decide may answer: how one answer is checked (in the hook host), and how those of several files
-- become one (in the daemon).
local known = require "hooks.known"
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

local function contains(list, value)
  for _, each in ipairs(list) do
    if each == value then return true end
  end
  return false
end

function checks.patch(value)
  if type(value) ~= "table" or next(value) == nil then return "must be a table of what to change in the manifest" end
end

function checks.manifest(value)
  if type(value) ~= "table" or type(value.kind) ~= "string" then return "must be a whole manifest" end
end

function checks.retry(value)
  if value ~= false then return "can only be false: it says that there is no further attempt" end
end

-- A manifest that is returned as it is means {manifest = …}.
local function unwrapped(answer, allowed)
  return allowed == known.hooks.before_create.answers and answer.kind and {manifest = answer} or answer
end

-- The two values that the hook returned -> {verdict = "run" | "skip", reason, args, env, delay, patch, manifest}, or
-- nil and what is wrong with them.
function decision.check(hook, answer, reason)
  local allowed = known.hooks[hook].answers
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
  for field, value in next, unwrapped(answer, allowed) do
    if not contains(allowed, field) then
      return nil, ("there is no change '%s'%s (%s)")
        :format(tostring(field), nearest.hint(tostring(field), allowed), table.concat(allowed, ", "))
    end
    local wrong = checks[field](value)
    if wrong then return nil, ("%s %s"):format(field, wrong) end
    change[field] = value
  end
  if change.retry == false then return {verdict = "skip", reason = "the hook wants no further attempt"} end
  return change
end

-- Adds one file's answer to what the files before it said. The first veto wins; of args the last, of env each
-- name's last, of delays the longest; sum.patches are those of all, in order (lua/hooks/patch.lua).
function decision.add(sum, answer, file)
  if sum.verdict == "skip" then return end
  if answer.verdict == "skip" then
    sum.verdict, sum.reason, sum.file = "skip", answer.reason, file
    return
  end
  sum.args = answer.args or sum.args
  if answer.patch or answer.manifest then
    sum.patches = sum.patches or {}
    table.insert(sum.patches, {patch = answer.patch, manifest = answer.manifest})
  end
  if answer.delay then sum.delay = math.max(sum.delay or 0, answer.delay) end
  for name, value in pairs(answer.env or {}) do
    sum.env = sum.env or {}
    sum.env[name] = value
  end
end

return decision
