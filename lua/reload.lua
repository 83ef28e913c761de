-- Takes up changes of the schedule, its templates and hooks while the scheduler runs, as one transaction: all of it is
-- read and checked, then it takes the place of the old, or the old stays at work and it is said why. Runs that are
-- active or wait are not touched; a job whose slots changed counts from now, and one that did not keeps its next slot.
--
-- Slots do not wait for it: files are read and parsed on another thread, the rest goes in steps (lua/steps.lua) between
-- which slots are decided. Until all is checked and the new baselines are durable, that is by the old version; then
-- jobs change over one by one, each within one step, so that what the registry knows of a job and what is run of it are
-- always of one version. A job's slots up to there are the old version's, those behind it the new one's: none is asked
-- for twice, and none is left out.
--   local r = Reload.new{…}; r:begin()         looks whenever something changes, and at SIGHUP
--   r:describe() -> {since=, refused={at=, problems={text, …}} or nil}
local baseline = require "baseline"
local clock = require "clock"
local diff = require "reload.diff"
local event = require "event"
local folder = require "hooks.folder"
local log = require "log"
local Overdue = require "incident.overdue"
local problems = require "problems"
local Runner = require "runner"
local sources = require "reload.sources"
local steps = require "steps"
local sys = require "sys"
local task = require "task"
local text = require "text"
local watch = require "reload.watch"

local Reload = {}
Reload.__index = Reload

local SETTLE <const> = 0.2       -- seconds between two reads that must find the same
local TRIES <const> = 20
local MOST_LOGGED <const> = 1000 -- jobs of one change
local MOST_ALERTS <const> = 10   -- of one refusal
local MOST_TOLD <const> = 20     -- mistakes in `status`

-- What the registry knows of; a change of these is not taken up before the next start.
local NEEDS_RESTART <const> = {retention = true, history_rows = true}

-- options:
--   load = function(sources, pause) -> plan             of schedule.load
--   hooks_dir =, start_hooks = function(found, settings) -> hooks   found: of hooks.folder
--   sender_of = function(settings) -> sender of alerts; or nil, why
--   plan =, hooks =                                              those at work
--   runner =, registry =, lead =, control =, alerts =, shown =   those to be told
function Reload.new(options)
  local self = setmetatable(options, Reload)
  self.since = clock.now()
  return self
end

-- Everything there is to read, read twice: {plan=, found=, sources=}; nil and why when it keeps changing.
function Reload:read()
  for _ = 1, TRIES do
    local from = sources.new()
    local plan = self.load(from, steps.new())
    local found = folder.read(self.hooks_dir, from)
    task.sleep(SETTLE)
    if from:same() then return {plan = plan, found = found, sources = from} end
  end
  return nil, ("the files kept changing for %d s"):format(TRIES * SETTLE)
end

-- A folder's files as one thing that can be compared.
local function equal_texts(a, b) return #diff.keys(a.sources, b.sources) == 0 end

function Reload:hooks_changed(new)
  return not self.found or not equal_texts(self.found, new.found)
    or #diff.keys({hooks = self.plan.settings.hooks}, {hooks = new.plan.settings.hooks}) > 0
end

-- A hook file's mistake at its place; the message of Lua begins with it.
local function add_hook_problem(list, problem)
  local first_line = problem.message:match "^[^\n]*" -- the traceback is in the log
  local line, message = first_line:match "^.-:(%d+): (.*)$"
  list:error({file = problem.file or "hooks", line = line and math.tointeger(line)}, "%s", message or first_line)
end

