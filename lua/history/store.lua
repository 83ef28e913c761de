-- The history in SQLite. Its calls wait, so inside a task.
local json = require "json"
local text = require "text"

local Rows = {}
Rows.__index = Rows

Rows.schema = [[
CREATE TABLE IF NOT EXISTS history (id INTEGER PRIMARY KEY, job TEXT NOT NULL, namespace TEXT NOT NULL,
  run TEXT NOT NULL, slot INTEGER NOT NULL, attempt INTEGER, "trigger" TEXT, outcome TEXT NOT NULL,
  exit_code INTEGER, reason TEXT, message TEXT, started INTEGER, finished INTEGER, lateness_ms INTEGER,
  log_tail TEXT, missed INTEGER, missed_from INTEGER, by TEXT, at INTEGER NOT NULL, UNIQUE (namespace, run));
CREATE INDEX IF NOT EXISTS history_of_job ON history (job, id);
]]

-- Columns that were added later: an older file gets them when it is opened.
local added = {note = "TEXT", args = "TEXT", retry_at = "INTEGER"}
local indexes = {
  "CREATE INDEX IF NOT EXISTS history_of_outcome ON history (outcome, id)",
  "CREATE INDEX IF NOT EXISTS history_at ON history (at)",
}

local columns = {"job", "namespace", "run", "slot", "attempt", "trigger", "outcome", "exit_code", "reason", "message",
  "started", "finished", "lateness_ms", "log_tail", "missed", "missed_from", "by", "at",
  "note", "args", "retry_at"}
local names = '"' .. table.concat(columns, '", "') .. '"'
local insert = ("INSERT OR REPLACE INTO history (%s) VALUES (?%s)"):format(names, (", ?"):rep(#columns - 1))
local select = "SELECT id, " .. names .. " FROM history "

local function complete(store)
  local there = {}
  for _, row in ipairs(assert(store:exec "PRAGMA table_info(history)")) do there[row[2]] = true end
  for _, name in ipairs(text.keys(added)) do
    if not there[name] then assert(store:exec(("ALTER TABLE history ADD COLUMN %s %s"):format(name, added[name]))) end
  end
  for _, index in ipairs(indexes) do assert(store:exec(index)) end
end

function Rows.new(store, rows)
  complete(store)
  return setmetatable({store = store, rows = rows}, Rows)
end

local function values_of(record)
  local values = {n = #columns}
  for i, column in ipairs(columns) do values[i] = record[column] end
  values[13] = record.lateness and math.floor(record.lateness * 1000)
  values[14] = record.log_tail and #record.log_tail > 0 and json.encode(json.array(record.log_tail)) or nil
  values[20] = record.args and json.encode(json.array(record.args))
  return values
end

local function parsed(value) return value and json.parse(value) end

local function record_of(row)
  local record = {id = row[1]}
  for i, column in ipairs(columns) do record[column] = row[i + 1] end
  record.lateness = record.lateness_ms and record.lateness_ms / 1000
  record.log_tail, record.args = parsed(record.log_tail), parsed(record.args)
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

-- Those that fit a query of History:page, newest first.
function Rows:batch(query)
  local where, values = {"1"}, {}
  local function add(condition, value)
    if value == nil then return end
    where[#where + 1], values[#values + 1] = condition, value
  end
  add("job = ?", query.job)
  add("id < ?", query.before)
  add("at >= ?", query.since)
  add("at < ?", query.till)
  if query.outcomes then
    local list = text.keys(query.outcomes)
    where[#where + 1] = ("outcome IN (?%s)"):format((", ?"):rep(#list - 1))
    table.move(list, 1, #list, #values + 1, values)
  end
  values[#values + 1] = query.limit
  return self:query(("WHERE %s ORDER BY id DESC LIMIT ?"):format(table.concat(where, " AND ")), values)
end

local JOBS_AT_ONCE <const> = 25 -- whose rows become tables between two turns of the loop

local recent = [[SELECT job, run, outcome, slot, started, finished, reason, at FROM (
  SELECT *, row_number() OVER (PARTITION BY job ORDER BY id DESC) AS nth FROM history WHERE job IN (?%s))
  WHERE nth <= ? ORDER BY job, nth]]

-- In short: without what only one run's page shows.
function Rows:recent(jobs, count, pause)
  local out = {}
  for first = 1, #jobs, JOBS_AT_ONCE do
    local values = {}
    for i = first, math.min(first + JOBS_AT_ONCE - 1, #jobs) do
      values[#values + 1], out[jobs[i].name] = jobs[i].name, {}
    end
    values[#values + 1] = count
    for _, row in ipairs(assert(self.store:exec(recent:format((", ?"):rep(#values - 2)), values))) do
      table.insert(out[row[1]], {job = row[1], run = row[2], outcome = row[3], slot = row[4], started = row[5],
        finished = row[6], reason = row[7], at = row[8]})
      pause()
    end
  end
  return out
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
