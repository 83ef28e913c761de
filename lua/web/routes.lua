-- Which handler a request is for. A route: {METHOD, PATH, handler, …}; in PATH {name} stands for one segment.
local reply = require "web.reply"

local Routes = {}
Routes.__index = Routes

local function pattern_of(path)
  local names = {}
  local pattern = path:gsub("[%-%.]", "%%%0"):gsub("{(%w+)}", function(name)
    names[#names + 1] = name
    return "([^/]+)"
  end)
  return "^" .. pattern .. "$", names
end

function Routes.new() return setmetatable({list = {}}, Routes) end

function Routes:add(routes)
  for _, route in ipairs(routes) do
    route.method, route.path, route.handler = route[1], route[2], route[3]
    route.pattern, route.names = pattern_of(route.path)
    self.list[#self.list + 1] = route
  end
end

local function named(route, values)
  local out = {}
  for i, name in ipairs(route.names) do out[name] = values[i] end
  return out
end

-- The route, with the segments' values; or nil and an answer: 404, or 405 with what is allowed.
function Routes:find(method, path)
  if method == "HEAD" then method = "GET" end -- the server leaves the body off
  local allowed = {}
  for _, route in ipairs(self.list) do
    local values = {path:match(route.pattern)}
    if values[1] and route.method == method then return route, named(route, values) end
    if values[1] then allowed[#allowed + 1] = route.method end
  end
  if #allowed == 0 then return nil, reply.error(404, ("there is nothing at %s: see /v1/openapi.json"):format(path)) end
  local list = table.concat(allowed, ", ")
  return nil, reply.error(405, ("%s takes %s, not %s"):format(path, list, method), nil, {Allow = list})
end

return Routes
