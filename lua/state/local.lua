-- Durable state of the local executor in SQLite, in the store that holds the runs too: watermark, open list and
-- the named tables.
local clock = require "clock"
local json = require "json"
local sys = require "sys"

local State = {}
State.__index = State

State.schema = [[
CREATE TABLE IF NOT EXISTS mark (id INTEGER PRIMARY KEY CHECK (id = 1), watermark INTEGER NOT NULL,
  open TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
]]

-- store: an open store with the schema above.
function State.new(store) return setmetatable({store = store}, State) end

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

-- A named table; empty when there is none.
function State:read(item)
  local rows = assert(self.store:exec("SELECT value FROM state WHERE name = ?", {item}))
  return rows[1] and json.parse(rows[1][1]) or {}
end

-- Makes it durable: true, or nil and why.
function State:write(item, value)
  local done, message = self.store:exec("INSERT OR REPLACE INTO state VALUES (?, ?)",
    {item, json.encode(json.object(value))})
  return done and true, message
end

function State:describe()
  return {holder = ("%s (process %d)"):format(sys.hostname(), sys.pid()), since = clock.format(self.since)}
end

return State
