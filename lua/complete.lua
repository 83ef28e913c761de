-- What may stand for the last word of a command line. What options a command has it says itself: its script is run up
-- to where it hands them to cli.parse.
--   complete.words(words) -> words that the last may become; none where files may stand
local bundled = require "bundled"
local cli = require "cli"
local schedule = require "schedule"

local complete = {}

local hidden = {complete = true, daemon = true, help = true}

local function commands()
  local names = {"run"}
  for _, file in ipairs(bundled.names "scripts") do
    local name = file:match "^([%l-]+)%.lua$"
    if name and not hidden[name] then names[#names + 1] = name end
  end
  return names
end

-- Of a command; nil where there is none, or it has no options.
local function spec_of(name, words)
  if name == "run" then return cli.daemon end
  local source = name:match "^[%l-]+$" and bundled.read("scripts/" .. name .. ".lua")
  if not source then return nil end
  local spec, parse, given = nil, cli.parse, arg
  cli.parse = function(command)
    spec = command
    error "that was all"
  end
  rawset(_G, "arg", words)
  pcall(load(source, "@" .. name))
  cli.parse = parse
  rawset(_G, "arg", given)
  return spec
end

-- --name=value is --name value, also where the shell split it.
local function plain(words)
  local out = {}
  for _, word in ipairs(words) do
    local name, value = word:match "^(%-%-?[%w-]+)=(.*)$"
    if name then
      out[#out + 1], out[#out + 2] = name, value
    elseif word ~= "=" then
      out[#out + 1] = word
    elseif word == words[#words] then
      out[#out + 1] = ""
    end
  end
  return out
end

local function option_of(spec, word)
  local name = word and word:match "^%-%-?([%w-]+)$"
  for _, option in ipairs(name and spec.options or {}) do
    if option.name == name then return option end
    for _, alias in ipairs(option.aliases or {}) do
      if alias == name then return option end
    end
  end
end

local function option_names(spec)
  local names = {"--help"}
  for _, option in ipairs(spec.options) do names[#names + 1] = "--" .. option.name end
  return names
end

-- Those of the schedule that the words before mean.
local function jobs(spec, words)
  local options = {dir = ".", name = "schedule.yml", instance = "kube-scheduler"}
  for i, word in ipairs(words) do
    local option = option_of(spec, word)
    local key = option and (option.key or option.name)
    if key == "dir" or key == "name" then options[key] = words[i + 1] end
  end
  local names = {}
  for i, job in ipairs(schedule.load(options).jobs) do names[i] = job.name end
  if spec.usage:find("all", 1, true) then names[#names + 1] = "all" end
  return names
end

local function candidates(words)
  if #words == 1 then return commands() end
  local spec = spec_of(words[1], words)
  if not spec then return {} end
  local option = #words > 2 and option_of(spec, words[#words - 1])
  if option and option.value then return option.choices or {} end
  if words[#words]:sub(1, 1) == "-" then return option_names(spec) end
  if spec.name == "completion" then return {"bash", "zsh", "fish"} end
  return (spec.usage or ""):find("JOB", 1, true) and jobs(spec, words) or {}
end

function complete.words(words)
  words = plain(words)
  local typed, out = words[#words] or "", {}
  for _, word in ipairs(candidates(#words > 0 and words or {""})) do
    if word:sub(1, #typed) == typed then out[#out + 1] = word end
  end
  return out
end

return complete
