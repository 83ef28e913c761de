-- What is wrong now and who was told: a record for each incident. Records are values: a change makes a copy, so that
-- the state store sees which are new, and what one daemon wrote another goes on with.
--
-- A record: {job=, namespace=, incident=, kind=, want=: it is wrong now, told={ROUTE=true}: who knows so, since=: when
-- it first went wrong, changed=: when `want` last turned, failures=, successes=: in a row, runs={the last few},
-- reminded=, parent=: the key of the one that speaks for it, event=: what to say, notice=: nothing ever ends it,
-- failed_on=: a route that did not take it, routes={ROUTE=true}: instead of those that its job chooses}.
-- Whoever's `told` differs from `want` is owed a word; no other rule makes an alert, so trigger and end alternate.
local clean = require "alert.sender.text".clean
local json = require "json"

local Ledger = {}
Ledger.__index = Ledger

local RUNS = 5 -- a restart tells again only what was not durable: the last ones

-- What a record keeps to say it all again after a restart. No log lines: they may hold secrets.
local KEPT = {"kind", "job", "namespace", "run", "slot", "slot_time", "attempt", "trigger", "outcome", "exit_code",
  "file", "line", "severity", "title"}
local LONG = {"reason", "message"}
local LONG_MAX = 500 -- bytes

function Ledger.new(records) return setmetatable({records = records or {}}, Ledger) end

function Ledger.key(e, incident) return ("%s/%s/%s"):format(e.namespace or "", e.job or "", incident) end

local function brief(e)
  local out = {}
  for _, name in ipairs(KEPT) do out[name] = e[name] end
  for _, name in ipairs(LONG) do out[name] = e[name] and clean(e[name], LONG_MAX) end
  return out
end

-- Replaces a record by a copy with changes; a change to false removes the field.
function Ledger:change(key, changes)
  local new = {}
  for name, value in pairs(self.records[key] or {}) do new[name] = value end
  for name, value in pairs(changes) do new[name] = value or nil end
  self.records[key], self.dirty = new, true
  return new
end

function Ledger:count()
  local count = 0
  for _ in pairs(self.records) do count = count + 1 end
  return count
end

-- Whether something is wrong for which the record of that key speaks.
function Ledger:speaks_for(parent)
  for _, record in pairs(self.records) do
    if record.parent == parent and record.want then return true end
  end
  return false
end

function Ledger:drop(key) self.records[key], self.dirty = nil, true end

local function with_run(runs, run)
  local out = {run}
  table.move(runs or {}, 1, RUNS - 1, 2, out)
  return out
end

local function knows(record, run)
  for _, each in ipairs(record and record.runs or {}) do
    if each == run then return true end
  end
  return false
end

-- One failure more. options: {incident=, notice=, now=, after=: how many in a row it takes, parent=: who speaks for
-- it}. Of a run that is known: nothing.
function Ledger:failure(key, e, options)
  local old = self.records[key]
  if e.run and knows(old, e.run) then return end
  local known = old and (old.want or (old.failures or 0) > 0) -- closed ones begin anew
  local failures = known and old.failures + 1 or 1
  local want = known and old.want or failures >= options.after
  local turns = want and not (known and old.want)
  self:change(key, {
    job = e.job, namespace = e.namespace, incident = options.incident, kind = e.kind, want = want, failures = failures,
    successes = false, runs = e.run and with_run(old and old.runs, e.run), event = brief(e),
    since = known and old.since or options.now, changed = turns and options.now or old and old.changed or options.now,
    told = old and old.told or json.object {}, reminded = turns and options.now or old and old.reminded,
    parent = options.parent or false, notice = options.notice,
  })
end

-- One success more; after as many as it takes the incident is over. e: of the success, for saying so.
function Ledger:success(key, e, options)
  local old = self.records[key]
  if not old or old.notice or not (old.want or (old.failures or 0) > 0) then return end
  local successes = (old.successes or 0) + 1
  if old.want and successes < options.after then return self:change(key, {successes = successes}) end
  self:change(key, {want = false, failures = 0, was = old.failures, successes = false, changed = options.now,
    parent = false, failed_on = false, over = brief(e)})
end

function Ledger:tell(key, route, want)
  local old = self.records[key]
  if not old then return end
  local told = json.object {}
  for name, value in pairs(old.told) do told[name] = value end
  told[route] = want or nil
  self:change(key, {told = told})
end

return Ledger
