-- What hooks keep with store.set, on the daemon's side: the one copy that counts, its limits, and its way to the
-- state store. Each hook host has a mirror of it (lua/hooks/store_api.lua), brought up to date with every call.
--   local s = store.new()          keeps it in memory; after s:restore(state) in the state store too
local clock = require "clock"
local known = require "hooks.known"
local log = require "log"
local task = require "task"

local Store = {}
Store.__index = Store

local store = {}

local ITEM <const> = "hooks"      -- the state's table
local SAVE_SECONDS <const> = 1    -- between two writes of it: in a cluster each takes a request of its size

local function copy(texts)
  local out = {}
  for key, text in pairs(texts) do out[key] = text end
  return out
end

function store.new()
  local mirrors = setmetatable({}, {__mode = "k"})
  return setmetatable({texts = {}, bytes = 0, changes = 0, saved = 0, mirrors = mirrors}, Store)
end

-- What a new host has to be told: key -> JSON, false: taken away. Whoever sends it empties it; it fills up again with
-- what changes.
function Store:mirror()
  local unsent = copy(self.texts)
  self.mirrors[unsent] = true
  return unsent
end

function Store:tell_mirrors(key, text)
  for unsent in pairs(self.mirrors) do unsent[key] = text or false end
end

function Store:write()
  local wanted = self.changes
  self.writing = true
  local done, message = self.state:write(ITEM, copy(self.texts))
  self.writing = false
  if done then
    self.saved = wanted
  else
    log.warning("what hooks keep could not be written yet", {error = message})
  end
end

-- The first change at once, those that follow together.
function Store:save_soon()
  if self.saving or not self.state then return end
  self.saving = true
  task.spawn(function()
    repeat
      self:write()
      task.sleep(SAVE_SECONDS)
    until self.closed or self.saved == self.changes
    self.saving = false
  end)
end

-- text: JSON; nil takes the key away. true, or nil and which limit it is beyond: hooks that waited for an answer
-- may have filled it together.
function Store:put(key, text)
  local bytes = self.bytes - known.store_cost(key, self.texts[key]) + known.store_cost(key, text)
  if bytes > known.store.total and bytes > self.bytes then
    return nil, ("the store may hold %d bytes in all"):format(known.store.total)
  end
  self.texts[key], self.bytes, self.changes = text, bytes, self.changes + 1
  self:tell_mirrors(key, text)
  self:save_soon()
  return true
end

-- From now on it is kept there, beginning with what is there: what was set before, while another led, is forgotten.
function Store:restore(state)
  for key in pairs(self.texts) do self:tell_mirrors(key, nil) end
  self.state, self.texts, self.bytes = state, state:read(ITEM), 0
  for key, text in pairs(self.texts) do
    self.bytes = self.bytes + known.store_cost(key, text)
    self:tell_mirrors(key, text)
  end
  self.saved = self.changes
end

-- Writes what is not written yet, waiting so many seconds for a write under way. Nothing is written afterwards.
function Store:close(seconds)
  local over = clock.monotonic() + seconds
  self.closed = true
  while self.writing and clock.monotonic() < over do task.sleep(0.02) end
  if self.state and self.saved ~= self.changes and not self.writing then self:write() end
  self.state = nil
end

return store
