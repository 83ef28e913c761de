-- kube-scheduler simulate: every slot of a window through policy and hooks on virtual time; nothing runs.
local cli = require "cli"
local clock = require "clock"
local output = require "output"
local learn = require "simulate.learn"
local simulate = require "simulate"

local options, code = cli.parse({
  name = "simulate", usage = "[--from T] [--to T] [options]", most = 0,
  summary = "Prints what the schedule would do from --from on, before --to: runs, skips and why, peaks, a heat map.",
  options = cli.join(cli.schedule_options, cli.place_options, {
    {name = "from", value = "TIME", help = "RFC 3339, a date, now, +2h, -1d (default: now)"},
    {name = "to", value = "TIME", help = "the same; + and - count from --from (default: +7d)"},
    {name = "timezone", value = "ZONE", help = "of what is printed (default: that of settings, else UTC)"},
    {name = "duration", value = "JOB=5m", many = true,
      help = "how long its runs take, several times (default: expect_duration, else 1m)"},
    {name = "learn", help = "let runs take as long as in the running scheduler's history (the median of each job)"},
    {name = "hooks", value = "DIR", help = "folder of hooks (default: hooks, beside the schedule); nothing is sent"},
    output.format "table|json",
    {name = "all", help = "list every slot"},
    {name = "diff", value = "OTHER.yml", help = "instead: which slots OTHER.yml adds and removes"},
  }),
}, arg)
if not options then return code end
cli.fill(options)

local function fail(exit_code, message)
  io.stderr:write("kube-scheduler simulate: ", message, "\n")
  return exit_code
end

local from, to = simulate.window(options, clock.now())
if not from then return fail(2, to) end
local plan = simulate.load(options, options.dir, options.name)
if not plan then return fail(1, "there is no good job to simulate") end
if options.diff then
  local dir, name = options.diff:match "^(.*)/([^/]*)$"
  local other = simulate.load(options, dir or ".", name or options.diff)
  if not other then return fail(1, "there is no good job in " .. options.diff) end
  return simulate.diff(plan, other, options, from, to)
end
local durations, message = simulate.durations(options.duration, plan.jobs)
if not durations then return fail(2, message) end
if options.learn then
  local learned
  learned, code = learn.ask(options)
  if not learned then return code end
  durations = setmetatable(durations, {__index = learned})
end
return simulate.run(plan, options, from, to, durations)
