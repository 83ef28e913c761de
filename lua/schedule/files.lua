-- The files of a schedule: {path=, tree=}, as module yaml has trees; and what is wrong with them as such.
--   files.open(options, result) -> those that are mappings; result.files gets the paths that could be read
--   files.duplicates(list, result.problems, pause) -> {NAME = true} of what is there twice
--   file:place(m[, key[, index]]), file:key_place(m): m as for yaml's trees
local sys = require "sys"
local text = require "text"
local yaml = require "yaml"

local files = {}

local REMEDY = "write one as schedule.yml.sample shows, or name yours by --dir and --schedule-name"

local File = {}
File.__index = File

function File:place(m, key, index)
  local line, column, quoted = self.tree:position(m, key, index)
  return {file = self.path, line = line, column = column}, quoted
end

function File:key_place(m)
  local _, line, column = self.tree:key(m)
  return {file = self.path, line = line, column = column}
end

-- The file named, or all that match a pattern with * or ?.
local function paths_of(options, problems)
  local dir, name = options.dir, options.name
  if not name:find "[*?]" then return {dir .. "/" .. name} end
  local entries, message = (options.list or sys.list)(dir)
  local paths, pattern = {}, text.glob(name)
  for _, entry in ipairs(entries or {}) do
    if entry:match(pattern) and sys.kind(dir .. "/" .. entry) == "file" then paths[#paths + 1] = dir .. "/" .. entry end
  end
  if #paths == 0 then
    problems:error({file = dir}, "no file matches %s%s; %s", name, message and (": " .. message) or "", REMEDY)
  end
  return paths
end

-- nil: there is nothing to be had of it.
local function open(path, load, result)
  local found, message = load(path)
  if not found then
    result.problems:error({file = path}, "the schedule cannot be read: %s; %s", message, REMEDY)
    return nil
  end
  result.files[#result.files + 1] = path
  local mistake, tree = found.mistake, found.tree
  if mistake then
    result.problems:error({file = path, line = mistake.line, column = mistake.column}, "%s", mistake.message)
    return nil
  end
  if tree:kind() ~= "mapping" then
    if tree:kind() ~= "nothing" then
      result.problems:error({file = path}, "a schedule is a mapping from job names to jobs")
    end
    return nil
  end
  return setmetatable({path = path, tree = tree}, File)
end

function files.open(options, result)
  local list = {}
  for _, path in ipairs(paths_of(options, result.problems)) do
    list[#list + 1] = open(path, options.open or yaml.load, result)
  end
  return list
end

local function in_two_files(list, problems, twice, pause)
  local first = {}
  for _, file in ipairs(list) do
    for m = 1, file.tree:count() do
      local key = file.tree:key(m)
      local other = first[key]
      first[key] = other or file
      if other and other ~= file then
        twice[key] = true
        local what = key == "settings" and "settings may stand in one file only: they are"
          or ("job '%s' is"):format(key)
        local place = other:key_place(key)
        problems:error(file:key_place(key), "%s also in %s, line %d%s", what, place.file, place.line,
          key == "settings" and "" or "; neither runs")
      end
      pause()
    end
  end
end

-- Of a name that is there twice, in one file or in two, neither runs: nobody can tell which was meant.
function files.duplicates(list, problems, pause)
  local twice = {}
  if #list > 1 then in_two_files(list, problems, twice, pause) end
  for _, file in ipairs(list) do
    for _, duplicate in ipairs(file.tree:duplicates()) do
      twice[duplicate.key] = true
      problems:error({file = file.path, line = duplicate.line, column = duplicate.column},
        "job '%s' is here twice; the first is in line %d; neither runs", duplicate.key, duplicate.first_line)
    end
  end
  return twice
end

function files.close(list)
  for _, file in ipairs(list) do file.tree:close() end
end

return files
