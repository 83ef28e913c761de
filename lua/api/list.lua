-- Lists in pages: what is sorted, and where the next page goes on. A token names the last row, so rows that come or go
-- meanwhile neither repeat nor hide others. Of many entries only a page's worth is ever kept in order.
--   local page = list.page{limit=, token=, descending=, keys="string" or "number"}; or nil and what is wrong
--   page:add(key, name, value)      for each row, in any order
--   page:finish() -> values in order, the next page's token or nil, how many rows come after this page, and in all
local crypto = require "crypto"
local json = require "json"

local list = {}

local Page = {}
Page.__index = Page

local function read_token(token, keys)
  local text = crypto.base64_decode(token)
  local place = text and json.parse(text)
  if type(place) == "table" and type(place.name) == "string" and type(place.key) == keys then return place end
  return nil, "continue: not a token of this list"
end

function list.page(options)
  local self = setmetatable({limit = options.limit, descending = options.descending, rows = {}, total = 0, behind = 0},
    Page)
  if options.token then
    local problem
    self.after, problem = read_token(options.token, options.keys)
    if not self.after then return nil, problem end
  end
  return self
end

function Page:before(a, b)
  if a.key ~= b.key then
    if self.descending then return a.key > b.key end
    return a.key < b.key
  end
  return a.name < b.name
end

-- Where the row belongs among those that are kept.
function Page:place_of(row)
  local low, high = 1, #self.rows + 1
  while low < high do
    local middle = (low + high) // 2
    if self:before(self.rows[middle], row) then low = middle + 1 else high = middle end
  end
  return low
end

function Page:add(key, name, value)
  local row = {key = key, name = name, value = value}
  self.total = self.total + 1
  if self.after and not self:before(self.after, row) then return end
  self.behind = self.behind + 1
  if #self.rows == self.limit and self:before(self.rows[#self.rows], row) then return end
  table.insert(self.rows, self:place_of(row), row)
  self.rows[self.limit + 1] = nil
end

function Page:finish()
  local values, last = {}, self.rows[#self.rows]
  for i, row in ipairs(self.rows) do values[i] = row.value end
  local remaining = self.behind - #self.rows
  local token = remaining > 0 and crypto.base64(json.encode {key = last.key, name = last.name}) or nil
  return values, token, remaining, self.total
end

return list
