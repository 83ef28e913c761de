-- Answers that hold for a while, so many at most: the oldest go first.
--   local c = cache.new(most);  c:put(key, value, seconds);  c:get(key) -> value, or nil
local clock = require "clock"

local Cache = {}
Cache.__index = Cache

function Cache.new(most) return setmetatable({most = most, entries = {}, order = {}, first = 1}, Cache) end

function Cache:get(key)
  local entry = self.entries[key]
  if entry and clock.monotonic() < entry.ends then return entry.value end
end

function Cache:put(key, value, seconds)
  if not self.entries[key] then self.order[#self.order + 1] = key end
  self.entries[key] = {value = value, ends = clock.monotonic() + seconds}
  if #self.order - self.first + 1 <= self.most then return end
  self.entries[self.order[self.first]] = nil
  self.first = self.first + 1
  if self.first > self.most then -- the queue itself does not grow
    self.order, self.first = table.move(self.order, self.first, #self.order, 1, {}), 1
  end
end

return Cache
