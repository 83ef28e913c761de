-- Text from outside, made fit for JSON, for a header and for the log.
local cjson = require "cjson"

local text = {}

local UNREADABLE = "\u{FFFD}"
local LINE_MAX = 4096

-- At most `max` bytes, cut before the last character that might be incomplete.
function text.cut(s, max)
  if #s <= max then return s end
  return (s:sub(1, max):gsub("[\xC0-\xFF][\x80-\xBF]*$", "")) .. "…"
end

-- At most `max` bytes of the end, from the beginning of a line where one is near, else of a character.
function text.last(s, max)
  if #s <= max then return s end
  local rest = s:sub(-max)
  local line = rest:match("^[^\n]*\n(.+)$")
  return "…\n" .. (line or rest:gsub("^[\x80-\xBF]+", ""))
end

local function only_utf8(s)
  local parts, at = {}, 1
  while true do
    local count, bad = utf8.len(s, at)
    if count then break end
    parts[#parts + 1] = s:sub(at, bad - 1)
    parts[#parts + 1] = UNREADABLE
    at = bad + 1
  end
  parts[#parts + 1] = s:sub(at)
  return table.concat(parts)
end

-- Valid UTF-8 without colours and without control characters (but tab and newline).
function text.clean(value, max)
  local s = text.cut(tostring(value), max)
  s = s:gsub("\27%[[%d;]*%a", ""):gsub("\r", ""):gsub("[\0-\8\11-\31\127]", UNREADABLE)
  return only_utf8(s)
end

-- The last lines whose JSON takes at most `budget` bytes, as one text that says how many it leaves out.
function text.tail(lines, budget)
  local kept, size = {}, 0
  for i = #lines, 1, -1 do
    local line = text.clean(lines[i], LINE_MAX)
    size = size + #cjson.encode(line)
    if size > budget then break end
    table.insert(kept, 1, line)
  end
  local left_out = #lines - #kept
  if left_out > 0 then
    table.insert(kept, 1, ("[%d earlier lines left out]"):format(left_out))
  end
  return table.concat(kept, "\n")
end

-- For messages: of each URL only scheme and host stay (paths and queries of webhooks are secrets), and none
-- of the secrets.
function text.redact(s, secrets)
  for _, secret in ipairs(secrets) do
    if #secret > 0 then
      s = s:gsub(secret:gsub("%p", "%%%0"), "[redacted]")
    end
  end
  return (s:gsub("(%a[%w+.-]*://)([^%s\"'<>]*)", function(scheme, rest)
    local host, path = rest:match("^([^/?#]*)(.*)$")
    return scheme .. host:gsub("^.*@", "") .. (path ~= "" and "/…" or "")
  end))
end

-- A value from the environment without the white space that a Secret made by `echo` ends with; nil when
-- nothing is left.
function text.setting(value)
  local s = (value or ""):match("^%s*(.-)%s*$")
  return s ~= "" and s or nil
end

return text
