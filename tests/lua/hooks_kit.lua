-- What the specs of hooks share. Everything made is removed after each test.
local hooks = require "hooks"
local sys = require "sys"
local task = require "task"

local kit = {}

local made = {} -- folders and hooks of the running test
local messages  -- what was logged: {level, text, fields}

local function recorder(level)
  return function(text, fields) messages[#messages + 1] = {level = level, text = text, fields = fields or {}} end
end

function kit.before() messages = {} end

function kit.after()
  for _, thing in ipairs(made) do
    if type(thing) == "string" then os.execute("rm -rf " .. thing) else thing:close(0) end
  end
  made = {}
end

function kit.messages() return messages end

-- A new folder with these files: path in it -> text.
function kit.folder(files)
  local path = os.tmpname()
  os.remove(path)
  sys.mkdir(path)
  made[#made + 1] = path
  for name, text in pairs(files) do
    if name:find("/") then sys.mkdir(path .. "/" .. name:match("(.*)/")) end
    local file = assert(io.open(path .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end
  return path
end

function kit.start(files, options)
  options = setmetatable({}, {__index = options})
  options.dir = options.dir or kit.folder(files)
  options.log = {info = recorder "info", warning = recorder "warning", error = recorder "error"}
  local h = hooks.start(options)
  made[#made + 1] = h
  return h
end

function kit.event(job) return {id = "event-1", job = job, slot = 1795507200, log_tail = {"first", "second"}} end

-- One before_run with this body; what it answers for one call.
function kit.decide(body, options)
  local h = kit.start({["gate.lua"] = "function before_run(event)\n" .. body .. "\nend"}, options)
  return h:call("before_run", kit.event "backup")
end

-- The first message logged whose text or error has the pattern, or nil.
function kit.logged(pattern)
  for _, m in ipairs(messages) do
    if m.text:find(pattern) or (m.fields.error or ""):find(pattern) then return m end
  end
end

function kit.eventually(check)
  for _ = 1, 500 do
    if check() then return end
    task.sleep(0.01)
  end
  error("did not happen within 5 s", 2)
end

return kit
