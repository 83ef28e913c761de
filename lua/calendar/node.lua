-- Calendars as trees of sets of days. A node: {text=} for people, and node:year(year, zone) -> its set of that year, by
-- the clock of a zone; made when first asked for, and never changed.
local days = require "calendar.days"

local Node = {}
Node.__index = Node

local node = {}

local function new(text, make) return setmetatable({text = text, make = make, made = {}}, Node) end

function Node:year(year, zone)
  local of_zone = self.made[zone]
  if not of_zone then
    of_zone = {}
    self.made[zone] = of_zone
  end
  local set = of_zone[year]
  if not set then
    set = self.make(year, zone)
    of_zone[year] = set
  end
  return set
end

function Node:has(day, zone)
  local year = days.year_of(day)
  return days.has(self:year(year, zone), year, day)
end

-- add: f(set, year, zone), as entry.read and ics.parse give it.
function node.leaf(text, add)
  return new(text, function(year, zone)
    local set = days.none()
    add(set, year, zone)
    return set
  end)
end

local function texts(nodes)
  local out = {}
  for i, each in ipairs(nodes) do out[i] = each.text end
  return table.concat(out, ", ")
end

local function fold(word, combine)
  return function(nodes)
    if #nodes == 1 then return nodes[1] end
    return new(("%s of (%s)"):format(word, texts(nodes)), function(year, zone)
      local set = nodes[1]:year(year, zone)
      for i = 2, #nodes do set = combine(set, nodes[i]:year(year, zone)) end
      return set
    end)
  end
end

-- nodes: a list of one or more.
node.any = fold("any", days.any)
node.all = fold("all", days.all)

function node.none_of(inner)
  return new("not " .. inner.text, function(year, zone) return days.complement(inner:year(year, zone), year) end)
end

-- The same days under the name that the schedule gives them.
function node.named(name, inner)
  return new(name, function(year, zone) return inner:year(year, zone) end)
end

return node
