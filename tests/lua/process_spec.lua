local process = require "process"
local task = require "task"
local clock = require "clock"

local function sh(script, options)
  options = options or {}
  options.argv = {"sh", "-c", script}
  return assert(process.spawn(options))
end

describe("process", function()
  it("writes to a child and reads its lines", function()
    local p = assert(process.spawn {argv = {"cat"}})
    assert.is_true(p:write("one\ntw"))
    assert.equal("one", p:read_line())
    assert.same({nil, "timeout"}, {p:read_line(0.02)})
    assert.is_true(p:write("o\n\n"))
    assert.equal("two", p:read_line(5))
    assert.equal("", p:read_line(5))
    assert.is_true(p:kill())
    assert.same({0, 9, false}, {p:wait()})
    assert.same({nil, "closed"}, {p:read_line()})
  end)

  it("gives the exit code, also to several tasks and again later", function()
    local p, got = sh "exit 7", nil
    task.spawn(function() got = {p:wait()} end)
    assert.same({7, 0, false}, {p:wait()})
    task.sleep(0)
    assert.same({7, 0, false}, got)
    assert.same({7, 0, false}, {p:wait()})
  end)

  it("refuses to write to or kill a child that has ended", function()
    local p = sh ":"
    p:wait()
    local ok, message = p:write("x")
    assert.is_nil(ok)
    assert.matches("has ended", message)
    assert.is_nil((p:kill()))
  end)

  it("keeps lines that wait after the end", function()
    local p = sh "echo a; echo b; printf unfinished"
    p:wait()
    assert.same({"a", "b", nil}, {p:read_line(5), p:read_line(5), (p:read_line(5))})
  end)

  it("gives each line of many, whole", function()
    local p = sh "seq 200000"
    for i = 1, 200000 do
      local line = p:read_line(10)
      if line ~= tostring(i) then error(("line %d is %s"):format(i, tostring(line))) end
    end
    assert.same({nil, "closed"}, {p:read_line(5)})
  end)

  it("stops a child that nobody reads from, and bounds a line", function()
    local ended = false
    local p = sh("head -c 30000000 /dev/zero; echo done >&2", {on_stderr = function() ended = true end})
    task.sleep(0.3)
    local line, message = p:read_line(5)
    assert.is_nil(line)
    assert.equal("the line is too long", message)
    p:kill()
    p:wait()
    assert.is_false(ended)
  end)

  it("hands over standard error line by line", function()
    local lines = {}
    local p = sh("echo first >&2; head -c 5000 /dev/zero | tr '\\0' x >&2",
      {on_stderr = function(line) lines[#lines + 1] = line end})
    p:wait()
    for _ = 1, 100 do
      if #lines == 3 then break end
      task.sleep(0.01)
    end
    assert.same({"first", ("x"):rep(4096), ("x"):rep(904)}, lines)
  end)

  it("sets environment and folder, and nothing else of ours", function()
    local p = sh("pwd; env | grep -c . ; echo $A", {env = {A = "b c"}, cwd = "/usr"})
    assert.equal("/usr", p:read_line(5))
    assert.is_true(tonumber(p:read_line(5)) <= 3) -- A, and what sh sets itself
    assert.equal("b c", p:read_line(5))
    assert.equal(os.getenv("PATH"), process.environ().PATH)
  end)

  it("kills at the watchdog's time, and not when that was set again", function()
    local p = sh "exec sleep 10"
    local started = clock.monotonic()
    p:watchdog(0.05)
    p:watchdog()
    task.sleep(0.1)
    assert.same({nil, "timeout"}, {p:read_line(0)})
    p:watchdog(0.05)
    assert.same({0, 9, true}, {p:wait()})
    assert.is_true(clock.monotonic() - started < 5)
  end)

  it("says why a program cannot start", function()
    local p, message = process.spawn {argv = {"/nowhere/program"}}
    assert.is_nil(p)
    assert.equal("start /nowhere/program: no such file or directory", message)
    assert.has_error(function() process.spawn {argv = {}} end)
    assert.has_error(function() process.spawn {argv = {"a", 1}} end)
    assert.has_error(function() process.spawn {argv = {"a"}, env = {A = 1}} end)
  end)

  it("passes no descriptor of ours to a child", function()
    local function count() return tonumber(sh("ls /proc/self/fd | wc -l"):read_line(5)) end
    local before = count() -- with those that this process was started with
    local other = assert(process.spawn {argv = {"cat"}})
    assert.equal(before, count())
    other:kill()
    other:wait()
  end)

  it("lets a forgotten child run to its end", function()
    local path = os.tmpname()
    sh("sleep 0.1; echo alive > " .. path)
    collectgarbage()
    collectgarbage()
    task.sleep(0.4)
    local file = assert(io.open(path))
    assert.equal("alive", file:read("l"))
    file:close()
    os.remove(path)
  end)
end)
