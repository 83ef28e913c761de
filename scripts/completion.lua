-- kube-scheduler completion bash|zsh|fish: the script by which a shell completes our commands, options and jobs.
local bundled = require "bundled"
local cli = require "cli"

local options, code = cli.parse({
  name = "completion", usage = "bash|zsh|fish", most = 1, options = {},
  summary = "Prints what a shell needs to complete commands, options and job names, such as\n" ..
    "  source <(kube-scheduler completion bash)",
}, arg)
if not options then return code end

local shell = options.words[1]
local script = shell and shell:match "^%l+$" and bundled.read("scripts/completion/kube-scheduler." .. shell)
if not script then
  io.stderr:write("kube-scheduler completion: of which shell, bash, zsh or fish?\n")
  return 2
end
io.write(script)
return true
