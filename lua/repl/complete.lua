-- What TAB offers: globals and fields, and inside quotes the jobs and time zones.
local sys = require "sys"

local KEYWORDS <const> = {"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
  "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while"}
local ZONE_TABLES <const> = {"/usr/share/zoneinfo/tzdata.zi", "/usr/share/zoneinfo/zone1970.tab"}

local zones -- read when first asked for

local function read_zones()
  local names = {UTC = true}
  for _, path in ipairs(ZONE_TABLES) do
    for line in (sys.read(path) or ""):gmatch "[^\n]+" do
      local name = line:match "^Z (%S+)" or line:match "^L %S+ (%S+)" or line:match "^%u%u%S*\t%S+\t(%S+)"
      if name and name:find "/" then names[name] = true end
    end
  end
  return names
end

-- Adds the names of a value and of what it inherits.
local function add_fields(value, into)
  for _ = 1, 10 do
    if type(value) == "table" then
      for key in next, value do
        if type(key) == "string" then into[key] = true end
      end
    end
    local meta = debug.getmetatable(value)
    value = type(meta) == "table" and rawget(meta, "__index") or nil
    if value == nil then return end
  end
end

-- The value of a chain such as "a.b:", walked without calling anything; nil when it has none.
local function value_of(chain, env)
  local value = env
  for name in chain:gmatch "[%a_][%w_]*" do
    local found, next_value = pcall(function() return value[name] end)
    value = found and next_value or nil
    if value == nil then return nil end
  end
  return value
end

-- Whether the text ends inside a quoted string, and what of it is typed.
local function open_quote(before)
  local quote, start
  local at = 1
  while at <= #before do
    local c = before:sub(at, at)
    if c == "\\" then
      at = at + 1
    elseif quote == c then
      quote = nil
    elseif not quote and c:find "[\"']" then
      quote, start = c, at + 1
    end
    at = at + 1
  end
  return quote and before:sub(start)
end

local function candidates(before, env, jobs)
  local names, word = {}, open_quote(before)
  if word then
    zones = zones or read_zones()
    for _, job in ipairs(jobs()) do names[job] = true end
    if word ~= "" then
      for zone in pairs(zones) do names[zone] = true end
    end
    return names, word
  end
  local chain
  chain, word = before:match "([%w_.:]-)([%a_]?[%w_]*)$"
  if chain:find "[.:]$" then
    add_fields(value_of(chain, env), names)
  elseif chain == "" and word ~= "" then
    add_fields(env, names)
    for _, keyword in ipairs(KEYWORDS) do names[keyword] = true end
  end
  return names, word
end

local function common_start(words)
  local start = words[1]
  for _, word in ipairs(words) do
    while word:sub(1, #start) ~= start do start = start:sub(1, -2) end
  end
  return start
end

-- env: where globals are; jobs(): the names of jobs. Gives the function that editline wants.
return function(env, jobs)
  return function(before)
    local names, word = candidates(before, env, jobs)
    local fitting = {}
    for name in pairs(names) do
      if name:sub(1, #word) == word then fitting[#fitting + 1] = name end
    end
    if #fitting == 0 then return nil end
    table.sort(fitting)
    local insert = common_start(fitting):sub(#word + 1)
    if insert ~= "" or #fitting == 1 then return insert end
    return nil, table.concat(fitting, "  ")
  end
end
