-- An API server of Lua tables, as far as the daemon needs one: create, get, list, replace, patch and delete with
-- uid, resourceVersion and finalizers, and the history that watches go on from. It knows nothing of faults.
local clock = require "clock"
local json = require "json"

local Server = {}
Server.__index = Server

-- options: {now=function giving unix seconds, on_change=function(type, kind, object, text, old)}
function Server.new(options)
  return setmetatable({now = options.now, on_change = options.on_change, version = 100, uids = 0, stored = {},
    order = {}, changes = {}}, Server)
end

local KINDS = {pods = "Pod", jobs = "Job", configmaps = "ConfigMap", leases = "Lease"}

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- {kind=, collection=, name=, query=}
local function parse_path(path)
  local place, query = path:match "^([^?]*)%??(.*)$"
  local collection, plural, rest = place:match "^(/.-/namespaces/[^/]+/(%l+))(.*)$"
  local out = {kind = KINDS[plural], collection = collection, query = {}, plural = plural}
  out.name, out.sub = rest:match "^/([^/]+)/?(.*)$"
  if out.name then out.name = unescape(out.name) end
  for key, value in query:gmatch "([^&=]+)=([^&]*)" do out.query[key] = unescape(value) end
  return out
end

local function refuse(status, reason, message) return {status = status, reason = reason, message = message} end

local function not_found(at) return refuse(404, "NotFound", ("%s \"%s\" not found"):format(at.plural, at.name)) end

local function other_uid() return refuse(409, "Conflict", "Precondition failed: UID in precondition") end

