-- The history, in memory and in SQLite: the same expectations.
local History = require "history"
local store = require "store"
local sys = require "sys"
local task = require "task"

local function run(job, slot, more)
  local out = {job = job, namespace = "ns", name = job .. "-" .. slot, slot = slot, attempt = 0, trigger = "schedule",
    lateness = 0.25, missed = 0, state = "finished", outcome = "succeeded", exit_code = 0, started = slot + 1,
    finished = slot + 2, log_tail = {"one", "two"}}
  for name, value in pairs(more or {}) do out[name] = value end
  return out
end

local backends = {}
function backends.memory(rows) return function() return History.new {rows = rows} end, function() end end
function backends.sqlite(rows)
  local folder = os.tmpname()
  os.remove(folder)
  assert(sys.mkdir(folder))
  local db = assert(store.open(folder .. "/h.sqlite", require "history.store".schema))
  return function() return History.new {rows = rows, store = db} end, function()
    db:close()
    for _, name in ipairs(sys.list(folder)) do os.remove(folder .. "/" .. name) end
    os.remove(folder)
  end
end

local function add(history, ...)
  for _, each in ipairs {...} do history:add(each) end
  task.sleep(0.3) -- for the disk
end

for name, backend in pairs(backends) do
  describe("the history in " .. name, function()
    local open, close, history

    before_each(function()
      open, close = backend(3)
      history = open()
    end)
    after_each(function() close() end)

    it("keeps the newest of each job, newest first, with all they said", function()
      for slot = 10, 50, 10 do add(history, run("a", slot)) end
      add(history, run("b", 5))
      local slots = {}
      for i, record in ipairs(history:list {job = "a"}) do slots[i] = record.slot end
      assert.same({50, 40, 30}, slots)
      assert.equal("b", history:list({limit = 1})[1].job)
      assert.equal(4, #history:list {})
      local record = history:list({job = "a"})[1]
      assert.same({"one", "two"}, record.log_tail)
      assert.same({"succeeded", 0, 0.25, 51, 52, "schedule"}, {record.outcome, record.exit_code, record.lateness,
        record.started, record.finished, record.trigger})
    end)

    it("has one record of a run that is told twice", function()
      add(history, run("a", 10))
      add(history, run("a", 10, {outcome = "failed", exit_code = 3}))
      assert.equal(1, #history:list {job = "a"})
      assert.equal("failed", history:list({job = "a"})[1].outcome)
    end)

    it("tells skipped from missed, and finds a slot among those that were missed together", function()
      add(history, {job = "a", namespace = "ns", name = "a-10", slot = 10, missed = 0, reason = "overlap"})
      add(history, {job = "a", namespace = "ns", name = "a-90", slot = 90, missed = 3, missed_from = 60, reason = "late"})
      assert.equal("skipped", history:find("a", 10)[1].outcome)
      assert.equal("missed", history:find("a", 75)[1].outcome)
      assert.same({}, history:find("a", 55))
      assert.same({}, history:find("b", 10))
    end)

    it("knows the last of each job, and tells its listeners", function()
      local heard
      history:listen(function(record) heard = record.run end)
      add(history, run("a", 10), run("b", 20))
      assert.equal("b-20", heard)
      assert.same({"a-10", "b-20"}, {history:latest().a.run, history:latest().b.run})
    end)

    it("takes finished runs that were found, once", function()
      add(history, run("a", 10, {data = '{"by":"alice"}'}))
      history:rebuild {run("a", 10), run("a", 20), run("a", 30, {state = "started"})}
      task.sleep(0.3)
      assert.equal(2, #history:list {job = "a"})
      assert.equal("alice", history:find("a", 10)[1].by)
    end)
  end)
end

describe("the history on disk", function()
  it("is there after a restart", function()
    local open, close = backends.sqlite(3)
    add(open(), run("a", 10))
    assert.equal("a-10", open():latest().a.run)
    close()
  end)
end)
