-- Between what happens and who is told: a job that keeps failing is one incident, told once, reminded of, and told to
-- be over on the routes that know of it. lua/ALERTS.md describes it; incident/ledger.lua keeps it.
--   incident.new{sender=: of alert.new, jobs={job, …}, whole=: they are all, settings=: settings.alerts; for tests
--     now=, sleep=, spawn=} -> desk
--   desk:send(event, done)   what an operator may have to know; done() once the state store has it, or it needs none
--   desk:note(event)         a run started or succeeded
--   desk:configure{sender=, jobs=, settings=}   the schedule was loaded anew; sender: nil when it stays
--   desk:note(event)         a run started or succeeded, or was skipped because somebody ordered so
--   desk:silence(name, order), desk.silences   see incident/silence.lua
--   desk:restore(state)      we lead: goes on with what an earlier daemon left; before it nothing is told but the log
local clock = require "clock"
local Ledger = require "incident.ledger"
local log = require "log"
local Overdue = require "incident.overdue"
local rules = require "incident.rules"
local silence = require "incident.silence"
local task = require "task"
local text = require "text"

local Desk = {}
Desk.__index = Desk

local TICK = 1           -- seconds
local SUMMARY = 20       -- triggers at once, beyond which they become one
local GIVE_UP = 7200     -- seconds after a turn when a route that does not take it is given up
local CLOSED = 86400     -- seconds that a closed incident is kept, so that a run told again does not open it anew
local MOST = 5000        -- records

local incident = {}

local function by_name(jobs)
  local out = {}
  for _, job in ipairs(jobs or {}) do out[job.name] = job end
  return out
end

function incident.new(options)
  return setmetatable({
    sender = options.sender, jobs = by_name(options.jobs), whole = options.whole,
    settings = rules.settings(options.settings),
    now = options.now or clock.now, sleep = options.sleep or task.sleep, spawn = options.spawn or task.spawn,
    ledger = Ledger.new(), silences = {}, waiting = {}, -- done functions that wait for the state store
    full = {},    -- whole events of this daemon's incidents, with their log lines
    sending = {}, -- [KEY .. ROUTE] = true, or the time of the next try
    early = {},   -- what came before we led
    refreshed = {}, -- {ROUTE = time}
    last_flush = -math.huge,
  }, Desk)
end

-- Routes

-- What the job's `alerts` says, else every route that is on but those that only escalation brings in.
function Desk:routes_of(record, now)
  local out = {}
  local job = self.jobs[record.job]
  local chosen = job and job.alerts
  for name, route in pairs(self.sender.routes) do
    if not (route.each or route.check_ins or route.alive) then
      out[name] = rules.chooses(chosen, name, self.settings.escalate)
    end
  end
  local escalate = self.settings.escalate
  if escalate and not record.notice and not rules.muted(chosen) and now - record.changed >= escalate.after then
    for _, name in ipairs(escalate.to) do out[name] = self.sender.routes[name] and true end
  end
  return out
end

-- Those of a trait (check_ins, each) that the job has not turned off.
function Desk:routes_with(trait, job_name)
  local out = {}
  local job = self.jobs[job_name]
  for name, route in pairs(self.sender.routes) do
    if route[trait] and (trait == "each" or rules.chooses(job and job.alerts, name)) then out[name] = true end
  end
  return out
end

-- What happens

