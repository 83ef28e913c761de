-- Read-only views of data, for what hooks are told.
local nearest = require "nearest"

local view = {}

local data_of = setmetatable({}, {__mode = "k"})

local function refuse() error("what a hook is told is read-only: copy what you want to change", 2) end

-- A view of data, which may hold tables. fields: the names that may be read, for typos are errors; nil: any.
function view.new(data, fields)
  for key, value in pairs(data) do
    if type(value) == "table" then data[key] = view.new(value) end
  end
  local allowed
  if fields then
    allowed = {}
    for _, name in ipairs(fields) do allowed[name] = true end
  end
  local proxy = {}
  data_of[proxy] = data
  return setmetatable(proxy, {
    __index = function(_, key)
      local value = data[key]
      if value == nil and allowed and not allowed[key] then
        error(("an event has no field '%s'%s"):format(tostring(key), nearest.hint(tostring(key), fields)), 2)
      end
      return value
    end,
    __newindex = refuse,
    __len = function() return #data end,
    __pairs = function() return next, data end,
    __metatable = false,
  })
end

-- A copy without views or metatables, which can be written as JSON.
function view.plain(value, depth)
  depth = depth or 1
  if type(value) ~= "table" then return value end
  if depth > 100 then error("a table that is nested deeper than 100 cannot be written as JSON", 0) end
  local copy = {}
  for key, item in next, data_of[value] or value do copy[key] = view.plain(item, depth + 1) end
  return copy
end

-- cjson gives every number as a float: whole ones become integers again. Changes and returns value.
function view.integers(value)
  if type(value) == "table" then
    for key, item in next, value do value[key] = view.integers(item) end
  elseif math.type(value) == "float" then
    return math.tointeger(value) or value
  end
  return value
end

return view
