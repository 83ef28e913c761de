-- kube-scheduler jobs: each job with its next slot and its last outcome.
local ask = require "ask"
local calendar = require "calendar"
local clock = require "clock"
local json = require "json"
local output = require "output"
local problems = require "problems"
local schedule = require "schedule"
local terminal = require "terminal"
local when = require "when"

local options, code = ask.parse({
  name = "jobs", usage = "[JOB] [options]", most = 1,
  summary = "Prints the jobs of the running scheduler; of the schedule file when none is running.",
  options = {output.watch},
}, arg)
if not options then return code end

-- What the file alone can say; nil and an exit code when there is none.
local function from_file()
  local plan, rows = schedule.load(options), {}
  for _, problem in ipairs(plan.problems) do io.stderr:write(problems.format(problem), "\n") end
  if #plan.files == 0 then return nil, 1 end
  for _, job in ipairs(plan.jobs) do
    if not options.words[1] or options.words[1] == job.name then
      rows[#rows + 1] = {name = job.name, namespace = job.namespace,
        next = job.schedule and calendar.next(job, clock.now()), cron = json.array(schedule.expressions(job)),
        timezone = job.timezone, disabled = job.schedule == nil or nil, description = job.description}
    end
  end
  return {rows = json.array(rows)}
end

local styles = {succeeded = "green", skipped = "yellow"}
local header = {"job", "next", "", "last", "of", "active", "state", "namespace", "cron", "timezone", "description"}
local NARROW <const> = 7 -- columns, without -o wide

local function order_text(what, order)
  return what .. (order["until"] and " until " .. clock.format(order["until"]) or "") ..
    (order.reason and ": " .. order.reason or "")
end

local function row_of(job, now)
  local last = job.last
  local state = job.disabled and "disabled" or job.suspended and order_text("suspended", job.suspended)
  return {job.name, job.next and clock.format(job.next), job.next and when.relative(job.next, now),
    last and {last.outcome, style = styles[last.outcome] or "red"}, last and clock.format(last.slot),
    job.active ~= 0 and job.active or nil, state and {state, style = "yellow"}, job.namespace,
    table.concat(job.cron or {}, ", "), job.timezone, job.description}
end

local function table_of(answer, wide)
  local rows, now = {}, clock.now()
  for i, job in ipairs(answer.rows) do rows[i] = row_of(job, now) end
  return (answer.paused and order_text("all jobs are paused", answer.paused) .. "\n" or "") ..
    terminal.stdout():table(header, rows, {right = {[6] = true}, columns = not wide and NARROW or nil})
end

local function names_of(rows)
  local names = {}
  for i, job in ipairs(rows) do names[i] = job.name end
  return names
end

return output.show(options, function()
  local answer, message = ask.try(options, {command = "jobs", job = options.words[1]})
  if answer and answer.error then return nil, ask.complain(options, 1, "%s", answer.error) end
  if not answer and options.server then return nil, ask.complain(options, 1, "%s", message) end
  if not answer then
    ask.complain(options, 0, "%s; this is what %s/%s says", message, options.dir, options.name)
    local failure
    answer, failure = from_file()
    if not answer then return nil, failure end
  end
  return output.text(options, answer.rows, {names = names_of(answer.rows),
    text = function(wide) return table_of(answer, wide) end})
end)
