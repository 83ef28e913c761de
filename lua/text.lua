-- Small helpers for texts that people type: the nearest known word, durations, lists for messages.
local text = {}

-- Levenshtein distance of two words, transpositions counted as one.
local function distance(a, b)
  local before, previous, current = {}, {}, {}
  for j = 0, #b do previous[j] = j end
  for i = 1, #a do
    current = {[0] = i}
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      current[j] = math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        current[j] = math.min(current[j], before[j - 2] + 1)
      end
    end
    before, previous = previous, current
  end
  return previous[#b]
end

-- The word of the list nearest to `word`, or nil when none is near enough to be a slip of the hand.
function text.nearest(word, known)
  local best, best_distance
  for _, candidate in ipairs(known) do
    local d = distance(word:lower(), candidate:lower())
    if not best_distance or d < best_distance then best, best_distance = candidate, d end
  end
  if best and best_distance <= math.max(1, #word // 3) then return best end
end

-- " (did you mean 'x'?)" or "".
function text.did_you_mean(word, known)
  local nearest = text.nearest(word, known)
  return nearest and (" (did you mean '%s'?)"):format(nearest) or ""
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
