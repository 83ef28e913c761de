-- What stands behind the ? of a request. Each gives the value, or what is assumed without one; or nil and an answer
-- that names the field.
local clock = require "clock"
local reply = require "web.reply"
local when = require "when"

local query = {}

function query.bad(field, message)
  return reply.error(400, message, {causes = {{reason = "FieldValueInvalid", field = field, message = message}}})
end

-- A whole number from `least` (default 1) to most.
function query.number(request, name, otherwise, most, least)
  local value = request.query[name]
  if not value then return otherwise end
  local n = math.tointeger(tonumber(value))
  if n and n >= (least or 1) and n <= most then return n end
  return nil, query.bad(name, ("%s: a number from %d to %d expected"):format(name, least or 1, most))
end

-- An instant: unix seconds, or as when.parse reads it. Without one and without `otherwise`: nil alone.
function query.instant(request, name, otherwise, zone)
  local value = request.query[name]
  if not value then return otherwise end
  if value:match "^%d+$" then return math.tointeger(tonumber(value)) end
  local t, message = when.parse(value, clock.now(), zone)
  if t then return t end
  return nil, query.bad(name, name .. ": " .. message)
end

-- The name of a time zone.
function query.zone(request, otherwise)
  local zone = request.query.timezone or otherwise
  local known, message = when.parse("now", clock.now(), zone)
  if known then return zone end
  return nil, query.bad("timezone", message)
end

-- Whether ?name stands there, without a value or with one that says yes.
function query.flag(request, name)
  local value = request.query[name]
  return value ~= nil and value ~= "false" and value ~= "0"
end

-- "a,b" -> {a = true, b = true}; without it nil.
function query.set(request, name)
  local value, out = request.query[name], {}
  if not value or value == "" then return nil end
  for word in value:gmatch "[^%s,]+" do out[word] = true end
  return out
end

return query
