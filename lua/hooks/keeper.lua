-- Keeps one hook host with all hook files loaded: starts it when there is none, leaves out a file that kills it,
-- and waits longer and longer between starts that fail.
local clock = require "clock"
local known = require "hooks.known"
local link = require "hooks.link"

local keeper = {}
keeper.__index = keeper

local MAX_BACK_OFF <const> = 30 -- seconds
local CLOSED <const> = "the hooks are closed"

-- options: sources, files (folder.read's), path(file) for messages, env, load_seconds, log, store;
-- on_loaded(file, hook names), on_problem(file, message): what came of each file, at the first start only.
function keeper.new(options)
  local self = setmetatable({deaths = {}, excluded = {}, left_out = 0, failures = 0, start_again = 0, starts = 0},
    keeper)
  for name, value in pairs(options) do self[name] = value end
  return self
end

-- Which hook runs, for what it prints: {hook, file}.
function keeper:says(level, text)
  local at = self.running or {}
  self.log[level](text, {hook = at.hook, file = at.file and self.path(at.file)})
end

function keeper:start_failed(message)
  self.failures = self.failures + 1
  self.delay = self.failures == 1 and 0 or math.min(2 ^ (self.failures - 2), MAX_BACK_OFF)
  self.start_again = clock.monotonic() + self.delay
  self.start_error = "the hook host cannot start: " .. message
  self.log.error("hook host does not start", {error = message, again_in = ("%gs"):format(self.delay)})
  return nil, self.start_error
end

function keeper:file_failed(file, message)
  if not self.loaded then self.on_problem(file, message) end
end

-- Loads one file in a new host. nil, message: the host is gone.
function keeper:load(host, file)
  self.running = {file = file}
  local reply, why, overdue = host:exchange({op = "load", file = file, budget = self.load_seconds}, self.load_seconds)
  self.running = nil
  if reply then
    self.deaths[file] = nil -- whatever killed earlier hosts, it is not in this file
    if reply.error then
      self:file_failed(file, reply.error)
    elseif not self.loaded then
      self.on_loaded(file, reply.hooks)
    end
    return true
  end
  self.deaths[file] = (self.deaths[file] or 0) + 1
  if overdue or self.deaths[file] > 1 then -- once may be chance
    self.excluded[file], self.left_out = true, self.left_out + 1
    self:file_failed(file, ("%s: while it was loaded, the host %s"):format(file, why))
  end
  return nil, ("while %s was loaded, it %s"):format(self.path(file), why)
end

function keeper:load_all(host)
  host:send {op = "sources", sources = self.sources, hooks = known.names(), fields = known.event_fields}
  for _, file in ipairs(self.files) do
    if not self.excluded[file] then
      local ok, message = self:load(host, file)
      if not ok then return nil, message end
    end
  end
  return true
end

-- Starts, again when a file had to be left out. -> host, or nil and why.
function keeper:start()
  while true do
    local left_out = self.left_out
    self.starts = self.starts + 1
    local host, message = link.start {
      env = self.env, unsent = self.store:mirror(),
      on_log = function(text) self:says("info", text) end,
      on_stderr = function(line) self:says("warning", "hook host: " .. line) end,
    }
    if not host then return self:start_failed(message) end
    local ok
    ok, message = self:load_all(host)
    if self.closed then
      host:kill()
      return nil, CLOSED
    elseif ok then
      self.failures, self.loaded, self.host = 0, true, host
      return host
    end
    if self.left_out == left_out then return self:start_failed(message) end
  end
end

-- The host that runs, or a new one; nil and why there is none.
function keeper:get()
  if self.closed then return nil, CLOSED end
  if self.host and self.host.alive then return self.host end
  if clock.monotonic() < self.start_again then return nil, self.start_error end
  return self:start()
end

-- Ends a host whose hooks keep too much memory; the next call gets a new one.
function keeper:replace(item)
  self.log.warning("hook host replaced: what hooks keep in variables fills its memory",
    {hook = item.hook, file = self.path(item.file)})
  self.host:kill()
end

-- Ends the host; there is no other one afterwards.
function keeper:close()
  self.closed = true
  if self.host then self.host:kill() end
end

return keeper
