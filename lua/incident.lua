-- Between what happens and who is told: a job that keeps failing is one incident, told once, reminded of, and told to
-- be over on the routes that know of it. lua/ALERTS.md describes it; incident/ledger.lua keeps it.
--   incident.new{sender=: of alert.new, jobs={job, …}, whole=: they are all, settings=: settings.alerts; for tests
--     now=, sleep=, spawn=} -> desk
--   desk:send(event, done)   what an operator may have to know; done() once the state store has it, or it needs none
--   desk:configure{sender=, jobs= or by_name={NAME = job} and watched= those that may be overdue, settings=}   the
--                            schedule was loaded anew; sender: nil when it stays
--   desk:note(event)         a run started or succeeded, or was skipped because somebody ordered so
--   desk:minds(kind, job)    whether a note of a start or a success would do anything: most would not
--   desk:silence(name, order), desk.silences   see incident/silence.lua
--   desk:restore(state)      we lead: goes on with what an earlier daemon left; before it nothing is told but the log
local clock = require "clock"
local groups = require "incident.groups"
local json = require "json"
local Ledger = require "incident.ledger"
local log = require "log"
local Overdue = require "incident.overdue"
local Routes = require "incident.routes"
local rules = require "incident.rules"
local silence = require "incident.silence"
local task = require "task"
local text = require "text"

local Desk = {}
Desk.__index = Desk

local TICK = 1           -- seconds
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
  local settings = rules.settings(options.settings)
  local self = setmetatable({
    whole = options.whole, groups = groups.new(settings),
    now = options.now or clock.now, sleep = options.sleep or task.sleep, spawn = options.spawn or task.spawn,
    ledger = Ledger.new(), silences = {}, waiting = {}, -- done functions that wait for the state store
    full = {},    -- whole events of this daemon's incidents, with their log lines
    sending = {}, -- [KEY .. ROUTE] = true, or the time of the next try
    early = {},   -- what came before we led
    refreshed = {}, -- {ROUTE = time}
  }, Desk)
  self:equip(options.sender, by_name(options.jobs), settings)
  return self
end

function Desk:equip(sender, jobs, settings)
  self.sender, self.jobs, self.settings, self.groups.settings = sender, jobs, settings, settings
  self.routes = Routes.new(sender.routes, jobs, settings)
end

-- What happens

