-- Durable state of the local executor: watermark, open list and baselines in SQLite, in the store that holds
-- the runs too.
local json = require "json"

local State = {}
State.__index = State

State.schema = [[
CREATE TABLE IF NOT EXISTS mark (id INTEGER PRIMARY KEY CHECK (id = 1), watermark INTEGER NOT NULL,
  open TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS baselines (id INTEGER PRIMARY KEY CHECK (id = 1), jobs TEXT NOT NULL);
]]

-- store: an open store with the schema above.
function State.new(store) return setmetatable({store = store}, State) end

-- Nobody else can hold the store: being here is being the leader. Returns the watermark (nil: none yet) and the
-- open list.
function State:acquire()
  local rows = assert(self.store:exec "SELECT watermark, open FROM mark")
  if not rows[1] then return nil, {} end
  return rows[1][1], json.parse(rows[1][2])
end

-- true, or nil and why.
function State:save(watermark, open)
  if not watermark then return true end
  local done, message = self.store:exec(
    "INSERT OR REPLACE INTO mark VALUES (1, ?, ?)",
    {watermark, json.encode(json.array(open))})
  return done and true, message
end

-- {job = {fingerprint=, since=}}
function State:baselines()
  local rows = assert(self.store:exec "SELECT jobs FROM baselines")
  return rows[1] and json.parse(rows[1][1]) or {}
end

function State:save_baselines(baselines)
  local done, message = self.store:exec("INSERT OR REPLACE INTO baselines VALUES (1, ?)",
    {json.encode(json.object(baselines))})
  return done and true, message
end

-- Letting go is one more save: the store itself is given up with the process.
State.release = State.save

return State
