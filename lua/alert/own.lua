-- Routes of operators: NAME.lua in the folder `alerts` beside the hooks. Unlike a hook such a file runs in the daemon,
-- for it makes requests out of events and keeps nothing; so it sees no files, no processes and no network, and what it
-- computes ends with the daemon's own budget (task.budget).
local sys = require "sys"

local own = {}

local BASE = {"_VERSION", "assert", "error", "ipairs", "next", "pairs", "pcall", "select", "setmetatable", "tonumber",
  "tostring", "type", "string", "table", "math", "utf8"}
local MODULES = {"alert.sender.answer", "alert.sender.post", "alert.sender.run_ids", "alert.sender.text", "cjson",
  "clock", "crypto"}

local function allowed(name)
  for _, each in ipairs(MODULES) do
    if name == each then return require(name) end
  end
  error(("a route of one's own cannot use '%s'; there are %s"):format(name, table.concat(MODULES, ", ")), 2)
end

local function environment()
  local env = {require = allowed, os = {date = os.date, time = os.time}}
  for _, name in ipairs(BASE) do env[name] = _G[name] end
  return env
end

function own.exists(path) return sys.kind(path) == "file" end

-- What the file returns; or nil and why not.
function own.load(path)
  local source, why = sys.read(path)
  if not source then return nil, why end
  local chunk, mistake = load(source, "@" .. path, "t", environment())
  if not chunk then return nil, mistake end
  local ran, route = pcall(chunk)
  if not ran then return nil, tostring(route):gsub("\n.*", "") end
  return route
end

return own
