-- The auditor: sees every change in the API server and all that daemons tell, and says what must not be. It shares
-- nothing with the daemons but the schedule file and the cron engine.
local clock = require "clock"
local cron = require "cron"
local json = require "json"
local yaml = require "yaml"

local Audit = {}
Audit.__index = Audit

local NS <const> = 1000000000
local ENOUGH <const> = 5
local RETENTION <const> = 120

local file <close> = assert(io.open "tests/sim/schedule.yml")
local schedule = yaml.parse(file:read "a")
local jobs = {}
for name, job in pairs(schedule) do
  if name ~= "settings" then
    jobs[#jobs + 1] = {name = name, cron = assert(cron.parse(job.cron)), retries = job.retries and job.retries.max or 0,
      no_skip = job.catch_up == "all" and job.overlap == "allow"}
  end
end
table.sort(jobs, function(a, b) return a.name < b.name end)

function Audit.new(world)
  return setmetatable({world = world, wrongs = {}, pods = {}, decided = {}, undecided = {}, checked = {},
    baselines = nil, mark = 0}, Audit)
end

function Audit:wrong(format, ...)
  local text = format:format(...)
  self.wrongs[#self.wrongs + 1] = text
  self.full = #self.wrongs >= ENOUGH
  self.world:note("WRONG: %s", text)
end

local function key_of(job, slot) return job .. "@" .. slot end

local function slots(job, from, to) -- of (from, to]
  local out, slot = {}, job.cron:next(from)
  while slot and slot <= to do
    out[#out + 1] = slot
    slot = job.cron:next(slot)
  end
  return out
end

-- A daemon told of a run or a slot.
function Audit:told(run)
  if run.outcome then return end
  if not run.missed or run.missed == 0 then
    self.decided[key_of(run.job, run.slot)] = self.decided[key_of(run.job, run.slot)] or "skipped"
    return
  end
  for _, job in ipairs(jobs) do
    if job.name == run.job then
      for _, slot in ipairs(slots(job, run.missed_from - 1, run.slot)) do
        self.decided[key_of(job.name, slot)] = self.decided[key_of(job.name, slot)] or "skipped"
      end
    end
  end
end

-- A request leaves a daemon.
function Audit:sent(daemon, request)
  if request.method ~= "POST" or request.at.kind ~= "Pod" then return end
  local holder = self.holder
  if holder and holder ~= "" and holder ~= daemon.identity then
    self:wrong("%s sends a create while %s leads", daemon.identity, holder)
  end
end

function Audit:created(pod)
  local meta = pod.metadata
  local notes = meta.annotations
  local seen = self.pods[meta.name]
  if seen then return self:wrong("%s was created twice", meta.name) end
  local slot, attempt = clock.parse(notes["kube-scheduler/slot"]), tonumber(notes["kube-scheduler/attempt"])
  self.pods[meta.name] = {job = notes["kube-scheduler/job-name"], slot = slot, attempt = attempt, at = self.world.now}
  if attempt == 0 then self.decided[key_of(notes["kube-scheduler/job-name"], slot)] = "run" end
  if slot > self.world.now // NS then self:wrong("%s was created before its slot", meta.name) end
end

function Audit:deleted(pod)
  local name = pod.metadata.name
  local seen = self.pods[name]
  if seen.slot > self.mark then self:wrong("%s was deleted before its slot was decided", name) end
  if not (pod.metadata.annotations or {})["kube-scheduler/reported"] then
    self:wrong("%s was deleted before its outcome was told", name)
  end
  if not seen.ended then self:wrong("%s was deleted while it ran", name) end
  if self.world.now - seen.at < RETENTION * NS then seen.early = true end
end

function Audit:baseline_of(job)
  local entry = self.baselines and self.baselines[job.name]
  return entry and entry.since
end

-- Up to the mark every slot has its object, its skip, or its place in the open list.
function Audit:check_mark(mark, open)
  local listed = {}
  for _, entry in ipairs(open) do listed[key_of(entry.job, entry.slot)] = true end
  for key in pairs(self.undecided) do
    if self.decided[key] then
      self.undecided[key] = nil
    elseif not listed[key] then
      self:wrong("%s left the open list undecided", key)
      self.undecided[key] = nil
    end
  end
  for _, job in ipairs(jobs) do
    local since = self:baseline_of(job)
    local from = math.max(self.checked[job.name] or 0, since or mark)
    for _, slot in ipairs(slots(job, from, mark)) do
      local key = key_of(job.name, slot)
      if listed[key] and not self.decided[key] then
        self.undecided[key] = true
      elseif not self.decided[key] then
        self:wrong("the watermark passed %s, undecided", key)
      end
    end
    self.checked[job.name] = math.max(from, mark)
  end
end

function Audit:lease_written(lease)
  self.holder = lease.spec.holderIdentity ~= json.null and lease.spec.holderIdentity or nil
  local notes = lease.metadata.annotations or {}
  local mark = math.tointeger(tonumber(notes["kube-scheduler/watermark"]))
  if not mark then return end
  if mark < self.mark then self:wrong("the watermark went back from %d to %d", self.mark, mark) end
  self.mark = mark
  self:check_mark(mark, json.parse(notes["kube-scheduler/open"] or "[]"))
end

-- The API server carried something out.
function Audit:changed(change)
  local object = change.object
  if change.kind == "Lease" then return self:lease_written(object) end
  if change.kind == "ConfigMap" then
    self.baselines = json.parse(object.data.baselines or "{}")
    return
  end
  if change.what == "ADDED" then return self:created(object) end
  local seen = self.pods[object.metadata.name]
  local phase = object.status.phase
  if phase == "Succeeded" or phase == "Failed" then seen.ended = seen.ended or phase end
  if change.what == "DELETED" then self:deleted(object) end
end

-- When all is over: every slot of the time of faults is decided, and every failure was tried again.
function Audit:finish()
  if self.full then return end
  local until_slot = self.world.chaos_ends // NS
  for _, job in ipairs(jobs) do
    local since = self:baseline_of(job)
    if not since then self:wrong("nobody ever led") return end
    for _, slot in ipairs(slots(job, since, until_slot)) do
      local what = self.decided[key_of(job.name, slot)]
      if not what or what == "skipped" and job.no_skip then
        self:wrong("%s was %s", key_of(job.name, slot), what or "lost")
      end
    end
  end
  self:check_retries(until_slot)
end

function Audit:check_retries(until_slot)
  local attempts = {}
  for _, pod in pairs(self.pods) do attempts[key_of(pod.job, pod.slot) .. "/" .. pod.attempt] = true end
  for name, pod in pairs(self.pods) do
    for _, job in ipairs(jobs) do
      if job.name == pod.job and pod.ended == "Failed" and pod.attempt < job.retries and pod.slot <= until_slot
        and not attempts[key_of(pod.job, pod.slot) .. "/" .. pod.attempt + 1] then
        self:wrong("%s failed and was not tried again", name)
      end
    end
  end
end

return Audit
