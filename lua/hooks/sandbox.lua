-- What operators' Lua can see. Runs in the hook host. Each file has an environment of its own, so that no file
-- can spoil another's; whatever is not listed here does not exist for it.
local nearest = require "nearest"

local sandbox = {}

-- Withheld: io and the rest of os (hooks decide, the daemon acts), debug (debug.sethook takes the guard away),
-- package, dofile, loadfile (files come from the hooks folder alone), collectgarbage (it stops the collector),
-- string.dump (binary chunks can crash Lua, and load takes none).
local BASE <const> = "_VERSION assert error getmetatable ipairs next pairs pcall rawequal rawget rawlen rawset "
  .. "select tonumber tostring type xpcall"
local OS <const> = "clock date difftime getenv time"

local function pick(library, names)
  local picked = {}
  for name in names:gmatch("%S+") do picked[name] = library[name] end
  return picked
end

local function copy(library)
  local copied = {}
  for name, value in pairs(library) do copied[name] = value end
  return copied
end

-- A finalizer runs without the guard: one that loops would hang the host.
local function set_metatable(t, metatable)
  if type(metatable) == "table" and rawget(metatable, "__gc") ~= nil then
    error("__gc is not available in hooks: close what you open where you use it, with <close>", 2)
  end
  return setmetatable(t, metatable)
end

-- Coroutines of operators let our own requests (http.request yields sandbox.ASK) through to the host.
sandbox.ASK = {}

local function pass(co, ok, first, ...)
  if ok and rawequal(first, sandbox.ASK) then
    return pass(co, coroutine.resume(co, coroutine.yield(sandbox.ASK, ...)))
  end
  return ok, first, ...
end

local function resume(co, ...) return pass(co, coroutine.resume(co, ...)) end

local function unwrap(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

local function wrap(f)
  local co = coroutine.create(f)
  return function(...) return unwrap(resume(co, ...)) end
end

local function coroutines()
  local library = copy(coroutine)
  library.resume, library.wrap = resume, wrap
  return library
end

-- Names of locals and upvalues around the function at this level, as candidates for what was meant.
local function visible_names(level, names)
  local list = {}
  for name in pairs(names) do list[#list + 1] = name end
  local info = debug.getinfo(level + 1, "f")
  for i = 1, 250 do
    local name = debug.getlocal(level + 1, i)
    if not name then break end
    list[#list + 1] = name
  end
  for i = 1, 250 do
    local name = info and debug.getupvalue(info.func, i)
    if not name then break end
    list[#list + 1] = name
  end
  return list
end

local function hook_like(name) return type(name) == "string" and (name:find("^on_") or name:find("^before_")) end

local Box = {} -- all files of one hooks folder
Box.__index = Box

-- sources: path in the folder -> text. hook_names: sorted list. api: name -> value, for every file.
function sandbox.new(sources, hook_names, api)
  local is_hook = {}
  for _, name in ipairs(hook_names) do is_hook[name] = true end
  -- The strings' metatable and the methods that it gives are everybody's.
  getmetatable("").__metatable = false
  string.dump = nil -- luacheck: ignore 122
  return setmetatable({sources = sources, hook_names = hook_names, is_hook = is_hook, api = api, files = {}}, Box)
end

-- A global that a file defines: only hooks may be, only while the file loads, and once.
function Box:define(file, names, name, value)
  local function refuse(text, ...) error(text:format(...), 4) end
  if not self.is_hook[name] and hook_like(name) then
    refuse("%s is not a hook%s (there are: %s)", name, nearest.hint(name, self.hook_names),
      table.concat(self.hook_names, ", "))
  elseif not self.is_hook[name] and names[name] ~= nil then
    refuse("'%s' is built in and cannot be replaced: give yours another name, with local", name)
  elseif not self.is_hook[name] then
    refuse("'%s' is not declared: write 'local %s = …'%s", tostring(name), tostring(name),
      nearest.hint(tostring(name), visible_names(3, names)))
  elseif file.path:find("/") then
    refuse("%s: hooks are defined in files directly in the hooks folder; a module returns what it offers", name)
  elseif file.loaded then
    refuse("%s: hooks are defined while the file loads, not later", name)
  elseif type(value) ~= "function" then
    refuse("%s must be a function, not a %s", name, type(value))
  elseif file.hooks[name] then
    refuse("%s is defined a second time in this file: the first would never run", name)
  end
  file.hooks[name], names[name] = value, value
end

-- os with the time that the daemon says, which is another than the machine's where time is driven by hand.
function Box:os()
  local library = pick(os, OS)
  function library.time(of) return of == nil and self.now or os.time(of) end
  function library.date(format, at) return os.date(format or "%c", at or self.now) end
  return library
end

function Box:environment(file)
  local names = pick(_G, BASE)
  for name, value in pairs(self.api) do names[name] = type(value) == "table" and copy(value) or value end
  names.string, names.table = copy(string), copy(table)
  names.math, names.utf8, names.coroutine = copy(math), copy(utf8), coroutines()
  names.os = self:os()
  names.setmetatable = set_metatable
  local environment = setmetatable({}, {
    __index = function(_, name)
      local value = names[name]
      if value == nil then
        error(("'%s' is not defined%s"):format(tostring(name),
          nearest.hint(tostring(name), visible_names(2, names))), 2)
      end
      return value
    end,
    __newindex = function(_, name, value) self:define(file, names, name, value) end,
    __metatable = false,
  })
  names._G = environment
  names.load = function(chunk, chunk_name, _, env)
    if env == nil then env = environment end
    return load(chunk, chunk_name or "=(load)", "t", env)
  end
  names.require = function(name) return self:require(name) end -- a tail call: errors name its caller
  return environment
end

-- Runs a file once: gives what it returns, or raises. file.hooks then holds the hooks it defines.
function Box:run(path)
  local file = self.files[path]
  if not file then
    file = {path = path, hooks = {}}
    self.files[path] = file
    local chunk, message = load(self.sources[path], "@" .. path, "t", self:environment(file))
    if not chunk then error(message, 0) end -- it names its place itself
    file.value = chunk()
    file.loaded = true
  elseif not file.loaded then
    error(("%s has not loaded: it failed, or what it requires leads back to it"):format(path), 0)
  end
  return file.value
end

function Box:require(name)
  if type(name) ~= "string" then error("require: the name of a module expected", 2) end
  local base = name:gsub("%.", "/")
  local tried = {base .. ".lua", base .. "/init.lua"}
  for _, path in ipairs(tried) do
    if self.sources[path] then
      local value = self:run(path)
      return value == nil and true or value
    end
  end
  error(("module '%s' not found; tried in the hooks folder: %s"):format(name, table.concat(tried, ", ")), 2)
end

-- The hook of that name in a file, or nil.
function Box:hook(path, name)
  local file = self.files[path]
  return file and file.loaded and file.hooks[name] or nil
end

-- Names of the hooks that a loaded file defines, sorted.
function Box:hooks(path)
  local names = {}
  for name in pairs(self.files[path].hooks) do names[#names + 1] = name end
  table.sort(names)
  return names
end

return sandbox