function Desk:later(done)
  if not done then return end
  if not self.state or not self.ledger.dirty then return done(true) end
  self.waiting[#self.waiting + 1] = done
end

function Desk:open(e, what)
  local key = what.notice and rules.notice_key(e) or Ledger.key(e, what.incident)
  if not self.ledger.records[key] and self:count() >= MOST then
    return log.error("too many incidents: one is not told", {job = e.job, alert = e.kind, bound = MOST})
  end
  local job = self.jobs[e.job] or {}
  self.full[key] = e
  self.ledger:failure(key, e, {
    incident = what.incident, notice = what.notice, now = self.now(),
    parent = self:parent_of(self.ledger.records[key], e, what),
    after = what.incident == "failing" and (job.alert_after or self.settings.alert_after) or 1,
  })
end

function Desk:close(e, names)
  local job = self.jobs[e.job] or {}
  if e.job ~= rules.SELF then self.overdue:excuse(e.job, e.finished or self.now(), e.slot_time or self.now()) end
  for _, name in ipairs(names) do
    local after = name == "failing" and (job.recover_after or self.settings.recover_after) or 1
    self.ledger:success(Ledger.key(e, name), e, {after = after, now = self.now()})
  end
end

function Desk:take(e)
  local what = rules.classify(e)
  if what.direct then return self.sender:send(e, nil, self:routes_of({job = e.job, notice = true}, self.now())) end
  if what.closes then return self:close(e, what.closes) end
  self:open(e, what)
end

function Desk:check_in(e)
  local routes = self:routes_with("check_ins", e.job)
  if next(routes) then self.sender:send(rules.check_in(e, self.jobs[e.job]), nil, routes) end
end

function Desk:send(e, done)
  self.sender:send(e, nil, self:routes_with("each"))
  if rules.is_run(e) then self:check_in(e) end
  if not self.state then
    self.early[#self.early + 1] = e
    return done and done(true)
  end
  self:take(e)
  self:later(done)
end

function Desk:note(e)
  if e.kind ~= "skipped" then self:check_in(e) end
  if not self.state then return end
  if e.kind == "skipped" then return self.overdue:excuse(e.job, self.now(), e.slot_time) end
  if e.kind == "succeeded" then self:take(e) end
end

-- A summary speaks for its members until they recover; the scheduler's own trouble for what it did to the slots
-- meanwhile.
function Desk:parent_of(old, e, what)
  if old and old.want and old.parent and rules.is_summary(old.parent) then return old.parent end
  if what.incident ~= "not run" and e.kind ~= "start_failed" then return nil end
  for key, record in pairs(self.ledger.records) do
    if record.incident == "held" then
      local ended = not record.want and record.changed or self.now()
      local slot = e.slot_time or self.now()
      if slot >= record.since - rules.HELD_BEFORE and slot <= ended then return key end
    end
  end
end

function Desk:count()
  local count = 0
  for _ in pairs(self.ledger.records) do count = count + 1 end
  return count
end

-- Who is owed a word

function Desk:silenced(record) return silence.holds(self.silences, record.job, self.now()) end

-- name: a job's, or silence.ALL. order: of silence.order; nil: no longer. true; or nil and why nothing changed.
function Desk:silence(name, order)
  local silences = silence.with(self.silences, name, order, self.now())
  local done, message = self.state:write("silences", silences)
  if not done then return nil, "nothing changed, the state could not be written: " .. message end
  self.silences = silences
  return true
end

local function owes_end(record, route) return record.told[route] and not record.want end

-- {ROUTE = true (it is wrong) or false (it is over)}, without those that are being told or wait for their next try.
function Desk:owed(key, record)
  local out, now = {}, self.now()
  local function free(route)
    local state = self.sending[key .. "\0" .. route]
    return state ~= true and (not state or now >= state)
  end
  for route in pairs(record.told) do
    if owes_end(record, route) and self.sender.routes[route] and free(route) then out[route] = false end
  end
  if record.want and not record.parent and not self:silenced(record) then
    for route, wanted in pairs(self:routes_of(record, now)) do
      if wanted and not record.told[route] and free(route) then out[route] = true end
    end
  end
  return out
end

function Desk:delivered(key, route, want, ok)
  local at = key .. "\0" .. route
  local record, now = self.ledger.records[key], self.now()
  self.sending[at] = nil
  if not record then return end
  if not ok and now - record.changed < GIVE_UP then
    self.sending[at] = now + math.max(1, self.settings.group_interval)
    return
  end
  if not ok then log.error("an incident was not told", {kind = "route_error", route = route, job = record.job}) end
  self.ledger:tell(key, route, want)
end

function Desk:tell(key, record, route, want)
  self.sending[key .. "\0" .. route] = true
  local e = want and rules.trigger(record, self.full[key]) or rules.over(record)
  self.sender:send(e, function(ok) self:delivered(key, route, want, ok) end, {[route] = true})
end

-- More triggers at once than anybody reads: one incident that speaks for them.
function Desk:summarize(keys)
  local now, records = self.now(), self.ledger.records
  table.sort(keys)
  local e = rules.summary(keys, records, now)
  local parent = Ledger.key(e, e.incident)
  self.ledger:failure(parent, e, {incident = e.incident, after = 1, now = now})
  for _, key in ipairs(keys) do self.ledger:change(key, {parent = parent}) end
  for route, want in pairs(self:owed(parent, records[parent])) do self:tell(parent, records[parent], route, want) end
end

function Desk:flush()
  local fresh, all = {}, {}
  for key, record in pairs(self.ledger.records) do
    local owed = self:owed(key, record)
    if next(owed) then all[key] = owed end
    if next(owed) and record.want and not next(record.told) and not record.notice then fresh[#fresh + 1] = key end
  end
  if #fresh > SUMMARY then
    self:summarize(fresh)
    for _, key in ipairs(fresh) do all[key] = nil end
  end
  for _, key in ipairs(text.keys(all)) do
    for route, want in pairs(all[key]) do self:tell(key, self.ledger.records[key], route, want) end
  end
  self.last_flush, self.flush_at = self.now(), nil
end

-- Passing time

function Desk:remind(key, record, now)
  if record.notice or not record.want or not next(record.told) or self:silenced(record) then return end
  if now - record.reminded < self.settings["repeat"] then return end
  self.ledger:change(key, {reminded = now})
  local e = rules.reminder(self.ledger.records[key], self.full[key])
  for route in pairs(record.told) do
    if self.sender.routes[route] then self.sender:send(e, nil, {[route] = true}) end
  end
end

-- Some services forget what they are not told again.
function Desk:refresh(now)
  for name, route in pairs(self.sender.routes) do
    if route.refresh and now - (self.refreshed[name] or -math.huge) >= route.refresh then
      self.refreshed[name] = now
      for key, record in pairs(self.ledger.records) do
        if record.want and record.told[name] then
          self.sender:send(rules.trigger(record, self.full[key]), nil, {[name] = true})
        end
      end
    end
  end
end

local function settled(record) return not record.want and (record.failures or 0) == 0 and not next(record.told) end

function Desk:tidy(key, record, now)
  local age = now - record.changed
  if record.want and rules.is_summary(key) and not self:speaks_for(key) then
    self.ledger:success(key, record.event, {after = 1, now = now})
  elseif record.notice and age >= self.settings["repeat"] or settled(record) and age >= CLOSED then
    self.ledger:drop(key)
    self.full[key] = nil
  end
end

function Desk:speaks_for(parent)
  for _, record in pairs(self.ledger.records) do
    if record.parent == parent and record.want then return true end
  end
  return false
end

function Desk:look_for_overdue(now)
  for _, e in ipairs(self.overdue:look(now)) do
    local record = self.ledger.records[Ledger.key(e, e.kind)]
    if not (record and record.want) then self:send(e) end
  end
end

-- A sign of life, while slots are decided.
function Desk:live(now)
  local held = self.ledger.records[rules.HELD]
  if held and held.want then return end
  for name, route in pairs(self.sender.routes) do
    if route.alive and now - (self.refreshed[name] or -math.huge) >= route.alive then
      self.refreshed[name] = now
      self.sender:send({kind = "alive", job = rules.SELF}, nil, {[name] = true})
    end
  end
end

-- One look at everything; each second.
function Desk:tick()
  if not self.state then return end
  local now, any = self.now(), false
  self:look_for_overdue(now)
  for _, key in ipairs(text.keys(self.ledger.records)) do
    local record = self.ledger.records[key]
    any = any or next(self:owed(key, record)) ~= nil
    self:remind(key, record, now)
    self:tidy(key, record, now)
  end
  self:refresh(now)
  self:live(now)
  if not any then
    self.flush_at = nil
    return
  end
  self.flush_at = self.flush_at or math.max(now + self.settings.group_wait,
    self.last_flush + self.settings.group_interval)
  if now >= self.flush_at then self:flush() end
end

-- Makes durable what changed, then lets go of the runs that waited for it. A store that fails holds no alert.
function Desk:save()
  if not self.state then return end
  if self.overdue.dirty then
    self.overdue.dirty = not self.state:write("successes", self.overdue:copy())
  end
  if not self.ledger.dirty then return end
  local waiting = self.waiting
  self.ledger.dirty, self.waiting = false, {}
  local copy = {}
  for key, record in pairs(self.ledger.records) do copy[key] = record end
  local saved, message = self.state:write("incidents", copy)
  if not saved then
    log.warning("the incidents could not be written yet", {error = message})
    self.ledger.dirty = true
    table.move(waiting, 1, #waiting, #self.waiting + 1, self.waiting)
    return
  end
  for _, done in ipairs(waiting) do done(true) end
end

-- What cannot go on: trouble of a job that is no longer there, and, when another led before us, of that leader.
function Desk:close_orphans(of_leader)
  for key, record in pairs(self.ledger.records) do
    local gone = self.whole and not self.jobs[record.job] and record.job ~= rules.SELF
    if gone or of_leader and record.incident == "held" then
      self.ledger:success(key, record.event, {after = 1, now = self.now()})
    end
  end
end

function Desk:configure(options)
  self.sender, self.jobs, self.whole = options.sender or self.sender, by_name(options.jobs), true
  self.settings = rules.settings(options.settings)
  if not self.state then return end
  self.overdue = Overdue.new(self.jobs, self.overdue.marks, self.now())
  self:close_orphans(false)
end

local function loop(self, method)
  self.spawn(function()
    while not self.stopped do
      local ran, failure = xpcall(self[method], debug.traceback, self)
      if not ran then log.error("an error among the incidents", {error = failure}) end
      self.sleep(TICK)
    end
  end)
end

function Desk:restore(state)
  self.state = state
  self.ledger = Ledger.new(state:read "incidents")
  self.silences = state:read "silences"
  self.overdue = Overdue.new(self.jobs, state:read "successes", self.now())
  self:close_orphans(true)
  for _, e in ipairs(self.early) do self:take(e) end
  self.early = {}
  loop(self, "tick")
  loop(self, "save")
end

-- At the end of the daemon: what is under way may arrive, for `timeout` seconds; the rest is in the state.
-- leads: the state is still ours to write.
function Desk:stop(timeout, leads)
  self.stopped = true
  self.sender:flush(timeout)
  if leads then self:save() end
end

return incident
