-- Reads files and remembers what was in them, so that it can be told later whether they still say the same. Their texts
-- are not kept, only a digest.
--   local s = sources.new()
--   s.read(path), s.list(folder)     as sys.read and sys.list
--   s:same()                         whether all of that would be read again as it was; waits now and then
--   s:folders()                      the folders in which a change can make a difference, sorted
local crypto = require "crypto"
local sys = require "sys"
local task = require "task"
local text = require "text"

local sources = {}
sources.__index = sources

local FILES_AT_ONCE <const> = 50

local function digest(content) return content and crypto.sha256(content) or "cannot be read" end

local function names_in(folder)
  local names = sys.list(folder)
  return names and table.concat(names, "\n")
end

function sources.new()
  local self = setmetatable({files = {}, lists = {}}, sources)
  function self.read(path)
    local content, message, code = sys.read(path)
    self.files[path] = digest(content)
    return content, message, code
  end
  function self.list(folder)
    local names, message, code = sys.list(folder)
    self.lists[folder] = digest(names and table.concat(names, "\n"))
    return names, message, code
  end
  return self
end

local function each_same(digests, content_of)
  local count = 0
  for path, was in pairs(digests) do
    if digest(content_of(path)) ~= was then return false end
    count = count + 1
    if count % FILES_AT_ONCE == 0 then task.sleep(0) end
  end
  return true
end

function sources:same() return each_same(self.lists, names_in) and each_same(self.files, (sys.read)) end

-- Whether another read found the same.
function sources:equals(other)
  for _, kind in ipairs {"files", "lists"} do
    for path, was in pairs(self[kind]) do
      if other[kind][path] ~= was then return false end
    end
    for path in pairs(other[kind]) do
      if self[kind][path] == nil then return false end
    end
  end
  return true
end

function sources:folders()
  local folders = {}
  for path in pairs(self.files) do folders[path:match "^(.*)/[^/]*$" or "."] = true end
  for folder in pairs(self.lists) do folders[folder] = true end
  return text.keys(folders)
end

return sources
