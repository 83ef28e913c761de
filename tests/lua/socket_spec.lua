-- A line asked and a line answered over a Unix socket, both ends here.
local process = require "process"
local socket = require "socket"
local sys = require "sys"
local task = require "task"

local function run(...)
  local child = process.spawn {argv = {...}}
  local line = child:read_line(20)
  child:wait()
  return line
end

describe("a socket", function()
  local folder, path, server

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(sys.mkdir(folder))
    path = folder .. "/control.sock"
  end)

  after_each(function()
    if server then server:close() end
    server = nil
    os.remove(path)
    os.remove(folder)
  end)

  local function serve(handler) server = assert(socket.serve(path, handler)) end

  it("carries a question and its answer, also large ones, and tells who asks", function()
    local who
    serve(function(line, uid)
      who = uid
      return line:upper()
    end)
    assert.equal("HELLO", socket.ask(path, "hello", 20))
    assert.equal(tonumber(run("id", "-u")), who)
    local large = ("x"):rep(1 << 20)
    assert.equal(large:upper(), socket.ask(path, large, 20))
  end)

  it("is the owner's alone", function()
    serve(function() return "" end)
    assert.equal("600 socket", run("stat", "-c", "%a %F", path))
  end)

  it("lets handlers wait, and answers each its own caller", function()
    serve(function(line)
      task.sleep(tonumber(line))
      return line
    end)
    local answers, pending = {}, 0
    for _, seconds in ipairs {"0.2", "0.1", "0"} do
      pending = pending + 1
      task.spawn(function()
        local answer = socket.ask(path, seconds, 20)
        answers[#answers + 1] = answer
        pending = pending - 1
      end)
    end
    while pending > 0 do task.sleep(0.02) end
    assert.same({"0", "0.1", "0.2"}, answers)
  end)

  it("serves more callers than it keeps at a time", function()
    serve(function(line)
      task.sleep(0.01)
      return line
    end)
    local right, pending = 0, 100
    for i = 1, 100 do
      task.spawn(function()
        if socket.ask(path, tostring(i), 20) == tostring(i) then right = right + 1 end
        pending = pending - 1
      end)
    end
    while pending > 0 do task.sleep(0.02) end
    assert.equal(100, right)
  end)

  it("says that nobody is there, or that no answer came", function()
    local answer, message, code = socket.ask(path, "x", 5)
    assert.same({nil, "notfound"}, {answer, code})
    assert.matches("no daemon listens", message)
    serve(function()
      task.sleep(1)
      return ""
    end)
    assert.equal("timeout", select(3, socket.ask(path, "x", 0.1)))
  end)

  it("takes the place of what a killed daemon left, and refuses what is too long", function()
    serve(function() return "old" end)
    local again = assert(socket.serve(path, function() return "new" end))
    assert.equal("new", socket.ask(path, "x", 20))
    assert.equal("failed", select(3, socket.ask(path, ("x"):rep((1 << 20) + 1), 20)))
    again:close()
    local none, message = socket.serve(folder .. "/" .. ("y"):rep(200), function() end)
    assert.is_nil(none)
    assert.matches("shorter %-%-state%-dir", message)
  end)

  it("forgets a caller that was let go before its answer", function()
    local first = assert(socket.serve(path, function()
      task.sleep(0.2)
      return "late"
    end))
    local code
    task.spawn(function() code = select(3, socket.ask(path, "x", 20)) end)
    task.sleep(0.05)
    first:close()
    task.sleep(0.3)
    assert.equal("failed", code)
  end)
end)
