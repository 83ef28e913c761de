-- The session of kube-scheduler repl: reads Lua, runs it, prints what it gives. Each piece runs as a task, so it may
-- wait while other tasks go on. An error is shown with its traceback and ends nothing.
local commands = require "repl.commands"
local complete = require "repl.complete"
local editline = require "editline"
local log = require "log"
local show = require "repl.show"
local sys = require "sys"
local task = require "task"
local terminal = require "terminal"
local World = require "repl.world"

local Repl = {}
Repl.__index = Repl

local PROMPT <const>, MORE <const> = "> ", ">> "
local INSTRUCTIONS_BETWEEN_LOOKS <const> = 100000 -- for Ctrl-C

local function say(line) io.write(line, "\n") end

-- options: of cli.fill
local function new(options)
  local self = setmetatable({out = terminal.stdout(), failed = false}, Repl)
  self.world = World.new(options, say)
  self.env = commands(self.world, self.out)
  return self
end

-- The chunk of a source; nil when it goes on in the next line; nil and a message when it is wrong.
function Repl:compile(source)
  source = source:gsub("^%s*=", "return ")
  local chunk, as_expression = load("return " .. source, "=repl", "t", self.env)
  if chunk then return chunk end
  local as_statement
  chunk, as_statement = load(source, "=repl", "t", self.env)
  if chunk then return chunk end
  if as_expression:find "<eof>$" or as_statement:find "<eof>$" then return nil end
  return nil, as_statement
end

-- The frames below the operator's own are nobody's business.
local function own_traceback(message)
  if type(message) ~= "string" then message = show.value(message) end
  local text = debug.traceback(message, 2)
  text = text:gsub("\n%s*%[C%]: in function 'xpcall'.*", ""):gsub("\n%s*lua/repl/[^\n]*", "")
  text = text:gsub("\n%s*%[C%]: in [^\n]*", ""):gsub("\n%s*%(%.%.%.tail calls%.%.%.%)", "")
  return (text:gsub("\nstack traceback:$", ""))
end

-- Ends what computes for ever when Ctrl-C was pressed.
function Repl:watch_for_interrupts()
  if not self.editor then return end
  debug.sethook(function()
    if self.editor:interrupted() then error("interrupted", 0) end
  end, "", INSTRUCTIONS_BETWEEN_LOOKS)
end

function Repl:run(chunk)
  local values
  task.await(function(resume)
    self.abandon = function()
      self.world:interrupt()
      if not self.world.moving then resume() end
    end
    self:watch_for_interrupts()
    values = table.pack(xpcall(chunk, own_traceback))
    resume()
  end)
  self.abandon = nil
  if not values then return say "interrupted; what waits goes on in the background" end
  if values[1] then
    local good = table.move(values, 2, values.n, 1, {n = values.n - 1})
    if good.n > 0 then say(show.values(good)) end
  else
    self:fail(values[2])
  end
end

function Repl:fail(message)
  self.failed = true
  io.stdout:flush()
  io.stderr:write(message, "\n")
end

-- One more line; gives what is typed so far and not complete, or nil.
function Repl:take(source, line)
  source = source and source .. "\n" .. line or line
  if source:find "^%s*$" then return nil end
  local chunk, message = self:compile(source)
  if not chunk and not message then return source end
  if chunk then
    self:run(chunk)
  else
    self:fail(message)
  end
end

local function history_file()
  local home = os.getenv "HOME"
  local state = os.getenv "XDG_STATE_HOME" or home and home .. "/.local/state"
  local folder = state and state .. "/kube-scheduler"
  return folder and sys.mkdir(folder) and folder .. "/history" or nil
end

function Repl:interactive()
  self.editor = editline.open {
    complete = complete(self.env, function() return self.world:job_names() end), history = history_file(),
  }
  self.editor:on_interrupt(function()
    if self.abandon then self.abandon() end
  end)
  say("kube-scheduler " .. sys.version .. "; help() lists what there is, Ctrl-D leaves")
  local source
  while true do
    local line, why = self.editor:read(source and MORE or PROMPT)
    if line then
      if line:find "%S" then self.editor:remember(line) end
      self.editor:interrupted() -- forgets an old one
      source = self:take(source, line)
    elseif why == "end" then
      break
    else
      source = nil
    end
  end
  self.editor:close()
  return 0
end

-- From a file or pipe: no prompt, and the exit code says whether all went well.
function Repl:piped()
  local source
  for line in io.lines() do source = self:take(source, line) end
  if source then self:fail(select(2, load(source, "=repl", "t", self.env))) end
  return self.failed and 1 or 0
end

-- Returns the exit code, at the end of input.
return function(options, schedule_given)
  log.level "error" -- what happens is told by the session itself
  local self = new(options)
  local path = options.dir .. "/" .. options.name
  if schedule_given or sys.kind(path) == "file" then
    local loaded, message = pcall(self.world.load, self.world, path)
    if not loaded then self:fail(message) end
  end
  local code = sys.isatty(0) and self:interactive() or self:piped()
  self.world:close()
  return code
end
