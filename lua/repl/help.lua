-- What help() says of each function of the REPL: how it is called, and what it does.
local text = require "text"

local entries = {
  jobs = {"jobs()", "The jobs of the schedule that was loaded, with their next slots."},
  next = {'next("EXPRESSION or JOB"[, n[, from]])', "Its next n slots, 5 by default. next(table) is Lua's."},
  explain = {'explain("EXPRESSION or JOB")', "What it says in words, and what changes of the clock do to it."},
  load = {'load "schedule.yml"', "Reads a schedule and tells its mistakes. Of anything but a file: Lua's load."},
  template = {'template("JOB"[, slot])', "The manifest that would be created for a slot, by default the next."},
  fire = {'fire("HOOK", "JOB"[, {field = value, …}])', [[
Calls the hooks of that name as if it had happened to a run of the job, and shows what hooks and the scheduler
would send. The fields are those of lua/HOOKS.md, such as exit_code, outcome, log_tail, slot, attempt.]]},
  clock = {"clock.set(time)  clock.advance(duration)  clock.run_until(time)", [[
From the first of these on, time stands still but for them, and the jobs loaded live in it: slots go through hooks
and rules, nothing is started or sent. set begins anew at a time, the others let everything happen on the way.
Times: "2026-11-24T08:00:00Z", "+2h"; durations: "90m", 60. Also clock.now(), clock.format(t), …]]},
  help = {"help([name or function])", "This list, or one of its entries."},
}

local TAIL <const> = [[


An expression is printed; also = EXPRESSION. TAB completes, Ctrl-C drops the line, Ctrl-D leaves.
Modules: ]]

-- env: where the functions are; modules: names of those that are there too.
return function(env, modules, ...)
  if select("#", ...) == 0 then
    local lines = {}
    for i, name in ipairs(text.keys(entries)) do lines[i] = entries[name][1] end
    return table.concat(lines, "\n") .. TAIL .. table.concat(modules, ", ")
  end
  local what = ...
  for name, entry in pairs(entries) do
    if what == name or what ~= nil and what == env[name] then return entry[1] .. "\n" .. entry[2] end
  end
  return "no help for that; help() lists what there is"
end
