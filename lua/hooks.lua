-- Operators' hooks, seen from the daemon: which there are, calling them, what their failures mean (lua/HOOKS.md).
-- They run in a hook host, a child process, so that nothing in them can stall, bloat or crash the daemon.
--
--   local h = hooks.start{dir = "hooks", on_effect = function(effect, event) … end}    -- waits
--   local answer, message, partial = h:call("before_run", event)                       -- waits
--   h:fire("on_failed", event)                                                         -- never waits
local decision = require "hooks.decision"
local folder = require "hooks.folder"
local keeper = require "hooks.keeper"
local json = require "json"
local known = require "hooks.known"
local new_queue = require("hooks.queue").new
local new_store = require("hooks.store").new
local process = require "process"
local task = require "task"

local hooks = {}

local MAX_EVENTS <const> = 1000      -- that wait to be told; more are dropped
local FAILURES_UNTIL_OFF <const> = 5 -- in a row
local CLOSE_SECONDS <const> = 5

local Hooks = {}
Hooks.__index = Hooks

-- The host's environment, which is what os.getenv can see: of all TZ, HOOK_…, and the names listed.
local function environment(names, all)
  local allowed, env = {TZ = true}, {}
  for _, name in ipairs(names) do allowed[name] = true end
  for name, value in pairs(all) do
    if allowed[name] or name:find("^HOOK_") then env[name] = value end
  end
  return env
end

function Hooks:path(file) return self.dir .. "/" .. file end