function Desk:later(done)
  if not done then return end
  if not self.state or not self.ledger.dirty then return done(true) end
  self.waiting[#self.waiting + 1] = done
end

function Desk:open(e, what)
  local key = what.notice and rules.notice_key(e) or Ledger.key(e, what.incident)
  if not self.ledger.records[key] and self.ledger:count() >= MOST then
    return log.error("too many incidents: one is not told", {job = e.job, alert = e.kind, bound = MOST})
  end
  local job = self.jobs[e.job] or {}
  self.full[key] = e
  self.ledger:failure(key, e, {
    incident = what.incident, notice = what.notice, now = self.now(),
    parent = rules.parent(self.ledger.records, key, e, what, self.now()),
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
  if what.direct then return self:pass_on(e, self.routes:of({job = e.job, notice = true}, self.now())) end
  if what.closes then return self:close(e, what.closes) end
  self:open(e, what)
end

function Desk:check_in(e)
  local routes = self.routes:with("check_ins", e.job)
  if next(routes) then self.sender:send(rules.check_in(e, self.jobs[e.job]), nil, routes) end
end

function Desk:send(e, done)
  self.sender:send(e, nil, self.routes:with("each"))
  if rules.is_run(e) then self:check_in(e) end
  if not self.state then
    self.early[#self.early + 1] = e
    return done and done(true)
  end
  self:take(e)
  self:later(done)
end

-- A success ends what there is of incidents, and is what a job that may be overdue waits for.
function Desk:minds(kind, job_name)
  if next(self.routes:with("check_ins", job_name)) then return true end
  return kind == "succeeded" and self.state ~= nil
    and (next(self.ledger.records) ~= nil or self.overdue:watches(job_name))
end

function Desk:note(e)
  if e.kind ~= "skipped" then self:check_in(e) end
  if not self.state then return end
  if e.kind == "skipped" then return self.overdue:excuse(e.job, self.now(), e.slot_time) end
  if e.kind == "succeeded" then self:take(e) end
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
    for route in pairs(self.routes:of(record, now)) do
      if not record.told[route] and free(route) then out[route] = true end
    end
  end
  return out
end

-- A route did not take the beginning of an incident: the one that stands in for it is told at once.
function Desk:fall_back(key, record, route)
  local other = self.routes:instead_of(route)
  if not other or not record.want or record.told[other] or record.failed_on then return end
  self:tell(key, self.ledger:change(key, {failed_on = route}), other, true)
end

function Desk:delivered(key, route, want, ok)
  local at = key .. "\0" .. route
  local record, now = self.ledger.records[key], self.now()
  self.sending[at] = nil
  if not record then return end
  if not ok and want then self:fall_back(key, record, route) end
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
  local failed_on = want and record.failed_on
  if failed_on and route == self.routes:instead_of(failed_on) then e = rules.instead(e, failed_on) end
  self.sender:send(e, function(ok) self:delivered(key, route, want, ok) end, {[route] = true})
end

-- Something that is told once: what a route does not take is told by the one that stands in for it.
function Desk:pass_on(e, routes)
  for route in pairs(routes) do
    self.sender:send(e, function(ok)
      local other = not ok and self.routes:instead_of(route)
      if other and not routes[other] then self.sender:send(rules.instead(e, route), nil, {[other] = true}) end
    end, {[route] = true})
  end
end

-- More beginnings at once than anybody reads: one incident speaks for them, on every route that one of them goes to.
function Desk:summarize(keys, owed)
  local now, records, routes = self.now(), self.ledger.records, json.object {}
  table.sort(keys)
  for _, key in ipairs(keys) do
    for route in pairs(owed[key]) do routes[route] = true end
  end
  local e = rules.summary(keys, records, now)
  local parent = Ledger.key(e, e.incident)
  self.ledger:failure(parent, e, {incident = e.incident, after = 1, now = now})
  self.ledger:change(parent, {routes = routes})
  for _, key in ipairs(keys) do self.ledger:change(key, {parent = parent}) end
  self:tell_all(parent, self:owed(parent, records[parent]))
end

function Desk:tell_all(key, owed)
  for route, want in pairs(owed) do self:tell(key, self.ledger.records[key], route, want) end
end

local function group_of(self, key, record)
  if self.settings.group_by == "all" then return "" end
  return (record.notice or record.job == rules.SELF) and key or record.job
end

-- Tells what is due of all that is owed.
function Desk:round(now)
  local owed, list = {}, {}
  for key, record in pairs(self.ledger.records) do
    local words = self:owed(key, record)
    if next(words) then
      local known = next(record.told) or record.notice or rules.is_summary(key)
      owed[key] = words
      list[key] = {group = group_of(self, key, record), fresh = record.want and not known}
    end
  end
  local keys, many = self.groups:look(list, now)
  if many and #many > 1 then self:summarize(many, owed) elseif many then keys[#keys + 1] = many[1] end
  table.sort(keys)
  for _, key in ipairs(keys) do self:tell_all(key, owed[key]) end
end

-- Passing time

function Desk:remind(key, record, now)
  if record.notice or not record.want or not next(record.told) or self:silenced(record) then return end
  if now - record.reminded < self.settings["repeat"] then return end
  self.ledger:change(key, {reminded = now})
  local e = rules.reminder(self.ledger.records[key], self.full[key])
  local routes = {}
  for route in pairs(record.told) do routes[route] = self.sender.routes[route] and true end
  self:pass_on(e, routes)
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
  if record.want and rules.is_summary(key) and not self.ledger:speaks_for(key) then
    self.ledger:success(key, record.event, {after = 1, now = now})
  elseif record.notice and age >= self.settings["repeat"] or settled(record) and age >= CLOSED then
    self.ledger:drop(key)
    self.full[key] = nil
  end
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
  local now = self.now()
  self:look_for_overdue(now)
  for _, key in ipairs(text.keys(self.ledger.records)) do
    local record = self.ledger.records[key]
    self:remind(key, record, now)
    self:tidy(key, record, now)
  end
  self:refresh(now)
  self:live(now)
  self:round(now)
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
  self.whole = true
  self:equip(options.sender or self.sender, options.by_name or by_name(options.jobs), rules.settings(options.settings))
  if not self.state then return end
  self.overdue = Overdue.new(options.watched or self.jobs, self.overdue.marks, self.now())
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
