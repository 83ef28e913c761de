-- Durable state of the local executor in SQLite, in the store that holds the runs too: watermark, open list and
-- the named tables.
local clock = require "clock"
local json = require "json"
local sys = require "sys"

local State = {}
State.__index = State

local PARTS <const> = 64        -- rows of a large table
local PARTS_AT_ONCE <const> = 8 -- that are written

State.schema = [[
CREATE TABLE IF NOT EXISTS mark (id INTEGER PRIMARY KEY CHECK (id = 1), watermark INTEGER NOT NULL,
  open TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
]]

-- store: an open store with the schema above.
function State.new(store) return setmetatable({store = store, parts = {}}, State) end

-- Nobody else can hold the store: being here is being the leader. {watermark= (nil: none yet), open=}.
function State:acquire()
  self.since = clock.now()
  local rows = assert(self.store:exec "SELECT watermark, open FROM mark")
  if not rows[1] then return {open = {}} end
  return {watermark = rows[1][1], open = json.parse(rows[1][2])}
end

-- There is no API server to reach.
function State.reached() return true end

-- true, or nil and why.
function State:save(watermark, open)
  if not watermark then return true end
  local done, message = self.store:exec(
    "INSERT OR REPLACE INTO mark VALUES (1, ?, ?)",
    {watermark, json.encode(json.array(open))})
  return done and true, message
end

-- Letting go is one more save: the store itself is given up with the process.
State.release = State.save

-- Any function of the key that spreads names.
local function part_of(key) return (#key * 7 + (key:byte(-2) or 0) * 10 + (key:byte(-1) or 0)) % PARTS end

local function split(value, pause)
  local parts = {}
  for key, entry in pairs(value) do
    local part = part_of(key)
    parts[part] = parts[part] or {}
    parts[part][key] = entry
    pause()
  end
  return parts
end

-- A named table; empty when there is none.
function State:read(item)
  local rows = assert(self.store:exec(
    "SELECT name, value FROM state WHERE name = ?1 OR name GLOB ?1 || '/*' ORDER BY name", {item}))
  local out = {}
  for _, row in ipairs(rows) do
    for key, entry in pairs(json.parse(row[2])) do out[key] = entry end
  end
  if not rows[1] or rows[1][1] ~= item then self.parts[item] = split(out, function() end) end
  return out
end

local function same(a, b, pause)
  for key, entry in pairs(a) do
    if b[key] ~= entry then return false end
    pause()
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

function State:write_rows(values)
  if #values == 0 then return true end
  local done, message = self.store:exec(
    "INSERT OR REPLACE INTO state VALUES (?, ?)" .. (", (?, ?)"):rep(#values // 2 - 1), values)
  return done and true, message
end

-- Those parts that changed. Where there is none yet, all, and then away with the one row of an earlier version.
function State:write_parts(item, value, pause)
  local known, parts, values = self.parts[item], split(value, pause), {}
  for part = 0, PARTS - 1 do
    local now = parts[part] or {}
    if not known or not same(now, known[part] or {}, pause) then
      values[#values + 1], values[#values + 2] = item .. "/" .. part, json.encode(json.object(now))
    end
    if #values == 2 * PARTS_AT_ONCE or part == PARTS - 1 then
      local done, message = self:write_rows(values)
      if not done then return nil, message end
      values = {}
    end
  end
  self.parts[item] = parts
  if known then return true end
  local done, message = self.store:exec("DELETE FROM state WHERE name = ?", {item})
  return done and true, message
end

-- Makes it durable: true, or nil and why. pause: called after each entry of a table that may be large, which is kept in
-- parts then; an entry that is the same Lua value as before is not written again.
function State:write(item, value, pause)
  if pause then return self:write_parts(item, value, pause) end
  local done, message = self.store:exec("INSERT OR REPLACE INTO state VALUES (?, ?)",
    {item, json.encode(json.object(value))})
  return done and true, message
end

function State:describe()
  return {holder = ("%s (process %d)"):format(sys.hostname(), sys.pid()), since = clock.format(self.since)}
end

return State
