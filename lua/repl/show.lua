-- Values as the REPL prints them: tables with their fields sorted, nested ones indented, each only once.
local show = {}

local MOST_FIELDS <const> = 100 -- of one table
local MOST_DEPTH <const> = 6
local LINE <const> = 100 -- a table that fits is on one line

local function is_name(key) return type(key) == "string" and key:find "^[%a_][%w_]*$" ~= nil end

local function quoted(text) return (("%q"):format(text):gsub("\\\n", "\\n"):gsub("\\9", "\\t")) end

local function has_own_text(value)
  local meta = getmetatable(value)
  return type(meta) == "table" and meta.__tostring ~= nil
end

-- Integers, then strings, then the rest.
local function key_order(a, b)
  local x, y = math.type(a), math.type(b)
  if x and y then return a < b end
  if x or y then return x ~= nil end
  return tostring(a) < tostring(b)
end

local function sorted_keys(value)
  local keys = {}
  for key in next, value do keys[#keys + 1] = key end
  table.sort(keys, key_order)
  return keys
end

local nested

local function fields_of(value, depth, seen)
  local parts, length = {}, #value
  for i, key in ipairs(sorted_keys(value)) do
    if i > MOST_FIELDS then
      parts[i] = "…"
      break
    end
    local text = nested(rawget(value, key), depth + 1, seen)
    if math.type(key) == "integer" and key >= 1 and key <= length then
      parts[i] = text
    else
      parts[i] = (is_name(key) and key or "[" .. nested(key, depth + 1, seen) .. "]") .. " = " .. text
    end
  end
  return parts
end

local function nested_table(value, depth, seen)
  if seen[value] then return "{… shown already}" end
  if depth > MOST_DEPTH then return "{…}" end
  seen[value] = true
  local parts = fields_of(value, depth, seen)
  local line = "{" .. table.concat(parts, ", ") .. "}"
  if #line + depth * 2 <= LINE and not line:find "\n" then return line end
  local indent = ("  "):rep(depth + 1)
  return "{\n" .. indent .. table.concat(parts, ",\n" .. indent) .. "\n" .. ("  "):rep(depth) .. "}"
end

function nested(value, depth, seen)
  if type(value) == "string" then return quoted(value) end
  if type(value) ~= "table" or has_own_text(value) then return tostring(value) end
  return nested_table(value, depth, seen)
end

-- A text without a line break at its end. Strings are as they are; tables with __tostring say themselves.
function show.value(value)
  if type(value) == "string" then return (value:gsub("\n$", "")) end
  if type(value) == "table" and has_own_text(value) then return (tostring(value):gsub("\n$", "")) end
  return nested(value, 0, {})
end

-- The values of an expression, packed; nothing for none.
function show.values(values)
  local parts = {}
  for i = 1, values.n do parts[i] = show.value(values[i]) end
  return table.concat(parts, "\n")
end

return show
