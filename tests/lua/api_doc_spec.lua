-- lua/API.md: its samples run, and it names whatever the C modules offer.
local process = require "process"
local sys = require "sys"

local text = assert(sys.read "lua/API.md")

local function samples()
  local out = {}
  for kind, code in text:gmatch "```lua *(%a*)\n(.-)```" do out[#out + 1] = {kind = kind, code = code} end
  return out
end

local function temporary_folder()
  local path = os.tmpname()
  os.remove(path)
  assert(sys.mkdir(path))
  return path
end

local function program_of(folder, code)
  local path = folder .. "/program.lua"
  local file = assert(io.open(path, "w"))
  file:write(code)
  file:close()
  return path
end

-- Exit code and output of a whole program.
local function run(code)
  local folder, environment, lines = temporary_folder(), process.environ(), {}
  environment.STATE = folder
  local p = assert(process.spawn {argv = {sys.program(), program_of(folder, code)}, env = environment,
    on_stderr = function(line) lines[#lines + 1] = line end})
  p:watchdog(60)
  while true do
    local line = p:read_line(60)
    if not line then break end
    lines[#lines + 1] = line
  end
  return p:wait(), table.concat(lines, "\n")
end

local modules = {"cron", "kube", "registry", "executor", "task", "clock", "yaml", "json", "http", "log", "store",
  "process", "sys", "names", "crypto", "watch"}

-- Prints the methods of the types that these modules make; in a process of its own, where no test tool has types.
local list_methods = ([[
  for name in ("%s"):gmatch "%%S+" do require(name) end
  for name, value in pairs(debug.getregistry()) do
    local is_type = type(name) == "string" and name ~= "FILE*" and type(value) == "table" and value.__name == name
    if is_type and type(value.__index) == "table" then
      for method in pairs(value.__index) do print(name .. ":" .. method) end
    end
  end
]]):format(table.concat(modules, " "))

describe("lua/API.md", function()
  it("has samples", function() assert.is_true(#samples() >= 12) end)

  for at, sample in ipairs(samples()) do
    it(("sample %d does what it says"):format(at), function()
      local chunk = assert(load(sample.code, "=sample", "t"))
      if sample.kind == "cluster" then return end
      if sample.kind == "" then return chunk() end
      local code, output = run(sample.code)
      assert(code == 0, output)
      assert.matches("hello from greet", output)
    end)
  end

  for _, name in ipairs(modules) do
    it("names every function of " .. name, function()
      for member, value in pairs(require(name)) do
        if type(value) == "function" then
          assert(text:find("%f[%w_]" .. member .. "%f[^%w_]"), name .. "." .. member .. " is not in lua/API.md")
        end
      end
    end)
  end

  it("names every method", function()
    local code, output = run(list_methods)
    assert.equal(0, code)
    local count = 0
    for name, method in output:gmatch "([^\n]-):([%w_]+)" do
      count = count + 1
      assert(text:find("%f[%w_]" .. method .. "%f[^%w_]"), name .. ":" .. method .. " is not in lua/API.md")
    end
    assert.is_true(count > 50)
  end)
end)
