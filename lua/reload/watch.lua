-- When to look for changes: a file in one of the folders changed (also a ConfigMap's ..data), a minute has passed, or
-- somebody sent SIGHUP. Many changes at once are one.
--   local w = watch.new{look=function(cause)}      look may wait; never called twice at once
--   w:folders{"…"}                                  which to watch from now on
--   w:ask(cause)                                    looks soon
--   watch.mounted_alone(path) -> whether a file is mounted by itself, so that no change of its ConfigMap reaches it
local fs_watch = require "watch"
local log = require "log"
local sys = require "sys"
local task = require "task"

local watch = {}
watch.__index = watch

local QUIET <const> = 0.3 -- seconds without a change until we look
local LONGEST <const> = 3 -- seconds of changes after which we look all the same
local POLL <const> = 60   -- seconds; a network's file system tells nothing

-- options: {look=function(cause)}
function watch.new(options)
  local self = setmetatable({look = options.look, watchers = {}}, watch)
  task.spawn(function()
    while not self.closed do
      task.sleep(POLL)
      self:ask "a minute has passed"
    end
  end)
  return self
end

-- Looks until nobody has asked meanwhile.
function watch:ask(cause)
  self.wanted = cause
  if self.looking then return end
  self.looking = true
  task.spawn(function()
    while self.wanted and not self.closed do
      local wanted = self.wanted
      self.wanted = nil
      local done, failure = xpcall(self.look, debug.traceback, wanted)
      if not done then log.error("reloading failed", {error = failure}) end
    end
    self.looking = false
  end)
end

-- One more change was seen: we look once it is quiet.
function watch:changed()
  self.changes = (self.changes or 0) + 1
  if self.settling then return end
  self.settling = true
  task.spawn(function()
    local waited, seen = 0, nil
    while seen ~= self.changes and waited < LONGEST do
      seen = self.changes
      task.sleep(QUIET)
      waited = waited + QUIET
    end
    self.settling = false
    self:ask "a file changed"
  end)
end

local function watcher_of(self, folder)
  local watcher, message = fs_watch.folder(folder, function() self:changed() end)
  if not watcher and sys.kind(folder) then
    log.warning("a folder cannot be watched: it is looked at each minute", {folder = folder, error = message})
  end
  return watcher
end

function watch:folders(list)
  local wanted = {}
  for _, folder in ipairs(list) do wanted[folder] = true end
  for folder, watcher in pairs(self.watchers) do
    if not wanted[folder] then
      watcher:close()
      self.watchers[folder] = nil
    end
  end
  for folder in pairs(wanted) do self.watchers[folder] = self.watchers[folder] or watcher_of(self, folder) end
end

function watch:close()
  self.closed = true
  self:folders {}
end

local function unescape(path)
  return (path:gsub("\\(%d%d%d)", function(octal) return string.char(tonumber(octal, 8)) end))
end

function watch.mounted_alone(path)
  local real, mounts = sys.real(path), sys.read "/proc/self/mountinfo"
  if not real or sys.kind(real) ~= "file" then return false end
  for line in (mounts or ""):gmatch "[^\n]+" do
    if unescape(line:match "^%S+ %S+ %S+ %S+ (%S+)" or "") == real then return true end
  end
  return false
end

return watch
