-- Two values compared for people: every difference, by its path.
--   compare.lines(actual, expected) -> {"effects[1].title is \"a\" and not \"b\"", …}; empty when they are the same
local show = require "repl.show"

local compare = {}

local MOST <const> = 20 -- lines

local function shown(value)
  return type(value) == "string" and ("%q"):format(value):gsub("\\\n", "\\n") or show.value(value)
end

local function path_of(path, key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return path == "" and key or path .. "." .. key end
  return ("%s[%s]"):format(path, shown(key))
end

local function keys_of(a, b)
  local keys, seen = {}, {}
  for _, each in ipairs {a, b} do
    for key in pairs(each) do
      if not seen[key] then keys[#keys + 1], seen[key] = key, true end
    end
  end
  table.sort(keys, function(x, y)
    if math.type(x) and math.type(y) then return x < y end
    return tostring(x) < tostring(y)
  end)
  return keys
end

local function walk(lines, path, actual, expected)
  if type(actual) == "table" and type(expected) == "table" then
    for _, key in ipairs(keys_of(actual, expected)) do walk(lines, path_of(path, key), actual[key], expected[key]) end
  elseif actual ~= expected then
    lines[#lines + 1] = ("%s is %s and not %s"):format(path == "" and "it" or path, shown(actual),
      shown(expected))
  end
end

function compare.lines(actual, expected)
  local lines = {}
  walk(lines, "", actual, expected)
  if #lines > MOST then
    lines = table.move(lines, 1, MOST, 1, {[MOST + 1] = ("… and %d differences more"):format(#lines - MOST)})
  end
  return lines
end

return compare