function Hooks:add_problem(kind, file, hook, message)
  self.problem_list[#self.problem_list + 1] = {kind = kind, file = self:path(file), hook = hook, message = message}
end

function Hooks:not_loaded(file, message)
  self:add_problem("load", file, nil, message)
  self.log.error("hook file not loaded", {file = self:path(file), error = message})
end

-- Starting the host is tried until it works or the hooks are closed.
function Hooks:start_until_loaded()
  if self.keeper:get() then return end
  task.spawn(function()
    repeat task.sleep(math.max(self.keeper.delay, 0.1)) until self.closed or self.keeper:get()
  end)
end

-- options, all but dir optional:
--   dir         the hooks folder; when it does not exist there are no hooks and no process
--   on_effect   function(effect, event): does what a hook asked for: kind = "alert" {title, message, severity},
--               "http.post" {url, headers, body} (see hooks.post), "trigger" {job}, or, done already,
--               "store.set" {key, text = JSON or nil}
--   on_error    function{hook, file, job, event = event id, message, off}: a hook failed; off: what to say when it was
--               turned off for it
--   found       of hooks.folder, when it was read already
--   deadlines   {decision, event, load} in seconds
--   env         names of variables that os.getenv may give, beside HOOK_…
--   environ     all variables; by default the daemon's
--   store       of lua/hooks/store.lua; by default one that forgets
--   now         function: the time that hooks see, by default the machine's
--   record      of lua/hooks/recorder.lua: is given every event, whether a hook wants it or not
--   log, http   the modules, or others with the same functions
function hooks.start(options)
  local found = options.found or folder.read(options.dir)
  local self = setmetatable({
    dir = options.dir, log = options.log or require "log", on_effect = options.on_effect or function() end,
    on_error = options.on_error or function() end, file_names = found.files, problem_list = {},
    deadlines = setmetatable({}, {__index = function(_, kind)
      return (options.deadlines or {})[kind] or known.deadlines[kind]
    end}),
    states = {}, -- hook -> file -> {failures in a row, off}
    calls = {}, failures = {}, -- of each hook
    dropped = 0, store = options.store or new_store(),
    record = options.record,
  }, Hooks)
  for _, name in ipairs(known.names()) do
    self.states[name], self.calls[name], self.failures[name] = {}, 0, 0
  end
  for _, problem in ipairs(found.problems) do self:not_loaded(problem.file, problem.message) end
  self.keeper = keeper.new {
    sources = found.sources, files = found.files, path = function(file) return self:path(file) end,
    env = environment(options.env or {}, options.environ or process.environ()),
    load_seconds = self.deadlines.load, log = self.log,
    store = self.store,
    on_loaded = function(file, names)
      for _, name in ipairs(names) do self.states[name][file] = {failures = 0} end
    end,
    on_problem = function(file, message) self:not_loaded(file, message) end,
  }
  self.queue = new_queue(self.keeper, options.http or require "http", options.now)
  if #found.files > 0 then self:start_until_loaded() end
  return self
end

-- Gives what is said when this failure turned the hook off, else nil.
function Hooks:count_failure(item, file)
  item.state.failures = item.state.failures + 1
  if item.state.failures ~= FAILURES_UNTIL_OFF then return nil end
  local off = ("%s in %s is off until the hooks are loaded again: it failed %d times in a row")
    :format(item.hook, file, FAILURES_UNTIL_OFF)
  item.state.off = off
  self:add_problem("off", item.file, item.hook, off)
  self.log.error(off)
  return off
end

-- One more failure of a hook. Not its own fault (the host cannot start, …): told, not counted.
function Hooks:failed(item, message, own_fault)
  self.failures[item.hook] = self.failures[item.hook] + 1
  local file = self:path(item.file)
  self.log.error("hook failed", {hook = item.hook, file = file, job = item.event.job, event = item.event.id,
    error = message})
  local off = own_fault and self:count_failure(item, file)
  self.on_error {hook = item.hook, file = file, job = item.event.job, event = item.event.id, message = message,
    off = off}
end

function Hooks:apply(effect, event)
  if effect.kind == "store.set" then
    local kept, message = self.store:put(effect.key, effect.text)
    if not kept then error(message, 0) end
  end
  self.on_effect(effect, event)
end

function Hooks:succeeded(item, effects)
  item.state.failures = 0
  for _, effect in ipairs(effects) do
    local ok, message = xpcall(self.apply, debug.traceback, self, effect, item.event)
    if not ok then self:failed(item, ("effect %s: %s"):format(effect.kind, message)) end
  end
end

-- Queues one hook of one file. resume(value | nil, message), optional, is called at the end.
function Hooks:enqueue(name, file, event, resume)
  self.calls[name] = self.calls[name] + 1
  local decides = known.hooks[name].decision or false
  local item = {hook = name, file = file, event = event, state = self.states[name][file], decision = decides,
    budget = decides and self.deadlines.decision or self.deadlines.event}
  function item.done(reply, message, own_fault)
    if reply then
      self:succeeded(item, reply.effects)
    else
      self:failed(item, message, own_fault)
    end
    if resume then resume(reply and reply.value, message) end
  end
  self.queue:add(item)
end

-- The event that hooks get: a copy, so that what happens later does not change it.
local function snapshot(name, event)
  local copy = {}
  for key, value in pairs(event) do copy[key] = type(value) == "table" and json.copy(value) or value end
  copy.hook = name
  return copy
end

-- The files that define a hook, in file order.
function Hooks:files_with(name)
  local states, list = assert(self.states[name], name), {}
  for _, file in ipairs(self.file_names) do
    if states[file] then list[#list + 1] = file end
  end
  return list
end

-- Why no hook can run now, or nil.
function Hooks:unable()
  if self.closed then return "the hooks are closed" end
  if #self.file_names > 0 and not self.keeper.loaded then return self.keeper.start_error end
end

-- Runs a decision hook of all files, one after the other, and waits. -> {verdict = "run" | "skip", reason, file, args,
-- env, delay, patches}; or nil, message, and what the other files said when one failed. A veto counts in any case.
function Hooks:call(name, event)
  if self.record then self.record(name, event) end
  local sum, problem = {verdict = "run"}, self:unable()
  if problem then return nil, problem, sum end
  for _, file in ipairs(self:files_with(name)) do
    local answer, message
    if self.states[name][file].off then
      message = self.states[name][file].off
    else
      answer, message = task.await(function(resume) self:enqueue(name, file, snapshot(name, event), resume) end)
    end
    if answer then
      decision.add(sum, answer, self:path(file))
      if sum.verdict == "skip" then return sum end
    end
    problem = problem or message
  end
  if problem then return nil, problem, sum end
  return sum
end

-- Tells an event to the hooks of all files, some time.
function Hooks:fire(name, event)
  if self.record then self.record(name, event) end
  local problem = self:unable()
  if not problem and self.queue:events_waiting() >= MAX_EVENTS then
    problem = ("%d events wait for hooks already"):format(MAX_EVENTS)
  end
  if problem then
    self.dropped = self.dropped + 1
    self.log.error("hook not called", {hook = name, job = event.job, event = event.id, error = problem})
    return
  end
  for _, file in ipairs(self:files_with(name)) do
    if not self.states[name][file].off then self:enqueue(name, file, snapshot(name, event)) end
  end
end

-- Waits until all that was fired is done.
function Hooks:settle() self.queue:settle() end

-- Whether calling the hook could do anything.
function Hooks:defined(name)
  return self.record ~= nil or self:unable() ~= nil or next(self.states[name]) ~= nil
end

-- The files with their hooks: {{file = path, hooks = {names}}}.
function Hooks:files()
  local list = {}
  for _, file in ipairs(self.file_names) do
    local entry = {file = self:path(file), hooks = {}}
    for _, name in ipairs(known.names()) do
      if self.states[name][file] then entry.hooks[#entry.hooks + 1] = name end
    end
    list[#list + 1] = entry
  end
  return list
end

-- What the operator should mend: {{kind = "load" | "off" | "host", file, hook, message}}.
function Hooks:problems()
  local list = table.move(self.problem_list, 1, #self.problem_list, 1, {})
  if self:unable() and not self.closed then list[#list + 1] = {kind = "host", message = self:unable()} end
  return list
end

-- For metrics. calls and failures: {hook = how many}
function Hooks:counters()
  return {calls = self.calls, failures = self.failures, dropped = self.dropped, kills = self.queue.kills,
    starts = self.keeper.starts}
end

-- The hook host's process id, or nil.
function Hooks:pid()
  local host = self.keeper.host
  return host and host.alive and host:pid() or nil
end

-- Takes no more calls, lets those that are queued end for so many seconds (default 5), then ends the host. Waits.
function Hooks:close(seconds)
  self.closed = true
  if not self.queue:idle() then
    task.await(function(resume)
      self.queue.on_idle = resume
      task.sleep(seconds or CLOSE_SECONDS)
      resume()
    end)
  end
  self.keeper:close()
end

local POST_DELAYS <const> = {1, 5, 0} -- seconds behind the first, second and last try

-- Does an "http.post" effect, up to three times. -> true | nil, message. Waits.
function hooks.post(effect, http)
  http = http or require "http"
  local message
  for _, delay in ipairs(POST_DELAYS) do
    local response, err = http.request {method = "POST", url = effect.url, headers = effect.headers,
      body = effect.body or "", timeout = 10}
    if response and response.status < 300 then return true end
    message = ("http.post to %s: %s"):format(effect.url:match("^%w+://[^/?#]*"), err or "status " .. response.status)
    if response and response.status ~= 429 and response.status < 500 then break end
    task.sleep(delay)
  end
  return nil, message
end

return hooks
