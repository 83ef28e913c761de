-- tests/lua/run.lua FILE…: runs busted specs inside this binary, where the modules are, and prints TAP. The
-- whole runs as a task, so specs may wait (task.sleep, http.request, …).
package.path = "tests/lua/?.lua;" .. package.path
os.exit = function(code) error({code = code}, 0) end -- luacheck: ignore
arg[0] = nil
table.insert(arg, 1, "--output=TAP")
local passed, ended = pcall(require "busted.runner", {standalone = false})
if passed then return 0 end
if type(ended) ~= "table" or ended.code == nil then error(ended, 0) end
return ended.code
