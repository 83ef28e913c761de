-- store.get and store.set, in the hook host. What a call sets it sees at once; others see it when the hook has
-- returned well and the daemon has taken it (lua/hooks/store.lua).
local cjson = require "cjson"
local known = require "hooks.known"
local view = require "hooks.view"

local Mirror = {}
Mirror.__index = Mirror

local store_api = {}

function store_api.new() return setmetatable({texts = {}, bytes = 0}, Mirror) end

-- changes: key -> JSON, or false; nil when there are none.
function Mirror:apply(changes)
  for key, text in pairs(changes or {}) do
    text = text or nil
    self.bytes = self.bytes - known.store_cost(key, self.texts[key]) + known.store_cost(key, text)
    self.texts[key] = text
  end
end

-- What the call sees: JSON or nil.
function Mirror:text_of(call, key)
  local own = call.stored and call.stored[key]
  if own ~= nil then return own or nil end
  return self.texts[key]
end

local function key_of(what, key)
  if type(key) ~= "string" or key == "" then error(what .. ": the key must be a text that is not empty", 0) end
  if #key > known.store.key then
    error(("%s: a key may have %d bytes, this one has %d"):format(what, known.store.key, #key), 0)
  end
  return key
end

local function encoded(key, value)
  if value == nil then return nil end
  local text = cjson.encode(view.plain(value))
  if #text > known.store.value then
    error(("a value may have %d bytes as JSON, '%s' would have %d"):format(known.store.value, key, #text), 0)
  end
  return text
end

function Mirror:get(call, key)
  local text = self:text_of(call, key_of("store.get", key))
  return text and view.integers(cjson.decode(text))
end

-- Gives the JSON; raises when it is beyond a limit.
function Mirror:set(call, key, value)
  key_of("store.set", key)
  local ok, text = pcall(encoded, key, value)
  if not ok then error("store.set: " .. tostring(text), 0) end
  local grown = (call.stored_bytes or 0) - known.store_cost(key, self:text_of(call, key)) + known.store_cost(key, text)
  if grown > 0 and self.bytes + grown > known.store.total then
    error(("store.set: the store may hold %d bytes in all, with '%s' it would hold %d"):format(known.store.total, key,
      self.bytes + grown), 0)
  end
  call.stored = call.stored or {}
  call.stored[key], call.stored_bytes = text or false, grown
  return text
end

return store_api
