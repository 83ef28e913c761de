-- The files *_test.lua of a hooks folder, for kube-scheduler test. Tests in NAME_test.lua try the hooks of NAME.lua, or
-- where there is no such file all of the folder. Each gets hooks that are loaded anew, an empty store and the clock as
-- it was; lua/HOOKS.md describes what a test can call.
--   tests.run(dir, say) -> number of tests, number of those that failed;  say(line): TAP
local cjson = require "cjson"
local clock = require "clock"
local compare = require "hooks.compare"
local folder = require "hooks.folder"
local process = require "process"
local sys = require "sys"
local trial = require "hooks.trial"

local tests = {}

local START <const> = 1767225600 -- 2026-01-01T00:00:00Z: where the clock stands when a test begins

-- Frames of ours are nobody's business.
local function own_traceback(message)
  local text = debug.traceback(type(message) == "string" and message or "the error value is a " .. type(message), 2)
  text = text:gsub("\n%s*lua/hooks[^\n]*", ""):gsub("\n%s*scripts/[^\n]*", ""):gsub("\n%s*%[C%]: in [^\n]*", "")
  return (text:gsub("\n%s*%(%.%.%.tail calls%.%.%.%)", ""):gsub("\nstack traceback:$", ""))
end

local function seconds_of(at)
  if math.type(at) == "integer" then return at end
  local seconds, message = clock.parse(at)
  return seconds or error("clock.set: " .. message, 3)
end

-- What tests call, working on the trial of the running test: current().
local function functions_for(current)
  local api = {clock = {}, store = {}}

  function api.fire(event)
    if type(event) ~= "table" or not event.hook then error("fire{hook = \"on_failed\", …} expected", 2) end
    local ok, complete = pcall(current().complete, current(), event.hook, event)
    if not ok then error(complete, 2) end
    local answer, failures = current():fire(event.hook, complete)
    if failures[1] then error(table.concat(failures, "\n"), 0) end
    return answer
  end

  function api.effects()
    local list = {}
    for _, effect in ipairs(current():take_effects()) do
      if effect.kind ~= "store.set" then list[#list + 1] = effect end
    end
    return list
  end

  function api.answers(f) current().answers = f end

  function api.equal(actual, expected)
    local lines = compare.lines(actual, expected)
    if #lines > 0 then error(table.concat(lines, "\n"), 2) end
  end

  function api.clock.now() return current().now end
  function api.clock.set(at) current().now = seconds_of(at) end
  function api.clock.advance(seconds) current().now = current().now + seconds end

  function api.store.get(key)
    local text = current().hooks.store.texts[key]
    return text and cjson.decode(text)
  end
  function api.store.set(key, value)
    assert(current().hooks.store:put(key, value ~= nil and cjson.encode(value) or nil))
  end
  return api
end

local Suite = {} -- one file
Suite.__index = Suite

-- The file's own globals are its tests' too, and nobody else's.
function Suite:environment()
  local environ = process.environ()
  local function current()
    return self.trial or error("this is for tests: put it into test(\"what\", function() … end)", 3)
  end
  local api = functions_for(current)
  function api.test(name, f) self.list[#self.list + 1] = {name = name, run = f} end
  function api.environment(variables)
    for name, value in pairs(variables) do environ[name] = value end
  end
  self.environ = environ
  return setmetatable(api, {__index = _G})
end

function Suite:load(text)
  local chunk, message = load(text, "@" .. self.path, "t", self:environment())
  if not chunk then return nil, message end
  local ok, wrong = xpcall(chunk, own_traceback)
  return ok, wrong
end

function Suite:run_one(test)
  self.trial = trial.start {dir = self.dir, found = self.found, environ = self.environ, now = START, say = self.print}
  local problems = self.trial:problems()
  local ok, message = #problems == 0, table.concat(problems, "\n")
  if ok then ok, message = xpcall(test.run, own_traceback) end
  self.trial:close()
  self.trial = nil
  return ok, message
end

-- What of the folder a test file is about.
local function part_of(found, name)
  local file = name:gsub("_test%.lua$", ".lua")
  if not found.sources[file] then return found end
  return {sources = found.sources, files = {file}, problems = {}}
end

local function names_in(dir)
  local names = {}
  for _, name in ipairs(sys.list(dir) or {}) do
    if name:find "_test%.lua$" and not name:find "^%." then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local Report = {}
Report.__index = Report

function Report:tell(name, ok, message)
  self.count = self.count + 1
  if not ok then self.failed = self.failed + 1 end
  self.say(("%s %d - %s"):format(ok and "ok" or "not ok", self.count, name))
  if not ok then self.say("# " .. message:gsub("\n", "\n# ")) end
end

function tests.run(dir, say)
  local report = setmetatable({count = 0, failed = 0, say = say}, Report)
  local found = folder.read(dir)
  for _, name in ipairs(names_in(dir)) do
    local suite = setmetatable({dir = dir, path = dir .. "/" .. name, found = part_of(found, name), list = {}},
      Suite)
    function suite.print(text) say("# " .. text:gsub("\n", "\n# ")) end
    local text, wrong = sys.read(suite.path)
    local loaded = text and true
    if text then loaded, wrong = suite:load(text) end
    if not loaded then report:tell(name .. ": loads", false, wrong) end
    for _, test in ipairs(loaded and suite.list or {}) do
      report:tell(("%s: %s"):format(name, test.name), suite:run_one(test))
    end
  end
  say("1.." .. report.count)
  return report.count, report.failed
end

return tests
