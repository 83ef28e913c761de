-- Who ordered what, when and why: each command that was followed, however it arrived. In SQLite where a history is
-- kept, and then before the command is answered; else in memory. The oldest go first.
--   local a = audit.new(store or nil);  a:listen(control)
--   a:page{limit=, before= (an id), job=, by=} -> {{id=, at=, command=, job=, by=, reason=, request=, detail={…}}, …}
--     newest first
local clock = require "clock"
local json = require "json"
local log = require "log"

local Audit = {}
Audit.__index = Audit

local MOST <const>, MOST_IN_MEMORY <const> = 100000, 2000

Audit.schema = [[
CREATE TABLE IF NOT EXISTS audit (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, command TEXT NOT NULL, job TEXT, by TEXT,
  reason TEXT, request TEXT, detail TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS audit_of_job ON audit (job, id);
]]

function Audit.new(store) return setmetatable({store = store, rows = {}, last = 0}, Audit) end

local apart = {command = true, job = true, by = true, reason = true, request = true}

-- What the command's own columns do not say.
local function detail_of(order)
  local out = {}
  for name, value in pairs(order) do
    if not apart[name] then out[name] = value end
  end
  return out
end

function Audit:keep(order)
  local text = json.encode(json.object(detail_of(order)))
  local done, message = self.store:exec(
    "INSERT INTO audit (at, command, job, by, reason, request, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
    {n = 7, clock.now(), order.command, order.job, order.by, order.reason, order.request, text})
  if done then self.store:exec("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", {MOST}) end
  return done, message
end

function Audit:remember(order)
  self.last = self.last + 1
  self.rows[#self.rows + 1] = {id = self.last, at = clock.now(), command = order.command, job = order.job,
    by = order.by, reason = order.reason, request = order.request, detail = detail_of(order)}
  if #self.rows > MOST_IN_MEMORY then table.remove(self.rows, 1) end
  return true
end

function Audit:listen(control)
  control:listen(function(order)
    local done, message = (self.store and self.keep or self.remember)(self, order)
    if not done then log.error("a command is not in the audit", {command = order.command, error = message}) end
  end)
end

local function from_memory(self, query)
  local out = {}
  for i = #self.rows, 1, -1 do
    local row = self.rows[i]
    if #out < query.limit and row.id < (query.before or math.huge) and (not query.job or row.job == query.job)
      and (not query.by or row.by == query.by) then
      out[#out + 1] = row
    end
  end
  return out
end

local function from_store(self, query)
  local rows = assert(self.store:exec("SELECT id, at, command, job, by, reason, request, detail FROM audit WHERE " ..
    "id < ? AND (? IS NULL OR job = ?) AND (? IS NULL OR by = ?) ORDER BY id DESC LIMIT ?",
    {n = 6, query.before or math.maxinteger, query.job, query.job, query.by, query.by, query.limit}))
  for i, row in ipairs(rows) do
    rows[i] = {id = row[1], at = row[2], command = row[3], job = row[4], by = row[5], reason = row[6],
      request = row[7], detail = json.parse(row[8])}
  end
  return rows
end

function Audit:page(query) return (self.store and from_store or from_memory)(self, query) end

return Audit
