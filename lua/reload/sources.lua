-- Reads files and remembers what was in them, so that it can be told later whether they still say the same. Their texts
-- are not kept, only a digest.
--   local s = sources.new()
--   s.read(path), s.list(folder), s.load(path)    as sys.read, sys.list and yaml.load
--   s:same()                         whether all of that would be read again as it was; waits
--   s:folders()                      the folders in which a change can make a difference, sorted
local crypto = require "crypto"
local sys = require "sys"
local text = require "text"
local yaml = require "yaml"

local sources = {}
sources.__index = sources

local UNREADABLE <const> = "cannot be read"

local function digest(content) return content and crypto.sha256(content) or UNREADABLE end

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
  function self.load(path)
    local found, message, code = yaml.load(path)
    self.files[path] = found and found.digest or UNREADABLE
    return found, message, code
  end
  function self.list(folder)
    local names, message, code = sys.list(folder)
    self.lists[folder] = digest(names and table.concat(names, "\n"))
    return names, message, code
  end
  return self
end

local function each_same(digests, digest_of)
  for path, was in pairs(digests) do
    if digest_of(path) ~= was then return false end
  end
  return true
end

local function digest_of_file(path) return crypto.sha256_file(path) or UNREADABLE end

function sources:same()
  return each_same(self.lists, function(folder) return digest(names_in(folder)) end)
    and each_same(self.files, digest_of_file)
end

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
