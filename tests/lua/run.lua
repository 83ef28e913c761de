-- tests/lua/run.lua FILE…: runs busted specs inside this binary, where the modules are, and prints TAP. The
-- whole runs as a task, so specs may wait (task.sleep, http.request, …).
package.path = "tests/lua/?.lua;" .. package.path
local exit = os.exit
os.exit = function(code) -- luacheck: ignore
  io.stdout:flush()
  exit(code, false) -- closing the state from inside a task would pull the floor away
end
arg[0] = nil
table.insert(arg, 1, "--output=TAP")
require "busted.runner" { standalone = false }
