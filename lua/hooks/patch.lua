-- Changes that hooks want in a manifest. What makes an object this run's stays: its kind, name, namespace, and our
-- labels and annotations.
--   patch.apply(manifest, changes) -> the changed manifest; or nil and what is wrong
--     changes: a list of {patch = table} and {manifest = table}, each the whole as the hook wants it; later ones win
local cjson = require "cjson"
local json = require "json"
local view = require "hooks.view"

local patch = {}

local OURS <const> = "^kube%-scheduler/"
local MANAGED_BY <const> = "app.kubernetes.io/managed-by"

local function is_list(value) return json.is_array(value) or #value > 0 end

local function named(list)
  for _, item in ipairs(list) do
    if type(item) ~= "table" or type(item.name) ~= "string" then return false end
  end
  return #list > 0
end

local merge

-- A value of JSON as our encoder wants it. like: what stands in its place, for an empty table may be a list.
local function fresh(value, like, whole)
  if type(value) ~= "table" then return value end
  if is_list(value) or next(value) == nil and type(like) == "table" and json.is_array(like) then
    local out = {}
    for i, item in ipairs(value) do out[i] = fresh(item, type(like) == "table" and like[i], whole) end
    return json.array(out)
  end
  return merge(json.object {}, value, whole, like)
end

-- Lists of things with a name: each is merged with the one of its name, new ones come behind.
local function merge_named(old, new)
  local out, at = {}, {}
  for i, item in ipairs(old) do out[i], at[item.name] = item, i end
  for _, item in ipairs(new) do
    local i = at[item.name]
    out[i or #out + 1] = i and merge(out[i], item) or fresh(item)
  end
  return json.array(out)
end

local function merged(old, new, whole)
  if type(old) ~= "table" or type(new) ~= "table" or whole then return fresh(new, old, whole) end
  if is_list(new) then return named(old) and named(new) and merge_named(old, new) or fresh(new, old) end
  return json.is_array(old) and fresh(new, old) or merge(old, new)
end

-- whole: `changes` is all that shall be there; like: what it is a change of.
function merge(old, changes, whole, like)
  local out = {}
  for key, value in pairs(old) do out[key] = value end
  for key, value in pairs(changes) do
    local before = old[key]
    if before == nil and type(like) == "table" then before = like[key] end
    if value == cjson.null and not whole then value = nil end
    out[key] = value ~= nil and merged(before, value, whole) or nil
  end
  return json.object(out)
end

local function keep_ours(owner, original)
  for _, field in ipairs {"labels", "annotations"} do
    owner[field] = type(owner[field]) == "table" and owner[field] or json.object {}
    for key, value in pairs(original[field] or {}) do
      if key:find(OURS) or key == MANAGED_BY then owner[field][key] = value end
    end
  end
end

local function has_containers(manifest)
  local spec = manifest.spec
  if manifest.kind == "Job" then spec = type(spec) == "table" and spec.template and spec.template.spec end
  return type(spec) == "table" and type(spec.containers) == "table" and #spec.containers > 0
end

function patch.apply(manifest, changes)
  if #changes == 0 then return manifest end
  local out = manifest
  for _, change in ipairs(changes) do
    local wanted = view.integers(change.patch or change.manifest)
    out = change.patch and merge(out, wanted) or fresh(wanted, out, true)
  end
  if out.kind ~= manifest.kind then return nil, ("the kind must stay %s"):format(manifest.kind) end
  if type(out.metadata) ~= "table" then return nil, "metadata must stay a mapping" end
  if not has_containers(out) then return nil, "there is no container left" end
  out.metadata = merge(out.metadata, {name = manifest.metadata.name, namespace = manifest.metadata.namespace})
  keep_ours(out.metadata, manifest.metadata)
  local inner = out.kind == "Job" and out.spec.template
  if inner then
    inner.metadata = type(inner.metadata) == "table" and inner.metadata or json.object {}
    keep_ours(inner.metadata, manifest.spec.template.metadata or {})
  end
  return out
end

return patch
