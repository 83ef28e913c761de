-- Checks a mapping read from a file against a table of fields: unknown keys with the nearest known one, wrong
-- types, duplicates, all at once. A field is {kind, …}: kind is a name in `kinds` below; `required`, `values`
-- (for choice), `fields` (for object) refine it.
local text = require "text"
local yaml = require "yaml"
local json = require "json"

local schema = {}

local function kind_of(value)
  if value == json.null then return "nothing" end
  if type(value) == "table" then return json.is_array(value) and "a list" or "a mapping" end
  if type(value) == "boolean" then return "true or false" end
  if type(value) == "number" then return "a number" end
  return "a string"
end

-- The field being checked: {problems=, file=, object=, key=, prefix=}. Its place is looked up for a mistake only:
-- a schedule may have 100,000 jobs.
local Context = {}
Context.__index = Context

function Context:place() return schema.place(self.file, self.object, self.key) end
function Context:path() return self.prefix .. self.key end
function Context:inside(object, key)
  return setmetatable({problems = self.problems, file = self.file, object = object, key = key,
    prefix = self:path() .. "."}, Context)
end
function Context:error(message, ...) self.problems:error(self:place(), "'%s': " .. message, self:path(), ...) end

local function refuse(context, value, expected)
  context:error("%s expected, this is %s", expected, kind_of(value))
end

local kinds = {}

function kinds.string(context, value)
  if type(value) == "string" then return value end
  if type(value) == "number" or type(value) == "boolean" then
    return refuse(context, value, "a string (put it in quotes)")
  end
  refuse(context, value, "a string")
end

function kinds.boolean(context, value)
  if type(value) == "boolean" then return value end
  refuse(context, value, "true or false")
end

-- field.min: 0 when absent.
function kinds.count(context, value, field)
  local min = field and field.min or 0
  if math.type(value) == "integer" and value >= min then return value end
  context:error("a whole number from %d on expected", min)
end

function kinds.integer(context, value)
  if math.type(value) == "integer" and math.abs(value) < 1 << 31 then return value end
  refuse(context, value, "a whole number")
end

function kinds.factor(context, value)
  if math.type(value) and value >= 1 and value <= 1000 then return value + 0.0 end
  context:error("a number from 1 to 1000 expected")
end

-- A mapping from names to whole numbers from 1 on.
function kinds.counts(context, value)
  if type(value) ~= "table" or json.is_array(value) then
    return refuse(context, value, "a mapping from names to counts")
  end
  local out = {}
  for _, name in ipairs(yaml.keys(value)) do
    out[name] = kinds.count(context:inside(value, name), value[name], {min = 1})
  end
  return out
end

function kinds.duration(context, value)
  local seconds, expected = text.duration(value)
  if seconds then return seconds end
  refuse(context, value, expected:gsub(" expected$", ""))
end

-- Seconds, also parts of one: 200ms, 1.5s, 2s or a number.
function kinds.short_duration(context, value)
  local number, unit = tostring(value):match "^(%d+%.?%d*)(m?s)$"
  local seconds = math.type(value) and value or tonumber(number) and tonumber(number) / (unit == "ms" and 1000 or 1)
  if seconds and seconds > 0 and seconds <= 60 then return seconds + 0.0 end
  context:error("a duration such as 200ms or 2s expected, at most 60s")
end

function kinds.choice(context, value, field)
  for _, known in ipairs(field.values) do
    if value == known then return value end
  end
  local hint = type(value) == "string" and text.did_you_mean(value, field.values) or ""
  context:error("one of %s expected%s", table.concat(field.values, ", "), hint)
end

-- A list of which each item is a choice.
function kinds.choices(context, value, field)
  if not json.is_array(value) then return refuse(context, value, "a list") end
  local out = {}
  for i, item in ipairs(value) do out[i] = kinds.choice(context, item, field) end
  return #out == #value and out or nil
end

-- A list of strings; numbers are taken as they print, since people write ports and counts without quotes.
function kinds.strings(context, value)
  if not json.is_array(value) then return refuse(context, value, "a list of strings") end
  local out = {}
  for i, item in ipairs(value) do
    if type(item) ~= "string" and type(item) ~= "number" then
      local line, column = yaml.position(value, i)
      context.problems:error({file = context.file, line = line, column = column},
        "'%s': item %d must be a string, this is %s", context:path(), i, kind_of(item))
      return
    end
    out[i] = tostring(item)
  end
  return json.array(out)
end

function kinds.string_or_strings(context, value, field)
  if type(value) == "string" then return value end
  if json.is_array(value) then return kinds.strings(context, value, field) end
  refuse(context, value, "a string or a list of strings")
end

function kinds.time(context, value)
  local t, message
  if type(value) == "string" then
    t, message = require "clock".parse(value)
    if t then return t end
    context:error("%s", message)
  else
    refuse(context, value, "a time such as 2026-11-24T08:00:00Z")
  end
end

-- {env: NAME} or {file: PATH}. The text itself would be read by whoever reads the schedule.
function kinds.secret(context, value)
  local given = type(value) == "table" and not json.is_array(value) and (value.env or value.file)
  if type(given) == "string" and not (value.env and value.file) and text.keys(value)[2] == nil then
    return {env = value.env, file = value.file}
  end
  context:error("{env: NAME} or {file: PATH} expected: a secret does not belong into a schedule")
end

function kinds.any(_, value) return value end

function kinds.object(context, value, field)
  if type(value) ~= "table" or json.is_array(value) then return refuse(context, value, "a mapping") end
  return schema.check(value, field.fields, context.file, context.problems, context:path() .. ".")
end

-- Where the value of `key` stands.
function schema.place(file, object, key)
  local line, column = yaml.position(object, key)
  return {file = file, line = line, column = column}
end

function schema.key_place(file, object, key)
  local line, column = yaml.key_position(object, key)
  return {file = file, line = line, column = column}
end

-- The names of the fields, sorted, and of those that are required; once for each table of fields.
local names_of = setmetatable({}, {__mode = "k"})

local function names(fields)
  local found = names_of[fields]
  if not found then
    found = {all = text.keys(fields), required = {}}
    for _, key in ipairs(found.all) do
      if fields[key].required then table.insert(found.required, key) end
    end
    names_of[fields] = found
  end
  return found
end

-- Returns a plain table of the fields that are good; what is not is in problems. prefix: for messages.
function schema.check(object, fields, file, problems, prefix)
  local out, known = {}, names(fields)
  for _, duplicate in ipairs(yaml.duplicates(object)) do
    problems:error({file = file, line = duplicate.line, column = duplicate.column},
      "'%s%s' is here twice; the first is in line %d", prefix, duplicate.key, duplicate.first_line)
  end
  local context = setmetatable({problems = problems, file = file, object = object, prefix = prefix}, Context)
  for key, value in pairs(object) do
    local field = fields[key]
    if not field then
      problems:error(schema.key_place(file, object, key), "unknown key '%s%s'%s", prefix, key,
        text.did_you_mean(key, known.all))
    elseif value ~= json.null then
      context.key = key
      out[key] = kinds[field[1]](context, value, field)
    end
  end
  for _, key in ipairs(known.required) do
    if object[key] == nil or object[key] == json.null then
      local line, column = yaml.position(object)
      problems:error({file = file, line = line, column = column}, "'%s%s' is missing", prefix, key)
    end
  end
  return out
end

return schema
