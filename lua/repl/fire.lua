-- fire: the hooks called by hand, with an event that did not happen.
local alert_event = require "alert.sender.event"
local clock = require "clock"
local event = require "event"
local known = require "hooks.known"
local names = require "names"
local nearest = require "nearest"

local TOLD <const> = {on_failed = true, on_skipped = true, on_recovered = true} -- the scheduler alerts of these
local OUTCOMES <const> = {
  on_succeeded = {"succeeded", 0}, on_recovered = {"succeeded", 0},
  on_failed = {"failed", 1}, on_attempt_failed = {"failed", 1},
}

local function check_fields(fields)
  local allowed = {}
  for _, name in ipairs(known.event_fields) do allowed[name] = true end
  for field in pairs(fields) do
    if not allowed[field] then
      error(("an event has no field '%s'%s"):format(field, nearest.hint(tostring(field), known.event_fields)), 0)
    end
  end
end

-- A run to which it could have happened, at the job's last slot.
local function made_up_run(job, hook, fields, instance)
  local now = clock.now()
  local run = {job = job.name, namespace = job.namespace, attempt = 0, trigger = "schedule", lateness = 0,
    slot = job.schedule and job.schedule:previous(now + 1) or now, log_tail = {}}
  if OUTCOMES[hook] then run.outcome, run.exit_code = table.unpack(OUTCOMES[hook]) end
  for field, value in pairs(fields) do run[field] = value end
  run.name = names.slot {instance = instance, namespace = job.namespace, job = job.name, slot = run.slot,
    attempt = run.attempt}
  return run
end

-- Shows what hooks and the scheduler would send. Gives the answer of a hook that decides.
return function(world, hook, name, fields)
  fields = fields or {}
  check_fields(fields)
  local job, instance = world:job(name), world.options.instance
  local run = made_up_run(job, hook, fields, instance)
  local e = event.of_run(hook == "on_failed" and run.outcome or tostring(hook):gsub("^on_", ""), run, job)
  local answer = world:fire(hook, e)
  if TOLD[hook] then
    local alert = alert_event.complete(event.for_alert(e), {instance = instance}, clock.now())
    world.say(("alert of the scheduler: [%s] %s"):format(alert.severity, alert.text))
  end
  if answer ~= nil then return answer end
end
