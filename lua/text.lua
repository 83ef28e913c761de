-- Small helpers for texts that people type: durations, globs, the word that was meant.
local nearest = require "nearest"

local text = {}

-- " (did you mean 'x'?)" or "".
function text.did_you_mean(word, known)
  local best = nearest.find(word, known)
  return best and (" (did you mean '%s'?)"):format(best) or ""
end

local units = {s = 1, m = 60, h = 3600, d = 86400}

-- "90s", "5m", "1h30m", "2d" or a number of seconds -> integer seconds; nil and what is expected.
function text.duration(value)
  if math.type(value) == "integer" and value >= 0 then return value end
  local expected = "a duration such as 30s, 5m or 1h30m expected"
  if type(value) ~= "string" or value == "" then return nil, expected end
  local total, rest = 0, value
  while rest ~= "" do
    local number, unit, after = rest:match "^(%d+)([smhd])(.*)$"
    if not number or #number > 9 then return nil, expected end
    total, rest = total + math.tointeger(tonumber(number)) * units[unit], after
  end
  return total
end

-- "1 job", "2 jobs".
function text.count(n, noun) return ("%d %s%s"):format(n, noun, n == 1 and "" or "s") end

-- The keys of a table, sorted.
function text.keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

-- A glob with * and ? as a Lua pattern for the whole name.
function text.glob(pattern)
  return "^" .. pattern:gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%*", ".*"):gsub("%?", ".") .. "$"
end

return text