function Server:store(key, kind, object, what)
  self.version = self.version + 1
  object.metadata.resourceVersion = tostring(self.version)
  local old = self.stored[key]
  local entry = {object = object, text = json.encode(object), kind = kind}
  if what == "DELETED" then
    self.stored[key] = nil
    for i, each in ipairs(self.order) do
      if each == key then table.remove(self.order, i) break end
    end
  else
    if not old then self.order[#self.order + 1] = key end
    self.stored[key] = entry
  end
  local change = {version = self.version, what = what, kind = kind, object = object, text = entry.text}
  self.changes[#self.changes + 1] = change
  self.on_change(change, old and old.object)
  return entry
end

local function copy(entry) return json.parse(entry.text) end

local function finalized(object)
  local list = object.metadata.finalizers
  return not list or #list == 0
end

local calls = {}

function calls.POST(self, at, request)
  local object = json.parse(request.body)
  local meta = object.metadata
  local key = at.collection .. "/" .. meta.name
  if self.stored[key] then
    return refuse(409, "AlreadyExists", ("%s \"%s\" already exists"):format(at.plural, meta.name))
  end
  self.uids = self.uids + 1
  meta.namespace, meta.uid, meta.creationTimestamp = "n", "uid-" .. self.uids, clock.format(self.now())
  if at.kind == "Pod" or at.kind == "Job" then object.status = {phase = "Pending"} end -- a Job's is the simulation's
  return {status = 201, body = self:store(key, at.kind, object, "ADDED").text}
end

local function list(self, at)
  local items = {}
  for _, key in ipairs(self.order) do
    local entry = self.stored[key]
    local here = key:sub(1, #at.collection + 1) == at.collection .. "/"
    if here and Server.selects(at.query.labelSelector, entry.object) then
      items[#items + 1] = entry.text
    end
  end
  return {status = 200, body = ('{"kind":"%sList","apiVersion":"v1","metadata":{"resourceVersion":"%d"},"items":[%s]}')
    :format(at.kind, self.version, table.concat(items, ","))}
end

function calls.GET(self, at)
  if not at.name then return list(self, at) end
  local entry = self.stored[at.collection .. "/" .. at.name]
  return entry and {status = 200, body = entry.text} or not_found(at)
end

function calls.PUT(self, at, request)
  local key = at.collection .. "/" .. at.name
  local entry, object = self.stored[key], json.parse(request.body)
  if not entry then return not_found(at) end
  local old, meta = entry.object.metadata, object.metadata
  if meta.uid and meta.uid ~= old.uid then return other_uid() end
  if meta.resourceVersion and meta.resourceVersion ~= old.resourceVersion then
    return refuse(409, "Conflict", "the object has been modified")
  end
  meta.uid, meta.creationTimestamp, meta.namespace = old.uid, old.creationTimestamp, old.namespace
  return {status = 200, body = self:store(key, at.kind, object, "MODIFIED").text}
end

local function merge(into, patch)
  for name, value in pairs(patch) do
    if type(value) == "table" and not json.is_array(value) then
      into[name] = merge(type(into[name]) == "table" and into[name] or {}, value)
    else
      into[name] = value ~= json.null and value or nil
    end
  end
  return into
end

-- The strategic way with lists of words: those named join, those to be deleted leave.
local function merge_finalizers(meta, patch)
  local words, leaving = {}, {}
  for _, word in ipairs(patch["$deleteFromPrimitiveList/finalizers"] or {}) do leaving[word] = true end
  for _, list_ in ipairs {meta.finalizers or {}, patch.finalizers or {}} do
    for _, word in ipairs(list_) do
      if not leaving[word] then
        words[#words + 1] = word
        leaving[word] = true
      end
    end
  end
  patch["$deleteFromPrimitiveList/finalizers"], patch.finalizers = nil, nil
  meta.finalizers = json.array(words)
end

function calls.PATCH(self, at, request)
  local key = at.collection .. "/" .. at.name
  local entry, patch = self.stored[key], json.parse(request.body)
  if not entry then return not_found(at) end
  local object = copy(entry)
  if patch.metadata.uid and patch.metadata.uid ~= object.metadata.uid then
    return other_uid()
  end
  if request.content_type:find "strategic" then merge_finalizers(object.metadata, patch.metadata) end
  merge(object, patch)
  local leaves = object.metadata.deletionTimestamp and finalized(object)
  return {status = 200, body = self:store(key, at.kind, object, leaves and "DELETED" or "MODIFIED").text}
end

function calls.DELETE(self, at, request)
  local key = at.collection .. "/" .. at.name
  local entry, options = self.stored[key], json.parse(request.body)
  if not entry then return not_found(at) end
  local object = copy(entry)
  if options.preconditions and options.preconditions.uid ~= object.metadata.uid then
    return other_uid()
  end
  local runs = object.status and object.status.phase == "Running"
  if object.metadata.deletionTimestamp then return {status = 200, body = entry.text} end
  if not runs and finalized(object) then
    return {status = 200, body = self:store(key, at.kind, object, "DELETED").text}
  end
  object.metadata.deletionTimestamp = clock.format(self.now() + (runs and 30 or 0))
  object.metadata.deletionGracePeriodSeconds = runs and 30 or 0
  return {status = 200, body = self:store(key, at.kind, object, "MODIFIED").text}
end

-- request: {method=, path=, body=, content_type=} -> {status=, body=, reason=, message=}
function Server:handle(request) return calls[request.method](self, request.at, request) end

-- Somebody in the cluster (the kubelet) changes the Pod or Job of that uid: change(object). It may be gone.
function Server:touch(kind, name, uid, change)
  local key = (kind == "Pod" and "/api/v1/namespaces/n/pods/" or "/apis/batch/v1/namespaces/n/jobs/") .. name
  local entry = self.stored[key]
  if not entry or entry.object.metadata.uid ~= uid then return end
  local object = copy(entry)
  change(object)
  local over = object.status.phase == "Succeeded" or object.status.phase == "Failed"
  local leaves = over and object.metadata.deletionTimestamp and finalized(object)
  self:store(key, kind, object, leaves and "DELETED" or "MODIFIED")
end

function Server.selects(selector, object)
  local labels = object.metadata.labels or {}
  for name, value in (selector or ""):gmatch "([^,=]+)=([^,]*)" do
    if labels[name] ~= value then return false end
  end
  return true
end

Server.parse_path = parse_path

return Server
