-- kube-scheduler jobs: each job with its next slot and its last outcome.
local ask = require "ask"
local calendar = require "calendar"
local clock = require "clock"
local json = require "json"
local schedule = require "schedule"
local terminal = require "terminal"
local when = require "when"

local options, code = ask.parse({
  name = "jobs", usage = "[JOB] [options]", most = 1,
  summary = "Prints the jobs of the running scheduler; of the schedule file when none is running.",
}, arg)
if not options then return code end

-- What the file alone can say.
local function from_file()
  local plan, rows = schedule.load(options), {}
  for _, job in ipairs(plan.jobs) do
    if not options.words[1] or options.words[1] == job.name then
      local next_slot = job.schedule and calendar.next(job, clock.now())
      rows[#rows + 1] = {name = job.name, namespace = job.namespace, next = next_slot,
        disabled = job.schedule == nil or nil, description = job.description}
    end
  end
  return {rows = json.array(rows)}
end

local answer, message = ask.try(options, {command = "jobs", job = options.words[1]})
if answer and answer.error then return ask.complain(options, 1, "%s", answer.error) end
if not answer then
  ask.complain(options, 0, "%s; this is what %s/%s says", message, options.dir, options.name)
  answer = from_file()
end
if options.format == "json" then
  terminal.json(answer.rows)
  return true
end

local now = clock.now()
local styles = {succeeded = "green", skipped = "yellow"}

local function order_text(what, order)
  return what .. (order["until"] and " until " .. clock.format(order["until"]) or "") ..
    (order.reason and ": " .. order.reason or "")
end

local rows = {}
for i, job in ipairs(answer.rows) do
  local last = job.last
  local state = job.disabled and "disabled" or job.suspended and order_text("suspended", job.suspended)
  rows[i] = {job.name, job.next and clock.format(job.next), job.next and when.relative(job.next, now),
    last and {last.outcome, style = styles[last.outcome] or "red"}, last and clock.format(last.slot),
    job.active ~= 0 and job.active or nil, state and {state, style = "yellow"}}
end
if answer.paused then print(order_text("all jobs are paused", answer.paused)) end
io.write(terminal.stdout():table({"job", "next", "", "last", "of", "active", "state"}, rows, {right = {[6] = true}}))
return true
