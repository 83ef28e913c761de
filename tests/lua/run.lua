-- tests/lua/run.lua FILE…: runs busted specs inside this binary, where the modules are, and prints TAP. The
-- whole runs as a task, so specs may wait (task.sleep, http.request, …).
package.path = "tests/lua/?.lua;" .. package.path
os.exit = function(code) error({code = code}, 0) end -- luacheck: ignore
arg[0] = nil
table.insert(arg, 1, "--output=TAP")
local _, ended = pcall(require "busted.runner", {standalone = false})
if type(ended) ~= "table" or not ended.code then error(ended, 0) end
return ended.code == true and 0 or ended.code == false and 1 or ended.code
