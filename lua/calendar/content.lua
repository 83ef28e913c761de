-- The syntax of an iCalendar file (RFC 5545, section 3.1): lines, folds, parameters, components.
--   content.events(text) -> its VEVENTs: {line=, NAME = item, EXDATE = {item, …}}, item = {line=, name=, parameters=,
--                           value=}; raises what content.fail raises
--   content.fail(item, format, …): raises {line=, message=}
local content = {}

function content.fail(item, format, ...) error({line = item.line, message = format:format(...)}, 0) end

-- Lines without their folds, each with the number of its first.
local function unfolded(text)
  local out, number = {}, 0
  for line in (text:gsub("^\xef\xbb\xbf", "") .. "\n"):gmatch "(.-)\r?\n" do
    number = number + 1
    local more = line:match "^[ \t](.*)$"
    if more and #out > 0 then
      out[#out].text = out[#out].text .. more
    elseif line ~= "" then
      out[#out + 1] = {line = number, text = line}
    end
  end
  return out
end

-- The parameter value at a place, which may have parts in quotes; and the place behind it.
local function parameter_value(text, at)
  local start = at
  repeat
    local before = at
    at = text:match('^[^;:"]+()', at) or text:match('^"[^"]*"()', at) or at
  until at == before
  return text:sub(start, at - 1):gsub('"', ""), at
end

local function parse_line(item)
  local text = item.text
  local name, at = text:match "^([%w-]+)()"
  item.parameters = {}
  while name and text:sub(at, at) == ";" do
    local parameter, value_at = text:match("^;([%w-]+)=()", at)
    if not parameter then break end
    item.parameters[parameter:upper()], at = parameter_value(text, value_at)
  end
  if not name or text:sub(at, at) ~= ":" then
    content.fail(item, "this is no line of iCalendar: NAME:VALUE expected")
  end
  item.name, item.value = name:upper(), text:sub(at + 1)
  return item
end

local function add(event, item)
  if item.name == "EXDATE" then
    table.insert(event.EXDATE, item)
  elseif event[item.name] then
    content.fail(item, "%s is here twice; the first is in line %d", item.name, event[item.name].line)
  else
    event[item.name] = item
  end
end

-- Of what may stand several times only what concerns time is of interest.
local wanted = {DTSTART = true, DTEND = true, DURATION = true, RRULE = true, EXDATE = true, RDATE = true, EXRULE = true,
  ["RECURRENCE-ID"] = true, STATUS = true}

function content.events(text)
  local events, inside = {}, {}
  local event
  for _, line in ipairs(unfolded(text)) do
    local item = parse_line(line)
    local kind = item.value:upper()
    if #inside == 0 and not (item.name == "BEGIN" and kind == "VCALENDAR") then
      content.fail(item, "BEGIN:VCALENDAR expected")
    elseif item.name == "BEGIN" then
      inside[#inside + 1] = kind
      if kind == "VEVENT" then
        event = {line = item.line, EXDATE = {}}
        events[#events + 1] = event
      end
    elseif item.name == "END" then
      if table.remove(inside) ~= kind then content.fail(item, "END:%s ends nothing that began", item.value) end
    elseif inside[#inside] == "VEVENT" and wanted[item.name] then
      add(event, item)
    end
  end
  local last = {line = select(2, text:gsub("\n", "")) + 1}
  if #inside > 0 then content.fail(last, "END:%s is missing", inside[#inside]) end
  return events
end

return content
