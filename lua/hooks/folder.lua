-- Reads a hooks folder once, so that a hook host that starts later runs the same text. Files *_test.lua are those of
-- kube-scheduler test, and no hooks.
local sys = require "sys"

local folder = {}

local MAX_FILE <const> = 1 << 20
local MAX_ALL <const> = 4 << 20
local MAX_DEPTH <const> = 4

local function add_file(result, path, name)
  local text, message = result.read(path)
  local wrong
  if not text then
    wrong = message
  elseif #text > MAX_FILE then
    wrong = ("longer than %d bytes"):format(MAX_FILE)
  elseif result.bytes + #text > MAX_ALL then
    wrong = ("the hooks folder holds more than %d bytes"):format(MAX_ALL)
  end
  if wrong then
    result.problems[#result.problems + 1] = {file = name, message = wrong}
    return
  end
  result.bytes = result.bytes + #text
  result.sources[name] = text
  if not name:find("/") then result.files[#result.files + 1] = name end
end

local function add_folder(result, path, prefix, depth)
  local names, message = result.list(path)
  if not names then
    result.problems[#result.problems + 1] = {file = prefix, message = message}
    return
  end
  for _, name in ipairs(names) do
    local kind = not name:find("^%.") and sys.kind(path .. "/" .. name) -- a mounted ConfigMap has ..data and more
    if kind == "folder" and depth < MAX_DEPTH then
      add_folder(result, path .. "/" .. name, prefix .. name .. "/", depth + 1)
    elseif kind == "file" and name:find("%.lua$") and not name:find("_test%.lua$") then
      add_file(result, path .. "/" .. name, prefix .. name)
    end
  end
end

-- -> {sources = {path in the folder = text}, files = {those directly in it, sorted}, problems = {{file, message}}};
-- all empty when there is no such folder. by: {read=, list=}, used instead of sys.read and sys.list.
function folder.read(path, by)
  by = by or sys
  local result = {sources = {}, files = {}, problems = {}, bytes = 0, read = by.read, list = by.list}
  if sys.kind(path) then
    add_folder(result, path, "", 1)
  else
    result.list(path) -- whoever remembers what was read knows that there was nothing
  end
  table.sort(result.files)
  return result
end

return folder
