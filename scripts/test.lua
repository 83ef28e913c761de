-- kube-scheduler test [DIR]: runs the tests *_test.lua of a folder of hooks, and prints them as TAP.
local cli = require "cli"
local log = require "log"
local sys = require "sys"
local tests = require "hooks.tests"

local options, code = cli.parse({
  name = "test", usage = "[DIR]", most = 1, options = {},
  summary = "Runs the tests *_test.lua of a folder of hooks (default: hooks) against the real hook host; nothing is\n"
    .. "sent. Exit code 1 when one fails.",
}, arg)
if not options then return code end
log.level "error"

local dir = (options.words[1] or "hooks"):gsub("(.)/+$", "%1")
if sys.kind(dir) ~= "folder" then
  io.stderr:write(("kube-scheduler test: there is no folder %s\n"):format(dir))
  return 1
end
local count, failed = tests.run(dir, print)
if count == 0 then
  io.stderr:write(("kube-scheduler test: there is no test in %s/*_test.lua\n"):format(dir))
  return 1
end
return failed == 0