-- The hooks that the new version has: started and loaded, or those at work when nothing about them changed.
function Reload:prepare_hooks(new, again)
  if not self:hooks_changed(new) and not (again and #self.hooks:problems() > 0) then return self.hooks end
  local host = self.start_hooks(new.found, new.plan.settings)
  for _, problem in ipairs(host:problems()) do add_hook_problem(new.plan.problems, problem) end
  return host
end

-- nil: the one at work is right.
function Reload:prepare_sender(new)
  if #diff.keys({alerts = self.plan.settings.alerts}, {alerts = new.plan.settings.alerts}) == 0 then return end
  local sender, why = self.sender_of(new.plan.settings)
  if not sender then new.plan.problems:error({file = new.plan.files[1]}, "settings: %s", why) end
  return sender
end

-- Makes new.hooks and new.sender. What failed is among the plan's problems.
function Reload:prepare(new, again)
  if new.plan.problems:errors() > 0 then return end -- a schedule that is wrong starts nothing
  new.hooks = self:prepare_hooks(new, again)
  new.sender = self:prepare_sender(new)
end

function Reload:refuse(cause, list)
  local lines = {}
  for _, problem in ipairs(list) do
    if problem.severity == "error" then lines[#lines + 1] = problems.format(problem) end
  end
  local all = table.concat(lines, "\n")
  local known = self.refused and self.refused.all == all
  self.refused = {at = known and self.refused.at or clock.now(), all = all,
    problems = table.move(lines, 1, math.min(#lines, MOST_TOLD), 1, {}), count = #lines}
  for _, line in ipairs(lines) do log.error(line) end
  log.error("the new configuration is refused, the old one stays at work", {cause = cause, mistakes = #lines})
  if known then return end
  local sent = 0
  for _, problem in ipairs(list) do
    if problem.severity == "error" and sent < MOST_ALERTS then
      self.alerts:send(event.of_problem(problem))
      sent = sent + 1
    end
  end
end

local function log_job(change)
  if change.what ~= "changed" then return log.info("job " .. change.what, {job = change.name}) end
  log.info("job changed", {job = change.name, what = table.concat(change.fields, ", "),
    slots = change.slots and "count from now" or nil})
end

local function log_changes(changes, settings, pause)
  for i, change in ipairs(changes) do
    if i > MOST_LOGGED then
      log.info("more jobs changed", {count = #changes - MOST_LOGGED})
      break
    end
    log_job(change)
    pause()
  end
  for _, key in ipairs(settings) do
    log[NEEDS_RESTART[key] and "warning" or "info"]("settings changed", {what = key,
      from = NEEDS_RESTART[key] and "the next start on" or nil})
  end
end

-- Whether the registry has to hear of a change, which is not so of a new image.
local function concerns_registry(change)
  if change.what ~= "changed" or change.slots then return true end
  local old, new = Runner.spec(change.old), Runner.spec(change.new)
  old.schedule, new.schedule, old.baseline, new.baseline = nil, nil, nil, nil
  return #diff.keys(old, new) > 0
end

function Reload:swap_in_registry(change)
  if not concerns_registry(change) then return end
  if change.old and change.old.schedule then self.registry:remove(change.name) end
  if not (change.new and change.new.schedule) then return end
  local added, message = self.registry:add(Runner.spec(change.new))
  if not added then log.error("the job could not be taken up", {job = change.name, error = message}) end
end

-- -> those that may be overdue, {NAME = job}.
function Reload:swap_jobs(plan, changes, pause)
  assert(self.registry:limit {limits = plan.settings.limits, max_active = plan.settings.max_active})
  for _, change in ipairs(changes) do
    if self.lead.begun then self:swap_in_registry(change) end
    self.runner:set_job(change.name, change.new)
    pause()
  end
  local watched = {}
  for _, job in ipairs(plan.jobs) do -- those that only stand elsewhere now, too
    self.runner:set_job(job.name, job)
    if Overdue.is_watched(job) then watched[job.name] = job end
    pause()
  end
  return watched
end

function Reload:swap_hooks(host)
  local old = self.hooks
  if host == old then return end
  self.hooks = host
  self.runner:set_hooks(host)
  task.spawn(function() old:close() end)
end

-- From when on the new jobs' slots count, durably. true; nil and why.
function Reload:keep_baselines(plan, pause)
  if not self.lead.begun then return true end
  local known = self.lead.baselines
  local undo = baseline.apply(plan.jobs, known, clock.now(), true, pause)
  if not undo then return true end
  local kept, message = self.lead.state:write("baselines", known, pause)
  if not kept then baseline.merge(known, undo) end
  return kept, message
end

function Reload:commit(new, changes, pause)
  local watched = self:swap_jobs(new.plan, changes, pause)
  self:swap_hooks(new.hooks)
  self.alerts:configure {sender = new.sender, by_name = self.runner.jobs, watched = watched,
    settings = new.plan.settings.alerts}
  self.runner.settings = new.plan.settings
  self.shown.plan, self.shown.hooks = new.plan, new.hooks
  for _, holder in ipairs {self.lead, self.control} do holder.jobs = new.plan.jobs end
  self.lead.whole, self.control.bad = true, new.plan.bad
  self.plan, self.found, self.sources = new.plan, new.found, new.sources
  self.refused, self.since = nil, clock.now()
end

function Reload:announce(cause, changes, settings, hooks_changed, pause)
  local counts, first = {added = 0, removed = 0, changed = 0}, {}
  for _, change in ipairs(changes) do
    counts[change.what] = counts[change.what] + 1
    if counts[change.what] <= event.NAMED then first[#first + 1] = change end
    pause()
  end
  counts.cause, counts.jobs, counts.hooks = cause, #self.plan.jobs, hooks_changed and "changed" or nil
  log.info("reloaded", counts)
  self.hooks:fire("on_reload", event.of_reload {at = self.since, changes = first, settings = settings,
    hooks = hooks_changed})
end

-- Between becoming the leader and deciding slots, jobs must stay as they are.
function Reload:wait_for_leader()
  while self.lead.leads and not self.lead.begun and not self.lead.lost do task.sleep(0.1) end
end

function Reload:take_up(new, cause)
  self:wait_for_leader()
  self.lead.reloading = true
  local _ <close> = setmetatable({}, {__close = function() self.lead.reloading = nil end})
  local hooks_changed = new.hooks ~= self.hooks
  local pause = steps.new()
  local changes = diff.jobs(self.plan.jobs, new.plan.jobs, pause)
  local settings = diff.keys(self.plan.settings, new.plan.settings)
  local kept, message = self:keep_baselines(new.plan, pause)
  if not kept then
    if hooks_changed then new.hooks:close(0) end
    log.warning("not reloaded yet: the state could not be written", {error = message})
    return false
  end
  for _, problem in ipairs(new.plan.problems) do log.warning(problems.format(problem)) end
  if self.refused then log.info "the configuration is good again" end
  self:commit(new, changes, pause)
  log_changes(changes, settings, pause)
  if #changes + #settings > 0 or hooks_changed or cause == "SIGHUP" then
    self:announce(cause, changes, settings, hooks_changed, pause)
  end
  return true
end

-- Reads everything and takes it up, or says why not.
function Reload:run(cause)
  local new, why = self:read()
  if not new then return log.warning("not reloaded yet: " .. why, {cause = cause}) end
  self.watch:folders(new.sources:folders())
  if cause ~= "SIGHUP" and self.sources and self.sources:equals(new.sources) then
    if self.refused then log.info("the configuration is good again: it is the one at work") end
    self.refused = nil
    return
  end
  self:prepare(new, cause == "SIGHUP")
  if new.plan.problems:errors() > 0 then
    if new.hooks and new.hooks ~= self.hooks then new.hooks:close(0) end
    self.read_last = new.sources
    return self:refuse(cause, new.plan.problems)
  end
  if self:take_up(new, cause) then self.read_last = new.sources end
end

-- A look that costs little where nothing changed.
function Reload:look(cause)
  if cause ~= "SIGHUP" and self.read_last and self.read_last:same() then return end
  self:run(cause)
  if self.shown.on_look then self.shown.on_look(self:describe()) end
end

local function warn_of_mounts(paths)
  for _, path in ipairs(paths) do
    if watch.mounted_alone(path) then
      log.warning("this file is mounted by itself (subPath): no change of its ConfigMap will reach us; " ..
        "mount the folder instead", {file = path})
    end
  end
end

-- first = {found=, sources=} as the version at work was read.
function Reload:begin(first)
  self.found, self.sources, self.read_last = first.found, first.sources, first.sources
  warn_of_mounts(text.keys(first.sources.files))
  self.watch = watch.new {look = function(cause) self:look(cause) end}
  self.watch:folders(first.sources:folders())
  sys.on_signal("HUP", function() self.watch:ask "SIGHUP" end)
end

function Reload:stop() self.watch:close() end

function Reload:describe()
  local refused = self.refused
  return {since = self.since,
    refused = refused and {at = refused.at, count = refused.count, problems = refused.problems}}
end

return Reload
