-- The history in SQLite. Its calls wait, so inside a task.
local json = require "json"

local Rows = {}
Rows.__index = Rows

Rows.schema = [[
CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY, job TEXT NOT NULL, namespace TEXT NOT NULL,
  run TEXT NOT NULL, slot INTEGER NOT NULL, attempt INTEGER, "trigger" TEXT, outcome TEXT NOT NULL,
  exit_code INTEGER, reason TEXT, message TEXT, started INTEGER, finished INTEGER, lateness_ms INTEGER,
  log_tail TEXT, missed INTEGER, missed_from INTEGER, by TEXT, at INTEGER NOT NULL, UNIQUE (namespace, run));
CREATE INDEX IF NOT EXISTS history_of_job ON history (job, id);
]]

local columns = {"job", "namespace", "run", "slot", "attempt", "trigger", "outcome", "exit_code", "reason", "message",
  "started", "finished", "lateness_ms", "log_tail", "missed", "missed_from", "by", "at"}
local names = '"' .. table.concat(columns, '", "') .. '"'
local insert = ("INSERT OR REPLACE INTO history (%s) VALUES (?%s)"):format(names, (", ?"):rep(#columns - 1))
local select = "SELECT " .. names .. " FROM history "

function Rows.new(store, rows) return setmetatable({store = store, rows = rows}, Rows) end

local function values_of(record)
  local values = {n = #columns}
  for i, column in ipairs(columns) do values[i] = record[column] end
  values[13] = record.lateness and math.floor(record.lateness * 1000)
  values[14] = record.log_tail and #record.log_tail > 0 and json.encode(json.array(record.log_tail)) or nil
  return values
end

local function record_of(row)
  local record = {}
  for i, column in ipairs(columns) do record[column] = row[i] end
  record.lateness = record.lateness_ms and record.lateness_ms / 1000
  record.log_tail = record.log_tail and json.parse(record.log_tail)
  record.lateness_ms = nil
  return record
end

function Rows:add(record)
  local done, message = self.store:exec(insert, values_of(record))
  if not done then return nil, message end
  return self.store:exec([[DELETE FROM history WHERE job = ? AND id <=
    (SELECT id FROM history WHERE job = ? ORDER BY id DESC LIMIT 1 OFFSET ?)]], {record.job, record.job, self.rows})
end

function Rows:query(rest, values)
  local out = assert(self.store:exec(select .. rest, values))
  for i, row in ipairs(out) do out[i] = record_of(row) end
  return out
end

function Rows:has(namespace, run)
  return #self:query("WHERE namespace = ? AND run = ?", {namespace, run}) > 0
end

function Rows:list(job, limit)
  if not job then return self:query("ORDER BY id DESC LIMIT ?", {limit}) end
  return self:query("WHERE job = ? ORDER BY id DESC LIMIT ?", {job, limit})
end

-- The records of a job's slot, newest first; missed ones stand for several slots.
function Rows:find(job, slot)
  return self:query("WHERE job = ? AND (slot = ? OR missed_from <= ? AND slot >= ?) ORDER BY id DESC",
    {job, slot, slot, slot})
end

function Rows:named(run) return self:query("WHERE run = ? ORDER BY id DESC LIMIT 1", {run}) end

function Rows:latest()
  local out = {}
  for _, record in ipairs(self:query("WHERE id IN (SELECT max(id) FROM history GROUP BY job)")) do
    out[record.job] = record
  end
  return out
end

return Rows
