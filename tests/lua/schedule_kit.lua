-- What the specs of schedules share: a folder to write into, and what is in it loaded.
--   local folder = kit.new()
--   folder.dir                            its path
--   folder.write(name, text)              name may be in folders, which are made
--   folder.load(text[, name]) -> plan, mistakes    of a schedule beside pod.yml; FILE:LINE:COL… without the path
local problems = require "problems"
local schedule = require "schedule"
local sys = require "sys"

local kit = {}

kit.POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {name: main, image: busybox, args: [a]}\n"

function kit.new()
  local folder = {dir = os.tmpname()}
  os.remove(folder.dir)
  sys.mkdir(folder.dir)

  function folder.write(name, text)
    for at in name:gmatch "()/" do sys.mkdir(folder.dir .. "/" .. name:sub(1, at - 1)) end
    local file = assert(io.open(folder.dir .. "/" .. name, "w"))
    file:write(text)
    file:close()
  end

  function folder.load(text, name)
    name = name or "schedule.yml"
    folder.write(name, text)
    folder.write("pod.yml", kit.POD)
    local plan = schedule.load {dir = folder.dir, name = name, instance = "test"}
    local lines = {}
    for i, problem in ipairs(plan.problems) do
      local line = problems.format(problem)
      lines[i] = line:sub(1, #folder.dir) == folder.dir and line:sub(#folder.dir + 2) or line
    end
    return plan, lines
  end

  return folder
end

return kit
