-- What hooks keep with store.set: for whom it counts and when, its limits, and its way to the state store.
local hook_store = require "hooks.store"
local known = require "hooks.known"
local kit = require "hooks_kit"
local task = require "task"

local event, eventually, start = kit.event, kit.eventually, kit.start

before_each(kit.before)
after_each(kit.after)

-- A before_run that does what its event's job says; its reason is what it gives.
local function hooks_of(body, options) return start({["a.lua"] = body}, options) end

local COUNTS <const> = [[
  function before_run(event)
    local n = (store.get("count") or 0) + 1
    store.set("count", n)
    if event.job == "bad" then error "broken" end
    return false, ("%s %s"):format(n, store.get "count")
  end]]

local function reason(h, job)
  local answer, message = h:call("before_run", event(job or "x"))
  return answer and answer.reason or message
end

-- A state store that remembers, and how often it was written.
local function state_of(tables)
  local state = {tables = tables or {}, writes = 0}
  function state.read(_, item) return state.tables[item] or {} end
  function state.write(_, item, value)
    task.sleep(0)
    if state.away then return nil, "away" end
    state.writes, state.tables[item] = state.writes + 1, value
    return true
  end
  return state
end

describe("store", function()
  it("gives what an earlier call set, to every file; a call sees its own at once", function()
    local h = start {["a.lua"] = COUNTS, ["b.lua"] = "function on_failed() trigger(tostring(store.get 'count')) end"}
    assert.equal("1 1", reason(h))
    assert.equal("2 2", reason(h))
    local told
    h.on_effect = function(effect) told = effect.job end
    h:fire("on_failed", event "x")
    eventually(function() return told end)
    assert.equal("2", told)
  end)

  it("keeps nothing of a hook that fails", function()
    local h = hooks_of(COUNTS)
    assert.matches("broken", reason(h, "bad"))
    assert.equal("1 1", reason(h))
  end)

  it("keeps any JSON, and nil takes away", function()
    local h = hooks_of [[
      function before_run(event)
        if event.job == "set" then
          for key, value in pairs {t = {a = {1, 2}}, f = false, n = 5, s = "x\0y", e = event.log_tail} do
            store.set(key, value)
          end
          return
        elseif event.job == "clear" then
          store.set("s", "again")
          store.set("s", nil)
          return
        end
        return false, table.concat({store.get("t").a[2], tostring(store.get "f"), math.type(store.get "n"),
          tostring(store.get "s"), store.get("e")[2], tostring(store.get "never")}, " ")
      end]]
    h:call("before_run", event "set")
    assert.equal("2 false integer x\0y second nil", reason(h))
    h:call("before_run", event "clear")
    assert.equal("2 false integer nil second nil", reason(h))
  end)

  it("outlives the hook host, and hooks that take the place of others", function()
    local shared = hook_store.new()
    local h = hooks_of(COUNTS, {store = shared})
    assert.equal("1 1", reason(h))
    os.execute("kill -KILL " .. h:pid())
    eventually(function() return not h:pid() end)
    assert.equal("2 2", reason(h))
    local later = hooks_of(COUNTS, {store = shared})
    assert.equal("3 3", reason(later))
    assert.equal("4 4", reason(h)) -- one that still ends its work
  end)

  it("shows what others set meanwhile to a hook that waited", function()
    local h = hooks_of([[
      function on_failed()
        http.request{url = "http://x/"}
        trigger(store.get "by")
      end
      function before_run() store.set("by", "another") end]],
      {http = {request = function() task.sleep(0.1) return {status = 200, headers = {}, body = ""} end}})
    local told
    h.on_effect = function(effect) told = effect.job or told end
    h:fire("on_failed", event "x")
    task.sleep(0.01)
    h:call("before_run", event "x")
    eventually(function() return told end)
    assert.equal("another", told)
  end)

  it("says at the hook's line which limit something is beyond", function()
    for body, message in pairs {
      ["store.set('', 1)"] = "a.lua:2: store.set: the key must be a text that is not empty",
      ["store.get(5)"] = "a.lua:2: store.get: the key must be a text that is not empty",
      ["store.set(('k'):rep(201), 1)"] = "a.lua:2: store.set: a key may have 200 bytes, this one has 201",
      ["store.set('k', ('v'):rep(16383))"] =
        "a.lua:2: store.set: a value may have 16384 bytes as JSON, 'k' would have 16385",
      ["store.set('k', print)"] = "a.lua:2: store.set: .*function",
      ["for i = 1, 17 do store.set('k' .. i, ('v'):rep(16000)) end"] =
        "a.lua:2: store.set: the store may hold 262144 bytes in all, with 'k17' it would hold 2%d%d%d%d%d",
    } do
      kit.before()
      assert.matches(message, reason(hooks_of("function before_run()\n" .. body .. "\nend")))
    end
    local h = hooks_of "store.get 'x'"
    assert.matches("^a.lua:1: store.get is for hooks", h:problems()[1].message)
  end)

  it("that is full takes smaller values instead of those it has", function()
    local store = hook_store.new()
    local most = known.store.total - known.store_cost("k", "")
    assert.is_true(store:put("k", ("v"):rep(most)))
    assert.same({nil, "the store may hold 262144 bytes in all"}, {store:put("l", "1")})
    assert.is_true(store:put("k", "1"))
    assert.is_true(store:put("l", "1"))
  end)
end)

describe("a store with a state store", function()
  it("begins with what is there, writes the first change at once and those that follow together", function()
    local state, store = state_of {hooks = {count = "41"}}, hook_store.new()
    local h = hooks_of(COUNTS, {store = store})
    assert.equal("1 1", reason(h)) -- nobody knew better yet
    store:restore(state)
    assert.equal("42 42", reason(h))
    for _ = 1, 20 do reason(h) end
    eventually(function() return state.tables.hooks.count == "62" end)
    assert.is_true(state.writes <= 4, state.writes .. " writes")
  end)

  it("writes again what could not be written, and the last at its end", function()
    local state, store = state_of(), hook_store.new()
    store:restore(state)
    state.away = true
    store:put("k", "1")
    task.sleep(0.05)
    assert.equal(0, state.writes)
    state.away = false
    store:put("k", "2")
    store:close(1)
    assert.same({k = "2"}, state.tables.hooks)
    store:put("k", "3")
    task.sleep(1.2)
    assert.same({k = "2"}, state.tables.hooks)
  end)
end)
