-- Lists in pages: what is sorted, and where the next page goes on. A token names the last row, so rows that come or go
-- meanwhile neither repeat nor hide others.
local crypto = require "crypto"
local json = require "json"

local list = {}

local DEFAULT, MOST = 100, 500

-- A whole number from 1 to most; or nil and what is expected.
function list.limit(text)
  if text == nil then return DEFAULT end
  local n = math.tointeger(tonumber(text))
  if n and n >= 1 and n <= MOST then return n end
  return nil, ("limit: a number from 1 to %d expected"):format(MOST)
end

local function before(a, b, descending)
  if a.key ~= b.key then
    if descending then return a.key > b.key end
    return a.key < b.key
  end
  return a.name < b.name
end

local function read_token(token)
  local text = crypto.base64_decode(token)
  local place = text and json.parse(text)
  if type(place) == "table" and type(place.name) == "string" and place.key ~= nil then return place end
end

-- entries: {{key=, name=, …}} with keys of one type. Gives those of the page and the token of the next, or nil and
-- what is wrong.
function list.page(entries, limit, token, descending)
  local after
  if token then
    after = read_token(token)
    if not after or entries[1] and type(after.key) ~= type(entries[1].key) then
      return nil, "continue: not a token of this list"
    end
  end
  table.sort(entries, function(a, b) return before(a, b, descending) end)
  local page, first = {}, 1
  while after and entries[first] and not before(after, entries[first], descending) do first = first + 1 end
  for i = first, math.min(first + limit - 1, #entries) do page[#page + 1] = entries[i] end
  local last = page[#page]
  if not last or not entries[first + limit] then return page, nil, 0 end
  return page, crypto.base64(json.encode {key = last.key, name = last.name}), #entries - (first + limit - 1)
end

return list
