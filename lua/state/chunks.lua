-- Named tables in ConfigMaps: <instance>-state, and where that is full <instance>-state-2 and so on, each below
-- an eighth of what the API server takes. An entry stays in the map that it was first put into, so that a change of
-- one job writes one map. Only the leader writes, in the Lease's lane: what a slot or the end of a leader waits for
-- must not wait behind a burst of creates.
local json = require "json"
local log = require "log"
local task = require "task"
local text = require "text"

local Chunks = {}
Chunks.__index = Chunks

local LIMIT = 128 * 1024 -- bytes of data in a ConfigMap; the API server takes 1 MiB, but its text is made in one step
local RETRY = 2          -- seconds

-- options: {client=, namespace=, instance=, limit=, not_after=function giving clock.boottime}
function Chunks.new(options)
  return setmetatable({client = options.client, namespace = options.namespace, instance = options.instance,
    limit = options.limit or LIMIT, not_after = options.not_after}, Chunks)
end

function Chunks:name(index) return self.instance .. "-state" .. (index > 1 and "-" .. index or "") end

local function parse(name, item, source)
  local value = json.parse(source)
  if type(value) == "table" then return value end
  log.error("the state is damaged; it starts empty", {config_map = name, key = item})
  return {}
end

local function open_map(object)
  local items = {}
  for item, source in pairs(object.data or {}) do items[item] = parse(object.metadata.name, item, source) end
  return {meta = object.metadata, data = object.data or {}, items = items}
end

function Chunks:get(index)
  return self.client:get("ConfigMap", self.namespace, self:name(index), {lane = "lease"})
end

-- Reads all; waits until the API server answers.
function Chunks:load()
  local maps = {}
  while true do
    local object, problem = self:get(#maps + 1)
    if object then
      maps[#maps + 1] = open_map(object)
    elseif problem.status == 404 then
      break
    else
      log.warning("the state cannot be read yet", {config_map = self:name(#maps + 1), error = problem.message})
      task.sleep(RETRY)
    end
  end
  self.maps = maps
end

-- The table by that name, empty when there is none.
function Chunks:read(item)
  if not self.maps then self:load() end
  local out = {}
  for _, map in ipairs(self.maps) do
    for key, value in pairs(map.items[item] or {}) do out[key] = value end
  end
  return out
end

local function cost(key, value) return #key + #json.encode(value) + 8 end

-- What the map's other tables take.
local function used(map, item)
  local bytes = 0
  for name, source in pairs(map.data) do
    if name ~= item then bytes = bytes + #name + #source end
  end
  return bytes
end

local function no_pause() end

-- Fills table `into` from `from` with the first keys that fit. Returns the others, and the bytes that are used then.
function Chunks:fill(into, from, keys, bytes, pause)
  for n, key in ipairs(keys) do
    local size = cost(key, from[key])
    if bytes + size > self.limit then return table.move(keys, n, #keys, 1, {}), bytes end
    into[key], bytes = from[key], bytes + size
    pause()
  end
  return {}, bytes
end

-- The keys of `value` that no map has.
local function new_keys(value, homes, pause)
  local keys = {}
  for key in pairs(value) do
    if not homes[key] then keys[#keys + 1] = key end
    pause()
  end
  table.sort(keys)
  return keys
end

-- Which map holds which entries of the table from now on: {table of each map}.
function Chunks:place(item, value, pause)
  local layout, bytes, homeless, homes = {}, {}, {}, {}
  for i, map in ipairs(self.maps) do
    local staying = {}
    for _, key in ipairs(text.keys(map.items[item] or {})) do
      if value[key] ~= nil and not homes[key] then staying[#staying + 1], homes[key] = key, true end
    end
    layout[i] = {}
    local rest
    rest, bytes[i] = self:fill(layout[i], value, staying, used(map, item), pause)
    table.move(rest, 1, #rest, #homeless + 1, homeless)
  end
  for _, key in ipairs(new_keys(value, homes, pause)) do homeless[#homeless + 1] = key end
  local i = 1
  while #homeless > 0 do
    layout[i] = layout[i] or {}
    local before = #homeless
    homeless, bytes[i] = self:fill(layout[i], value, homeless, bytes[i] or 0, pause)
    if #homeless == before and not next(layout[i]) and not self.maps[i] then
      error(("state: the entry '%s' of %s is too large"):format(homeless[1], item))
    end
    i = i + 1
  end
  return layout
end

local function same(a, b)
  for key, value in pairs(a) do
    if b[key] ~= value then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

function Chunks:body(index, map)
  local meta = map.meta or {}
  return {
    apiVersion = "v1", kind = "ConfigMap",
    metadata = {name = self:name(index), namespace = self.namespace, uid = meta.uid,
      resourceVersion = meta.resourceVersion,
      labels = {["app.kubernetes.io/managed-by"] = "kube-scheduler", ["kube-scheduler/instance"] = self.instance}},
    data = json.object(map.data),
  }
end

-- One map as it is in memory to the API server. Another version there is one of ours, whose answer was lost, or
-- somebody's edit: we lead, so ours goes over it.
function Chunks:put(index, map)
  local problem
  for _ = 1, 3 do
    local write = map.meta and self.client.replace or self.client.create
    local written
    written, problem = write(self.client, self:body(index, map), {lane = "lease", not_after = self.not_after()})
    if written then
      map.meta = written.metadata
      return true
    end
    if problem.status ~= 409 and problem.status ~= 404 then break end
    local there = self:get(index)
    map.meta = there and there.metadata
  end
  return nil, problem.message
end

-- New maps are there, empty, before a later one is: load reads up to the first that is missing, and what stood behind
-- a gap would come back, stale, once the gap is filled.
function Chunks:grow(count)
  for i = #self.maps + 1, count - 1 do
    local map = {data = {}, items = {}}
    local done, message = self:put(i, map)
    if not done then return nil, message end
    self.maps[i] = map
  end
  return true
end

-- Makes the table durable: true, or nil and why. An entry that is the same Lua value as at the last write is not
-- written: replace entries, never change them. Later maps first: an entry that moves is in both for a
-- moment, and the later one counts. pause: called after each entry, where it is given.
function Chunks:write(item, value, pause)
  if not self.maps then self:load() end
  local layout = self:place(item, value, pause or no_pause)
  local grown, why = self:grow(#layout)
  if not grown then return nil, why end
  for i = #layout, 1, -1 do
    local map = self.maps[i] or {data = {}, items = {}}
    if map.unwritten or not same(layout[i], map.items[item] or {}) then
      map.items[item], map.data[item], map.unwritten = layout[i], json.encode(json.object(layout[i])), true
      self.maps[i] = map
      local done, message = self:put(i, map)
      if not done then return nil, message end
      map.unwritten = nil
    end
  end
  return true
end

return Chunks
