-- What hooks can ask for: effects, which the daemon does after the hook has returned well, and http.request,
-- which waits for its answer. Runs in the hook host; mistakes are the caller's, with file and line.
local cjson = require "cjson"
local nearest = require "nearest"
local sandbox = require "hooks.sandbox"
local view = require "hooks.view"

local MAX_EFFECTS <const> = 100
local MAX_EFFECT_BYTES <const> = 1 << 20 -- all effects of one call
local MAX_LOG_LINES <const> = 200
local MAX_LOG_BYTES <const> = 4000
local SEVERITIES <const> = {"info", "warning", "error", "fatal"} -- those of lua/ALERTS.md

local function refuse(text, ...) error(text:format(...), 0) end

local check = {}

function check.text(name, value)
  if type(value) ~= "string" or value == "" then refuse("%s must be a text that is not empty", name) end
  return value
end

function check.body(name, value)
  if type(value) ~= "string" then refuse("%s must be a string", name) end
  return value
end

function check.json(_, value) return cjson.encode(view.plain(value)) end

function check.severity(_, value)
  for _, known in ipairs(SEVERITIES) do
    if value == known then return value end
  end
  refuse("there is no severity '%s'%s (%s)", tostring(value), nearest.hint(tostring(value), SEVERITIES),
    table.concat(SEVERITIES, ", "))
end

function check.url(_, value)
  if type(value) ~= "string" or not value:find("^https?://[^%s]+$") then
    refuse("url must begin with http:// or https:// and have no blanks")
  end
  return value
end

function check.method(_, value)
  if type(value) ~= "string" or not value:find("^%u+$") then refuse("method must be a word like GET or POST") end
  return value
end

function check.timeout(_, value)
  if math.type(value) == nil or not (value > 0 and value <= 30) then
    refuse("timeout must be seconds, more than 0 and at most 30")
  end
  return value
end

function check.headers(_, value)
  if type(value) ~= "table" then refuse("headers must be a table of name = value") end
  local headers = {}
  for name, text in next, value do
    if type(name) ~= "string" or not name:find("^[%w%-_]+$") then refuse("a header's name is not one") end
    if type(text) ~= "string" or text:find("[\r\n%z]") then refuse("header %s must be one line of text", name) end
    headers[name] = text
  end
  return headers
end

-- Checks an argument table field by field; fields: name -> check. Raises at the operator's line.
local function checked(what, given, fields, required)
  local function attempt()
    if type(given) ~= "table" then refuse("a table expected, like %s{…}", what) end
    local names, result = {}, {}
    for name in pairs(fields) do names[#names + 1] = name end
    table.sort(names)
    for name, value in next, given do
      if not fields[name] then
        refuse("there is no field '%s'%s (%s)", tostring(name), nearest.hint(tostring(name), names),
          table.concat(names, ", "))
      end
      result[name] = fields[name](name, value)
    end
    for _, name in ipairs(required) do
      if result[name] == nil then refuse("%s is missing", name) end
    end
    return result
  end
  local ok, result = pcall(attempt)
  if not ok then error(("%s: %s"):format(what, tostring(result)), 3) end
  return result
end

local function body_of(result)
  if result.json then
    result.body, result.json = result.json, nil
    result.headers = result.headers or {}
    result.headers["Content-Type"] = result.headers["Content-Type"] or "application/json"
  end
  return result
end

local function size_of(effect)
  local size = 0
  for _, value in next, effect do size = size + (type(value) == "string" and #value or 64) end
  return size
end

-- current(): the call that runs; it has no effects while a file loads. write_log(text) sends a line to the
-- daemon's log. mirror: of lua/hooks/store_api.lua.
return function(current, write_log, mirror)
  local api = {}

  local function call_of(what, level)
    local call = current()
    if not call.effects then error(what .. " is for hooks: it cannot be used while the file loads", level + 1) end
    return call
  end

  local function queue(what, kind, effect)
    local call = call_of(what, 3)
    effect.kind = kind
    call.effect_bytes = (call.effect_bytes or 0) + size_of(effect)
    if #call.effects >= MAX_EFFECTS or call.effect_bytes > MAX_EFFECT_BYTES then
      error(("%s: a hook may ask for %d effects of %d bytes in all"):format(what, MAX_EFFECTS, MAX_EFFECT_BYTES), 3)
    end
    call.effects[#call.effects + 1] = effect
  end

  function api.alert(given)
    queue("alert", "alert", checked("alert", given,
      {title = check.text, message = check.body, severity = check.severity}, {"title"}))
  end

  function api.trigger(job)
    if type(job) ~= "string" or job == "" then error("trigger: the name of a job expected", 2) end
    queue("trigger", "trigger", {job = job})
  end

  api.http = {}

  function api.http.post(given)
    queue("http.post", "http.post", body_of(checked("http.post", given,
      {url = check.url, json = check.json, body = check.body, headers = check.headers}, {"url"})))
  end

  -- -> {status, headers, body}, or nil and what went wrong
  function api.http.request(given)
    call_of("http.request", 2)
    local request = body_of(checked("http.request", given,
      {url = check.url, method = check.method, json = check.json, body = check.body, headers = check.headers,
        timeout = check.timeout}, {"url"}))
    request.method = request.method or (request.body and "POST" or "GET")
    local answer = coroutine.yield(sandbox.ASK, request)
    if answer.error then return nil, answer.error end
    return answer
  end

  -- Raises what `f` says at the operator's line.
  local function at_caller(f, ...)
    local ok, result = pcall(f, ...)
    if not ok then error(result, 3) end
    return result
  end

  api.store = {}

  function api.store.get(key)
    local value = at_caller(mirror.get, mirror, call_of("store.get", 2), key)
    return value -- no tail call: an error names its caller
  end

  function api.store.set(key, value)
    local text = at_caller(mirror.set, mirror, call_of("store.set", 2), key, value)
    queue("store.set", "store.set", {key = key, text = text})
  end

  function api.print(...)
    local call = current()
    call.lines = (call.lines or 0) + 1
    if call.lines > MAX_LOG_LINES then return end
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    local text = table.concat(words, "\t"):sub(1, MAX_LOG_BYTES)
    write_log(call.lines == MAX_LOG_LINES and text .. " (further lines of this call are dropped)" or text)
  end
  api.log = api.print

  api.json = {null = cjson.null}
  function api.json.encode(value) return cjson.encode(view.plain(value)) end
  function api.json.decode(text) return view.integers(cjson.decode(text)) end

  return api
end
