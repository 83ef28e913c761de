-- A schedule.yml that is not at work: its mistakes, and what it would change. Templates, calendars and hooks are those
-- of the daemon's folder.
local diff = require "reload.diff"
local json = require "json"
local lint = require "lint"
local problems = require "problems"
local reply = require "web.reply"
local clock = require "clock"
local schedule = require "schedule"
local steps = require "steps"
local yaml = require "yaml"

local draft = {}

local NAME <const> = "schedule.yml"

local function load(daemon, text)
  local options = daemon.options
  local path = options.dir .. "/" .. NAME
  return schedule.load {dir = options.dir, name = NAME, instance = options.instance,
    namespace = daemon.where.namespace, watched = options.watch_namespaces, hooks = options.hooks,
    pause = steps.new(), open = function(file) return yaml.load(file, file == path and text or nil) end}
end

local function causes_of(plan)
  local causes = {}
  for i, problem in ipairs(plan.problems) do
    causes[i] = {reason = problem.severity == "error" and "FieldValueInvalid" or "Warning",
      message = problems.format(problem), field = ("%s:%d:%d"):format(problem.file, problem.line, problem.column)}
  end
  return json.array(causes)
end

local function refused(plan)
  local errors = plan.problems:errors()
  if errors == 0 then return nil end
  return reply.error(422, ("the schedule has %d mistakes"):format(errors), {causes = causes_of(plan)})
end

function draft.check(daemon, request)
  local plan = load(daemon, request.body)
  lint.add(plan, {now = clock.now()})
  return refused(plan) or reply.json(200, {jobs = #plan.jobs, warnings = causes_of(plan)})
end

function draft.diff(daemon, request)
  local plan = load(daemon, request.body)
  local refusal = refused(plan)
  if refusal then return refusal end
  local changes = diff.jobs(daemon.control.jobs, plan.jobs, steps.new())
  for i, change in ipairs(changes) do
    changes[i] = {name = change.name, what = change.what, fields = change.fields and json.array(change.fields),
      slots_count_from_now = change.what == "added" or change.slots or nil}
  end
  return reply.json(200, {kind = "Diff", jobs = json.array(changes),
    settings = json.array(diff.keys(daemon.plan.settings, plan.settings))})
end

return draft
