-- What became of runs and slots: a record for each run that is over and each slot that did not run, bounded a job.
-- In SQLite where there is a state folder (history/store.lua), else in memory (history/memory.lua), filled again
-- from the cluster's finished objects at the start.
--   history.new {store= or nil, rows=}    rows: kept of each job, default 100
--   h:add(run)            a run of the registry, over or skipped; the same run again replaces its record
--   h:list{job=, limit=}  newest first; job nil: of all    h:find(job, slot)    h:latest()  {job = its last record}
--   h:named(run)          the record of a run
--   h:page{limit=, before=, job=, outcomes={…}, since=, till=, accept=function(record), pause=}  newest first, from
--                         before the record with that id on; since <= at < till
--   h:recent(jobs, count, pause)  {job's name = its last records, newest first}
--   h:listen(f)           f(record, run, rebuilt) for each that is added; rebuilt: an earlier daemon's, told by it
-- A record: {id=, job=, namespace=, run=, slot=, attempt=, trigger=, outcome=, exit_code=, reason=, message=, started=,
-- finished=, lateness= (seconds), log_tail= (lines), missed=, missed_from=, by=, note=, args=, retry_at=, at=}.
-- outcome: of a run, or "skipped", or "missed" for `missed` slots from missed_from to slot. by, note, args: who asked
-- for it, why, and with which arguments. at: when it was recorded.
local clock = require "clock"
local json = require "json"
local log = require "log"
local task = require "task"

local History = {}
History.__index = History

local ROWS = 100

local fields = {"job", "namespace", "slot", "attempt", "trigger", "exit_code", "message", "started", "finished",
  "lateness", "log_tail", "missed", "missed_from", "retry_at"}

local function record_of(run)
  local record = {run = run.name, at = clock.now(), reason = run.reason}
  for _, field in ipairs(fields) do record[field] = run[field] end
  local missed = run.missed and run.missed > 0
  record.outcome = run.outcome or missed and "missed" or "skipped"
  local asked = run.data and json.parse(run.data) or {}
  record.by, record.note, record.args = asked.by, asked.reason, asked.args
  if not missed then record.missed, record.missed_from = nil, nil end
  return record
end

-- Reads what an earlier daemon kept, so inside a task when there is a store.
function History.new(options)
  local backend = options.store and "history.store" or "history.memory"
  local self = setmetatable({listeners = {}}, History)
  self.records = require(backend).new(options.store, options.rows or ROWS)
  self.last = self.records:latest()
  return self
end

-- Never waits: who is told of a run must not wait for the disk.
function History:add(run, rebuilt)
  local record = record_of(run)
  self.last[record.job] = record
  task.spawn(function()
    local done, message = self.records:add(record)
    if not done then log.warning("the history could not be written", {job = record.job, error = message}) end
  end)
  for _, listener in ipairs(self.listeners) do listener(record, run, rebuilt) end
end

function History:listen(listener) self.listeners[#self.listeners + 1] = listener end

function History:list(options) return self.records:list(options.job, options.limit or ROWS) end

function History:find(job, slot) return self.records:find(job, slot) end

-- The record of a run; of two namespaces' the newest.
function History:named(run) return self.records:named(run)[1] end

function History:latest() return self.last end

local BATCH <const> = 200

function History:page(options)
  local out, before = {}, options.before
  repeat
    local batch = self.records:batch {job = options.job, outcomes = options.outcomes, since = options.since,
      till = options.till, before = before, limit = BATCH, pause = options.pause}
    for _, record in ipairs(batch) do
      if #out < options.limit and options.accept(record) then out[#out + 1] = record end
      options.pause()
    end
    before = #batch > 0 and batch[#batch].id
  until #out >= options.limit or #batch < BATCH
  return out
end

function History:recent(jobs, count, pause) return self.records:recent(jobs, count, pause) end

-- Finished runs whose objects a new leader found; those that are known stay as they are.
function History:rebuild(runs)
  for _, run in ipairs(runs) do
    if run.state == "finished" and not self.records:has(run.namespace, run.name) then self:add(run, true) end
  end
end

return History
