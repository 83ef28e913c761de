-- The hook host's own Lua: the trusted part in the child process (core/bind/hook_host.c), which reads messages
-- from the daemon (lua/hooks/link.lua), runs operators' functions under the guard and answers. One JSON object a
-- line. From the daemon:
--   {op="sources", sources={path=text}, hooks={names}, fields={event fields}}     no answer
--   {op="load", file, budget}          {op="days", file, first, last, budget}: of a calendar, see hooks/days.lua
--   {op="call", id, hook, file, event, decision, budget, store, now}
--   {op="answer", id, answer, store, now}   to an "ask"; store: what changed in it (lua/hooks/store.lua); now: unix
--                                           seconds where they are others than the machine's
-- To the daemon, one for each load, call and answer:
--   {op="result", seconds, value, effects, hooks, retire}, {op="result", seconds, error, day}, {op="ask", seconds,
--   request}; before that any number of {op="log", text}
local channel, guard = channel, guard -- luacheck: globals channel guard
local cjson = require "cjson"
local days = require "hooks.days"
local decision = require "hooks.decision"
local make_api = require "hooks.api"
local sandbox = require "hooks.sandbox"
local store_api = require "hooks.store_api"
local view = require "hooks.view"

local RETIRE_BYTES <const> = 16 << 20 -- half of HOOK_MEMORY: what hooks keep leaves too little for the next

local box, event_fields
local current        -- the call that runs
local waiting = {}   -- calls that wait for http.request, by id
local mirror = store_api.new()

local function send(message) channel.write(cjson.encode(message) .. "\n") end

-- A traceback without the frames that are not the operator's, and with his names for the others.
local function own_frames(text, name)
  text = text:gsub("\n%s*%[C%]: in [^\n]*", ""):gsub("\n%s*lua/hooks/[^\n]*", "")
  text = text:gsub("\nstack traceback:$", "")
  return (text:gsub("in upvalue 'hook'", "in " .. name):gsub("in local 'chunk'", "in main chunk"))
end

-- A host that hooks have filled is to be replaced by the daemon.
local function full()
  return collectgarbage("count") * 1024 > RETIRE_BYTES and guard.memory() > RETIRE_BYTES or nil
end

local function fail(seconds, message, day)
  send {op = "result", seconds = seconds, error = message, day = day, retire = full()}
end

local function finish_call(call, seconds, value)
  send {op = "result", seconds = seconds, value = value, effects = call.effects, retire = full()}
end

-- The function to run for a hook: for a decision one that gives the checked answer.
local function entry(message, hook)
  if not message.decision then
    return function(event)
      hook(event) -- no tail call: its frame shall show the hook's name
      return nil
    end
  end
  return function(event)
    local answer, reason = hook(event)
    local value, wrong = decision.check(message.hook, view.plain(answer), reason)
    if value then return value end
    local where = debug.getinfo(hook, "S")
    error(("%s:%d: %s: %s"):format(where.short_src, where.linedefined, message.hook, wrong), 0)
  end
end

-- Runs the call's coroutine until it ends or waits, and reports.
local function step(call, ...)
  current = call
  local status, seconds, first, second = guard.resume(call.co, call.budget, ...)
  current = nil
  call.budget = math.max(call.budget - seconds, 0.001)
  if status == "failed" then
    fail(seconds, own_frames(first, call.name), call.day)
  elseif status == "done" then
    call.finish(call, seconds, first)
  elseif rawequal(first, sandbox.ASK) then
    waiting[call.id] = call
    send {op = "ask", seconds = seconds, request = second}
  else
    fail(seconds, debug.traceback(call.co, "a hook may yield only inside coroutines of its own"))
  end
end

local operations = {}

function operations.sources(message)
  event_fields = message.fields
  local api = make_api(function() return current end,
    function(text) send {op = "log", text = text} end, mirror)
  box = sandbox.new(message.sources, message.hooks, api)
end

function operations.load(message)
  step {
    co = coroutine.create(function() box:run(message.file) end), name = "main chunk",
    budget = message.budget,
    finish = function(_, seconds)
      send {op = "result", seconds = seconds, hooks = box:hooks(message.file)}
    end,
  }
end

function operations.days(message)
  local call = {name = "calendar", budget = message.budget}
  call.co = coroutine.create(function()
    return days.ask(box:run(message.file), message.first, message.last, function(day) call.day = day end)
  end)
  function call.finish(_, seconds, value) send {op = "result", seconds = seconds, value = value} end
  step(call)
end

local function bring_up_to_date(message)
  mirror:apply(message.store)
  box.now = message.now and math.tointeger(message.now)
end

function operations.call(message)
  bring_up_to_date(message)
  local hook = box:hook(message.file, message.hook)
  if not hook then
    return fail(0, ("%s did not load again in a new hook host"):format(message.file))
  end
  step({
    id = message.id, co = coroutine.create(entry(message, hook)), name = message.hook, budget = message.budget,
    effects = {}, finish = finish_call,
  }, view.new(view.integers(message.event), event_fields))
end

function operations.answer(message)
  bring_up_to_date(message)
  local call = waiting[message.id]
  waiting[message.id] = nil
  step(call, view.integers(message.answer))
end

for line in channel.read do
  local message = cjson.decode(line)
  operations[message.op](message)
end
