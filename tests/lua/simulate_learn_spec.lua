-- What simulate learns of a history.
local learn = require "simulate.learn"

local function row(job, seconds, outcome)
  return {job = job, outcome = outcome or "succeeded", started = 1000, finished = 1000 + seconds}
end

describe("durations learned from a history", function()
  it("are the median of what succeeded", function()
    local rows = {row("a", 10), row("a", 500), row("a", 30), row("a", 5, "failed"), row("b", 7), row("b", 9)}
    assert.are.same({a = 30, b = 7}, learn.durations(rows))
  end)

  it("are at least a second, and none where nothing ran", function()
    local rows = {row("quick", 0), {job = "never", outcome = "skipped"}, {job = "cut", outcome = "succeeded"}}
    assert.are.same({quick = 1}, learn.durations(rows))
  end)
end)
