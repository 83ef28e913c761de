-- kube-scheduler replay FILE: events that run --record wrote, through the hooks; their effects are shown and not done.
local cli = require "cli"
local clock = require "clock"
local json = require "json"
local log = require "log"
local show = require "repl.show"
local trial = require "hooks.trial"

local options, code = cli.parse({
  name = "replay", usage = "FILE [--hooks DIR]", most = 1,
  summary = "Sends events that run --record FILE wrote through the hooks, and prints what they answer and ask for.\n"
    .. "Nothing is sent. Exit code 1 when a hook fails.",
  options = {
    {name = "dir", value = "DIR", help = "folder of the schedule (default: .)"},
    {name = "hooks", value = "DIR", help = "folder of hooks (default: hooks, beside the schedule)"},
  },
}, arg)
if not options then return code end
log.level "error"

local function complain(...)
  io.stderr:write("kube-scheduler replay: ", (...):format(select(2, ...)), "\n")
  return 1
end

local path, message = cli.one_word(options, "FILE")
if not path then
  complain("%s", message)
  return 2
end
local file
file, message = io.open(path)
if not file then return complain("%s", message) end
local dir = options.hooks or (options.dir or ".") .. "/hooks"
local tried = trial.start {dir = dir, say = function(text) print("  print: " .. text) end}
local failed = 0
for _, problem in ipairs(tried:problems()) do
  failed = failed + 1
  complain("%s/%s", dir, problem)
end

local function tell(record)
  tried.now = record.at
  local answer, failures = tried:fire(record.hook, record.event)
  local effects = tried:take_effects()
  failed = failed + #failures
  print(("%s %s %s"):format(clock.format(record.at), record.hook, record.event.job or "-"))
  if answer then print("  answer: " .. show.value(answer)) end
  for _, effect in ipairs(effects) do print(("  %s"):format(show.value(effect))) end
  for _, failure in ipairs(failures) do print("  failed: " .. failure:gsub("\n", "\n    ")) end
end

local number = 0
for line in file:lines() do
  number = number + 1
  local record = json.parse(line)
  if type(record) ~= "table" or not record.hook or type(record.event) ~= "table" then
    failed = failed + 1
    complain("%s:%d: this is no line of run --record", path, number)
  else
    tell(record)
  end
end
file:close()
tried:close()
return failed == 0
