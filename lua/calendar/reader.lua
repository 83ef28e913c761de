-- Reads what stands in schedule.yml about days: settings.calendars, and only_on and skip_on of a job. All mistakes are
-- told at their place.
--   reader.new{dir= of files, hooks= folder of hooks, problems=, read=, list= instead of those of sys} -> r
--   r:define(calendars, path): the mapping under settings
--   r:read(object, key, path) -> node of calendar/node.lua; or nil, when there is a mistake
local entry = require "calendar.entry"
local ics = require "calendar.ics"
local json = require "json"
local node = require "calendar.node"
local own = require "calendar.own"
local schema = require "schema"
local sys = require "sys"
local text = require "text"
local yaml = require "yaml"

local Reader = {}
Reader.__index = Reader

local reader = {}

local FORMS <const> = "a calendar's name, 2026-12-25, 12-25, FROM..TO, sat, mon..fri, easter+39, FILE.ics or FILE.lua"

function reader.new(options)
  return setmetatable({dir = options.dir, hooks = options.hooks, problems = options.problems, raw = {}, nodes = {},
    files = {}, open = {}, by = {read = options.read or sys.read, list = options.list or sys.list}}, Reader)
end

-- Where a value stands that has no place of its own: where what contains it does.
local function place_of(object, key, path)
  local place = schema.place(path, object, key)
  return place.line and place or schema.place(path, object)
end

local function read_ics(self, name)
  local path = name:sub(1, 1) == "/" and name or self.dir .. "/" .. name
  local source, message = self.by.read(path)
  if not source then return nil, {message = "the calendar cannot be read: " .. message} end
  local add, mistake = ics.parse(source)
  return add, mistake and {file = path, line = mistake.line, message = mistake.message}
end

local function read_lua(self, name) return own.read(self.hooks, name, self.by) end

-- Each file is read once; nil: it has a mistake, which is told.
function Reader:file(name, place, read)
  if self.files[name] == nil then
    local add, mistake = read(self, name)
    if mistake then self.problems:error(mistake.file and mistake or place, "%s", mistake.message) end
    self.files[name] = add and node.leaf(name, add) or false
  end
  return self.files[name] or nil
end

function Reader:word(word, place)
  local add, mistake = entry.read(word)
  if add then return node.leaf(word, add) end
  if mistake then return self.problems:error(place, "'%s': %s", word, mistake) end
  if word:find "%.ics$" then return self:file(word, place, read_ics) end
  if word:find "%.lua$" then return self:file(word, place, read_lua) end
  if self.raw[word] then return self:named(word, place) end
  local hint = text.did_you_mean(word, text.keys(self.raw))
  self.problems:error(place, "there is no calendar '%s'%s; write %s", word, hint, FORMS)
end

-- A calendar of settings; nil when it has a mistake, which is told once.
function Reader:named(name, place)
  if self.nodes[name] ~= nil then return self.nodes[name] or nil end
  for i, other in ipairs(self.open) do
    if other == name then
      local cycle = table.concat(self.open, ", which needs ", i)
      return self.problems:error(place, "calendar '%s' needs itself: %s, which needs %s", name, cycle, name)
    end
  end
  self.open[#self.open + 1] = name
  local inner = self:read(self.raw[name].object, name, self.raw[name].path)
  self.open[#self.open] = nil
  self.nodes[name] = inner and node.named(name, inner) or false
  return inner and self.nodes[name]
end

function Reader:list(list, place, path)
  if #list == 0 then return self.problems:error(place, "an empty list has no days; write %s", FORMS) end
  local nodes = {}
  for i = 1, #list do nodes[#nodes + 1] = self:read(list, i, path) end
  return #nodes == #list and nodes or nil
end

local operators = {}

function operators.any(self, object, path) return self:operands(object, "any", path, node.any) end
function operators.all(self, object, path) return self:operands(object, "all", path, node.all) end

operators["not"] = function(self, object, path)
  local inner = self:read(object, "not", path)
  return inner and node.none_of(inner)
end

function Reader:operands(object, key, path, combine)
  local place = place_of(object, key, path)
  if not json.is_array(object[key]) then return self.problems:error(place, "'%s' takes a list of calendars", key) end
  local nodes = self:list(object[key], place, path)
  return nodes and combine(nodes)
end

function Reader:mapping(object, place, path)
  local keys = yaml.keys(object)
  if #keys ~= 1 then
    return self.problems:error(place, "one of any: [...], all: [...] or not: expected, and one only")
  end
  local operator = operators[keys[1]]
  if operator then return operator(self, object, path) end
  self.problems:error(schema.key_place(path, object, keys[1]), "unknown key '%s'%s: any, all or not expected", keys[1],
    text.did_you_mean(keys[1], {"any", "all", "not"}))
end

function Reader:read(object, key, path)
  local value, place = object[key], place_of(object, key, path)
  if type(value) == "string" then return self:word(value, place) end
  if type(value) ~= "table" or value == json.null then return self.problems:error(place, "%s expected", FORMS) end
  if not json.is_array(value) then return self:mapping(value, place, path) end
  local nodes = self:list(value, place, path)
  return nodes and node.any(nodes)
end

-- A name that is also an entry could never be meant.
function Reader:define(calendars, path)
  for _, name in ipairs(yaml.keys(calendars)) do
    local add, mistake = entry.read(name)
    if add or mistake or name:find "%.ics$" or name:find "%.lua$" then
      self.problems:error(schema.key_place(path, calendars, name), "'%s' cannot be a calendar's name: it reads as days",
        name)
    else
      self.raw[name] = {object = calendars, path = path}
    end
  end
  for _, name in ipairs(text.keys(self.raw)) do self:named(name, schema.place(path, calendars, name)) end
end

return reader
