-- The state in the cluster, with an API server of one table.
local Chunks = require "state.chunks"
local Lease = require "state.lease"
local clock = require "clock"
local json = require "json"

-- client: get, create and replace with uid and resourceVersion as the API server has them.
local function server()
  local api = {objects = {}, version = 0, writes = {}}
  local function answer(object)
    return json.parse(json.encode(object))
  end
  local function store(object, uid)
    api.version = api.version + 1
    object = answer(object)
    object.metadata.resourceVersion, object.metadata.uid = tostring(api.version), uid
    api.objects[object.metadata.name] = object
    api.writes[#api.writes + 1] = object.metadata.name
    return answer(object)
  end
  function api.get(_, _, _, name)
    if api.objects[name] then return answer(api.objects[name]) end
    return nil, {status = 404, message = "not found"}
  end
  function api.create(_, object)
    if api.objects[object.metadata.name] then return nil, {status = 409, message = "exists"} end
    return store(object, "uid-" .. api.version)
  end
  function api.replace(_, object)
    local old, meta = api.objects[object.metadata.name], object.metadata
    if not old then return nil, {status = meta.uid and 409 or 404, message = "no such object"} end
    if meta.resourceVersion ~= old.metadata.resourceVersion or meta.uid ~= old.metadata.uid then
      return nil, {status = 409, message = "conflict"}
    end
    return store(object, old.metadata.uid)
  end
  function api.watch() return {stop = function() end} end
  return api
end

local function chunks(api, limit)
  return Chunks.new {client = api, namespace = "ns", instance = "x", limit = limit, not_after = function() return 0 end}
end

-- Which lanes the client is asked for: a set.
local function in_lanes(api)
  local lanes = {}
  for _, method in ipairs {"get", "create", "replace"} do
    local plain = api[method]
    api[method] = function(...)
      local options = select(-1, ...)
      lanes[options.lane or method] = true
      return plain(...)
    end
  end
  return lanes
end

local function jobs(from, to)
  local out = {}
  for i = from, to do out["job-" .. i] = {fingerprint = "0123456789abcdef", since = 1795507200 + i} end
  return out
end

describe("the state in ConfigMaps", function()
  it("comes back as it was written, over several maps below the limit", function()
    local api = server()
    local all = jobs(1, 100)
    assert.is_true(chunks(api, 2000):write("baselines", all))
    assert.is_true(#api.writes >= 4)
    for _, object in pairs(api.objects) do assert.is_true(#object.data.baselines <= 2000) end
    assert.same(all, chunks(api, 2000):read "baselines")
  end)

  it("writes the map of a changed entry alone, and none when nothing changed", function()
    local api = server()
    local state, all = chunks(api, 2000), jobs(1, 100)
    state:write("baselines", all)
    api.writes = {}
    state:write("baselines", all)
    assert.same({}, api.writes)
    all["job-50"] = {fingerprint = "fedcba9876543210", since = 1}
    state:write("baselines", all)
    assert.equal(1, #api.writes)
    assert.same(all, chunks(api, 2000):read "baselines")
  end)

  it("forgets what is removed and gives its room to new entries", function()
    local api = server()
    local state = chunks(api, 2000)
    state:write("baselines", jobs(1, 100))
    local maps = #state.maps
    state:write("baselines", jobs(51, 150))
    assert.equal(maps, #state.maps)
    assert.same(jobs(51, 150), chunks(api, 2000):read "baselines")
  end)

  it("keeps several tables apart", function()
    local api = server()
    local state = chunks(api, 2000)
    state:write("baselines", jobs(1, 30))
    state:write("suspended", {["job-1"] = {reason = "r"}})
    local again = chunks(api, 2000)
    assert.same({["job-1"] = {reason = "r"}}, again:read "suspended")
    assert.same(jobs(1, 30), again:read "baselines")
    assert.same({}, again:read "paused")
  end)

  it("goes over another version of a map, and makes one again that was deleted", function()
    local api = server()
    local state = chunks(api)
    state:write("baselines", jobs(1, 2))
    api:replace(api:get("ConfigMap", "ns", "x-state"))
    assert.is_true(state:write("baselines", jobs(1, 3)))
    api.objects["x-state"] = nil
    assert.is_true(state:write("baselines", jobs(1, 4)))
    assert.same(jobs(1, 4), chunks(api):read "baselines")
  end)

  it("does not wait behind the creates", function()
    local api = server()
    local lanes = in_lanes(api)
    assert.is_true(chunks(api):write("baselines", jobs(1, 2)))
    assert.is_true(chunks(api):write("baselines", jobs(1, 3)))
    assert.same({lease = true}, lanes)
  end)

  it("leaves no map behind a gap when it dies while it grows: its entries would come back", function()
    local api = server()
    chunks(api, 2000):write("baselines", jobs(1, 10))
    local calls = {create = api.create, replace = api.replace}
    for deaths = 1, 12 do
      local left = deaths
      for name, call in pairs(calls) do
        api[name] = function(...)
          left = left - 1
          if left < 0 then return nil, {status = 500, message = "dead"} end
          return call(...)
        end
      end
      chunks(api, 2000):write("baselines", jobs(1, 100))
      api.create, api.replace = calls.create, calls.replace
      local next_one, few, more = chunks(api, 2000), jobs(1, 10), jobs(1, 70)
      assert.is_true(next_one:write("baselines", few))
      assert.is_true(next_one:write("baselines", more))
      assert.same(more, chunks(api, 2000):read "baselines")
      assert.is_true(next_one:write("baselines", few))
      for name in pairs(api.objects) do if name ~= "x-state" then api.objects[name] = nil end end
    end
  end)

  it("writes again what could not be written", function()
    local api = server()
    local state, all = chunks(api), jobs(1, 2)
    local create = api.create
    api.create = function() return nil, {status = 500, message = "down"} end
    assert.is_nil(state:write("baselines", all))
    api.create = create
    assert.is_true(state:write("baselines", all))
    assert.same(all, chunks(api):read "baselines")
  end)
end)

describe("the lease", function()
  local function lease(api, identity)
    return Lease.new {client = api, namespace = "ns", instance = "x", identity = identity,
      executor = {fence_after = function(self, at) self.fence = at end}}
  end

  it("is client-go's: 15 s, micro time, a transition for each new holder", function()
    local api = server()
    local first = lease(api, "a")
    assert.is_true(first:acquire())
    local spec = api.objects["x-jobs"].spec
    assert.same({"a", 15, 1}, {spec.holderIdentity, spec.leaseDurationSeconds, spec.leaseTransitions})
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ$", spec.renewTime)
    first:renew(100, {})
    assert.equal(1, api.objects["x-jobs"].spec.leaseTransitions)
    assert.is_true(first:release(120, {{job = "j", slot = 110}}))
    local second = lease(api, "b")
    assert.is_true(second:acquire())
    assert.equal(2, api.objects["x-jobs"].spec.leaseTransitions)
    local mark, open = second:marks()
    assert.equal(120, mark)
    assert.same({{job = "j", slot = 110}}, open)
  end)

  it("fences what is sent 3 s before its end, counted from before the write", function()
    local first = lease(server(), "a")
    local before = clock.boottime()
    first:acquire()
    assert.is_true(first.executor.fence >= before + 12 and first.executor.fence <= clock.boottime() + 12)
  end)

  it("is refused when it is somebody else's", function()
    local api = server()
    api:create {kind = "Lease", metadata = {name = "x-jobs"}, spec = {holderIdentity = "other"}}
    local done, why = lease(api, "a"):acquire()
    assert.is_false(done)
    assert.matches("belongs to other", why)
    assert.equal(1, #api.writes)
  end)

  it("that was deleted, or made again, is lost", function()
    local api = server()
    local first = lease(api, "a")
    first:acquire()
    api.objects["x-jobs"] = nil
    assert.equal("lost", select(3, first:renew(1, {})))
    lease(api, "b"):acquire()
    assert.equal("lost", select(3, first:renew(1, {})))
    assert.equal("b", api.objects["x-jobs"].spec.holderIdentity)
  end)

  it("is kept when an answer to a renewal was lost", function()
    local api = server()
    local first = lease(api, "a")
    first:acquire()
    local replace = api.replace
    api.replace = function(...)
      replace(...)
      return nil, {status = 0, message = "cut"}
    end
    assert.same({nil, "cut"}, {first:renew(1, {})})
    api.replace = replace
    assert.is_true(first:renew(2, {}))
    assert.equal(2, (first:marks()))
  end)

  it("is given up when an answer to a renewal was lost", function()
    local api = server()
    local first = lease(api, "a")
    first:acquire()
    local mine = first.object
    first:renew(1, {})
    first.object = mine
    assert.is_true(first:release(2, {}))
    assert.equal("", api.objects["x-jobs"].spec.holderIdentity)
    assert.equal("2", api.objects["x-jobs"].metadata.annotations["kube-scheduler/watermark"])
  end)

  it("is not given up for another", function()
    local api = server()
    local first = lease(api, "a")
    first:acquire()
    api.objects["x-jobs"].spec.holderIdentity, api.objects["x-jobs"].metadata.resourceVersion = "b", "99"
    assert.is_true(first:release(2, {}))
    assert.equal("b", api.objects["x-jobs"].spec.holderIdentity)
  end)

  it("is never asked for behind the creates", function()
    local api = server()
    local lanes = in_lanes(api)
    local first = lease(api, "a")
    first:acquire()
    api.objects["x-jobs"].metadata.resourceVersion = "99"
    assert.is_true(first:renew(1, {}))
    assert.is_true(first:release(2, {}))
    assert.same({create = true, lease = true}, lanes) -- the first of all makes it
  end)
end)

describe("large tables of the local state", function()
  local Local, sqlite = require "state.local", require "store"
  local function no_pause() end

  it("are written in parts, of which only those that changed again", function()
    local path = os.tmpname()
    local store = assert(sqlite.open(path, Local.schema))
    local writes = 0
    local counting = {exec = function(_, sql, values)
      if sql:match "^INSERT" then writes = writes + #values // 2 end
      return store:exec(sql, values)
    end}
    local all = {}
    for i = 1, 500 do all["job-" .. i] = {since = i} end
    local state = Local.new(counting)
    assert.is_true(state:write("baselines", all)) -- as an earlier version did
    assert.same(all, state:read "baselines")
    writes = 0
    assert.is_true(state:write("baselines", all, no_pause))
    assert.equal(64, writes)
    assert.same(0, store:exec("SELECT count(*) FROM state WHERE name = 'baselines'")[1][1])

    local again = Local.new(counting)
    local read = again:read "baselines"
    assert.same(all, read)
    read["job-7"], read["job-8"], writes = {since = 0}, nil, 0
    assert.is_true(again:write("baselines", read, no_pause))
    assert.equal(2, writes)
    assert.same(read, Local.new(store):read "baselines")
    assert.same({}, Local.new(store):read "base")
    store:close()
    os.execute("rm -f " .. path .. "*")
  end)
end)
