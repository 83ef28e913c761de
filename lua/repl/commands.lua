-- The functions of the REPL (repl/help.lua says what each does). Everything else is Lua with the modules of
-- lua/API.md.
local calendar = require "calendar"
local clock = require "clock"
local explain = require "explain"
local fire = require "repl.fire"
local help = require "repl.help"
local names = require "names"
local preview = require "preview"
local template = require "template"
local text = require "text"
local when = require "when"
local yaml = require "yaml"

local MODULES <const> = {"cron", "json", "log", "sys", "task", "yaml"}

local Commands = {}
Commands.__index = Commands

-- Data with the text that it is printed as.
local function view(data, to_text) return setmetatable(data, {__tostring = to_text}) end

-- A time as people write it, or unix seconds.
local function instant(value)
  if math.type(value) == "integer" then return value end
  local t, message = when.parse(tostring(value), clock.now())
  return t or error(message, 0)
end

local function seconds(value)
  local duration, expected = text.duration(value)
  return duration or error(expected, 0)
end

-- The job of that name, or an expression.
function Commands:subject(word)
  for _, job in ipairs(self.world.plan.jobs) do
    if job.name == word then return preview.job(job) end
  end
  local subject, message = preview.expression(word, {timezone = self.world.plan.settings.timezone})
  if subject then return subject end
  if not word:find "[%s@]" then self.world:job(word) end
  error(message, 0)
end

local function job_row(job, slot, now)
  return {job.name, type(job.cron) == "table" and table.concat(job.cron, "; ") or job.cron,
    slot and when.civil(slot, job.timezone), slot and when.relative(slot, now)}
end

function Commands:jobs()
  local list, rows, now = {}, {}, clock.now()
  for i, job in ipairs(self.world.plan.jobs) do
    local slot = job.schedule and calendar.next(job, now)
    list[i] = {name = job.name, cron = job.cron, zone = job.timezone, next = slot}
    rows[i] = job_row(job, slot, now)
  end
  return view(list, function()
    if #rows == 0 then return 'no jobs: load "schedule.yml"' end
    return self.out:table({"job", "cron", "next", "from now"}, rows)
  end)
end

function Commands:next(what, n, from)
  if type(what) ~= "string" then return next(what, n) end
  local subject, now = self:subject(what), clock.now()
  local slots, list = preview.slots(subject, from and instant(from) or now, n or 5), {}
  for i, slot in ipairs(slots) do list[i] = preview.record(subject, slot, subject.zone) end
  return view(list, function()
    if #slots == 0 then return preview.ending(subject, subject.zone) end
    return preview.table(self.out, subject, slots, subject.zone, now)
  end)
end

function Commands:explain(what)
  local subject, now = self:subject(what), clock.now()
  if not subject.schedule then return preview.ending(subject, subject.zone) end
  local found = explain.of(subject, now)
  return view(found, function() return explain.text(self.out, subject, found, subject.zone, now) end)
end

function Commands:load(what, ...)
  local is_file = type(what) == "string" and what:find "%.ya?ml%f[^%w]" and not what:find "\n"
  if not is_file then return load(what, ...) end
  return ("%s: %s"):format(what, text.count(#self.world:load(what).jobs, "job"))
end

function Commands:template(name, slot)
  local job, instance = self.world:job(name), self.world.options.instance
  slot = slot and instant(slot) or job.schedule and job.schedule:next(clock.now()) or clock.now()
  local owner = {instance = instance, namespace = job.namespace, job = job.name, slot = slot, attempt = 0}
  return yaml.encode(template.render(template.of(job), {job = job.name, name = names.slot(owner), instance = instance,
    slot = slot, attempt = 0, trigger = "schedule"}))
end

function Commands:fire(...) return fire(self.world, ...) end

function Commands:help(...) return help(self.env, MODULES, ...) end

-- The module clock, with the ways to turn it.
local function clock_of(world)
  return setmetatable({
    set = function(t)
      world:set_clock(instant(t))
      return clock.format(clock.now())
    end,
    advance = function(duration) return world:run_until(clock.now() + seconds(duration)) end,
    run_until = function(t) return world:run_until(instant(t)) end,
  }, {__index = clock})
end

-- world: of repl/world.lua; out: of terminal.lua. Returns the environment of what is typed.
return function(world, out)
  local env = {clock = clock_of(world)}
  local self = setmetatable({world = world, out = out, env = env}, Commands)
  for _, name in ipairs {"jobs", "next", "explain", "load", "template", "fire", "help"} do
    env[name] = function(...) return Commands[name](self, ...) end
  end
  for _, name in ipairs(MODULES) do env[name] = require(name) end
  return setmetatable(env, {__index = _G})
end
