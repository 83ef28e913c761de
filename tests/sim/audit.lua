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

local file <close> = assert(io.open "tests/sim/schedule.yml")
local schedule = yaml.parse(file:read "a")
local jobs, retries = {}, {}
for name, job in pairs(schedule) do
  if name ~= "settings" then
    jobs[#jobs + 1] = {name = name, cron = assert(cron.parse(job.cron)),
      no_skip = job.catch_up == "all" and job.overlap == "allow"}
    retries[name] = job.retries and job.retries.max or 0
  end
end
table.sort(jobs, function(a, b) return a.name < b.name end)

function Audit.new(world)
  return setmetatable({world = world, wrongs = {}, pods = {}, decided = {}, undecided = {}, checked = {}, told_of = {},
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

function Audit:decide(job, slot, how)
  local key = key_of(job, slot)
  self.decided[key] = self.decided[key] or how
end

-- A daemon told of a run, or of slots that have none.
function Audit:told(run)
  self.told_of[run.run] = run.replaced and "replaced" or "told"
  if run.attempt > 0 then return end
  local how = run.outcome and "over" or "skipped"
  if not run.missed or run.missed == 0 then return self:decide(run.job, run.slot, how) end
  for _, job in ipairs(jobs) do
    for _, slot in ipairs(job.name == run.job and slots(job, run.missed_from - 1, run.slot) or {}) do
      self:decide(run.job, slot, how)
    end
  end
end

-- A daemon's job was changed, and perhaps suspended: each later slot knows of it.
function Audit:ordered(daemon, order)
  order.at = self.world.now
  daemon.order = order
end

function Audit:check_order(order, text)
  local pod = json.parse(text)
  local notes = pod.metadata.annotations
  local slot = clock.parse(notes["kube-scheduler/slot"])
  if notes["kube-scheduler/job-name"] ~= order.ordered or slot * NS <= order.at then return end
  if order.suspended then self:wrong("%s was created although it is suspended", pod.metadata.name) end
  if pod.spec.containers[1].args[1] ~= tostring(order.version) then
    self:wrong("%s was created as it no longer stands in the schedule", pod.metadata.name)
  end
end

-- A request leaves a daemon.
function Audit:sent(daemon, request)
  if request.method ~= "POST" or request.at.kind ~= "Pod" and request.at.kind ~= "Job" then return end
  local holder = self.holder
  if holder and holder ~= "" and holder ~= daemon.identity then
    self:wrong("%s sends a create while %s leads", daemon.identity, holder)
  end
  if daemon.order then self:check_order(daemon.order, request.body) end
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
  -- One that came after its run was given up, which was told, is not marked.
  if not (pod.metadata.annotations or {})["kube-scheduler/reported"] and not self.told_of[name] then
    self:wrong("%s was deleted before its outcome was told", name)
  end
  if pod.status.phase == "Running" then self:wrong("%s was deleted while it ran", name) end
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
  if object.metadata.deletionTimestamp then seen.stopped = true end -- what it earns then is its scheduler's to say
  if (phase == "Succeeded" or phase == "Failed") and not seen.ended then
    seen.ended, seen.ended_at = phase, self.world.now
  end
  seen.reported = change.what == "DELETED" or object.metadata.annotations["kube-scheduler/reported"]
  if change.what == "DELETED" then self:deleted(object) end
end

-- What is owed at the end, as texts: of the time of faults every slot is decided, every failure was tried again and
-- every end was told, for good.
function Audit:debts()
  local debts, until_slot = {}, self.world.chaos_ends // NS
  for _, job in ipairs(jobs) do
    local since = self:baseline_of(job)
    if not since then return {"nobody ever led"} end
    for _, slot in ipairs(slots(job, since, until_slot)) do
      local what = self.decided[key_of(job.name, slot)]
      if not what or what == "skipped" and job.no_skip then
        debts[#debts + 1] = ("%s was %s"):format(key_of(job.name, slot), what or "lost")
      end
    end
  end
  for name, pod in pairs(self.pods) do
    local next_attempt = ("%s-r%d"):format((name:gsub("%-r%d+$", "")), pod.attempt + 1)
    if pod.ended and not pod.reported and pod.ended_at < self.world.chaos_ends then
      debts[#debts + 1] = name .. " was not marked as told"
    end
    local earns = pod.ended == "Failed" and not pod.stopped and self.told_of[name] ~= "replaced"
    if earns and pod.attempt < retries[pod.job] and pod.slot <= until_slot
      and not self.pods[next_attempt] and not self.told_of[next_attempt] then
      debts[#debts + 1] = name .. " failed and was not tried again"
    end
  end
  table.sort(debts)
  return debts
end

function Audit:is_settled() return #self:debts() == 0 end

function Audit:finish()
  if self.full then return end
  for _, debt in ipairs(self:debts()) do self:wrong("%s", debt) end
end

return Audit
