-- Tables and colours for people.
local terminal = require "terminal"

local plain = terminal.new {tty = false, colour = false, width = 80}
local coloured = terminal.new {tty = true, colour = true, width = 80}

describe("terminal", function()
  it("lines columns up by what a terminal shows of UTF-8", function()
    assert.equal("job    n  note\nüber   1  a\n日本  10\n", plain:table({"job", "n", "note"},
      {{"über", 1, {"a", style = "red"}}, {"日本", 10}}, {right = {[2] = true}}))
    assert.equal(1, terminal.columns "e\u{301}")
  end)

  it("leaves out a column that is empty", function()
    assert.equal("a  c\n1  2\n1  2\n", plain:table({"a", "b", "c"}, {{1, nil, 2}, {1, "", 2}}))
  end)

  it("paints without moving a column", function()
    assert.equal("\27[1ma\27[0m    \27[1mb\27[0m\n\27[31mxyz\27[0m  1\n", coloured:table({"a", "b"}, {{{"xyz", style = "red"}, 1}}))
    assert.equal("x", plain:paint("red", "x"))
    assert.equal("\27[32mx\27[0m", coloured:paint("green", "x"))
  end)

  it("lets no control character through", function()
    assert.equal("a\nx?[31m?y?\n", plain:table({"a"}, {{"x\27[31m\ny\u{9b}"}}))
  end)
end)
