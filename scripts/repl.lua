-- kube-scheduler repl: Lua at a prompt, with the schedule, its hooks and a clock to turn.
local cli = require "cli"

local options, code = cli.parse({
  name = "repl", usage = "[options]", most = 0,
  summary = "Reads Lua at a prompt, or from a pipe, with functions to try a schedule; help() lists them.",
  options = cli.join(cli.schedule_options, {
    {name = "hooks", value = "DIR", help = "folder of hooks (default: hooks, beside the schedule); nothing is sent"},
  }),
}, arg)
if not options then return code end
local given = options.dir ~= nil or options.name ~= nil
return require "repl"(cli.fill(options), given)
