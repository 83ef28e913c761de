local store = require "store"
local task = require "task"

describe("store", function()
  local path, s

  before_each(function()
    path = os.tmpname()
    os.remove(path)
    s = assert(store.open(path, "CREATE TABLE t (a, b TEXT)"))
  end)

  after_each(function()
    s:close()
    for _, ending in ipairs { "", ".lock", "-wal", "-shm" } do
      os.remove(path .. ending)
    end
  end)

  it("gives rows as lists of lists", function()
    assert.same({}, s:exec("INSERT INTO t VALUES (?, ?), (?, ?)", { 1 << 62, "x\0y", true, nil, n = 4 }))
    assert.same({ { 1 << 62, "x\0y" }, { 1 } }, s:exec "SELECT a, b FROM t ORDER BY rowid")
  end)

  it("returns nil and the message of a statement that fails", function()
    local rows, err = s:exec "INSERT INTO nowhere VALUES (1)"
    assert.is_nil(rows)
    assert.matches("no such table: nowhere", err, 1, true)
  end)

  it("refuses what it cannot keep", function()
    assert.error_matches(function() s:exec("INSERT INTO t VALUES (?, 1)", { 1.5 }) end,
      "parameter 1 is a number: strings, integers")
    assert.error_matches(function() s:exec("SELECT 1", { n = 101 }) end, "at most 100")
  end)

  it("is closed only once, and then says so", function()
    s:close()
    s:close()
    assert.error_matches(function() s:exec "SELECT 1" end, "this store is closed")
  end)

  it("writes what waits when it is closed", function()
    local done
    task.spawn(function() done = s:exec("INSERT INTO t VALUES (7, NULL)") end)
    s:close()
    assert.same({}, done)
    s = assert(store.open(path))
    assert.same({ { 7 } }, s:exec "SELECT a FROM t")
  end)

  it("returns nil and why a file cannot be opened", function()
    local other, err = store.open(path)
    assert.is_nil(other)
    assert.matches("is in use by process", err, 1, true)
  end)
end)
