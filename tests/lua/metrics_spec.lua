-- What Prometheus reads: both expositions, byte for byte.
local metrics = require "metrics"

local function text(m, format)
  local out = {}
  m:write(format, function(piece) out[#out + 1] = piece end)
  return table.concat(out)
end

describe("the text format", function()
  it("has counters with _total, from the start at zero", function()
    local m = metrics.new "x_"
    m:counter("calls_total", "Calls")
    assert.equal("# HELP x_calls_total Calls\n# TYPE x_calls_total counter\nx_calls_total 0\n", text(m, "text"))
  end)

  it("escapes labels and help", function()
    local m = metrics.new ""
    m:gauge("g", 'a\\b\n"c"', {labels = {"l"}}):set(1, 'a\\b\n"c"')
    assert.equal('# HELP g a\\\\b\\n\\"c\\"\n# TYPE g gauge\ng{l="a\\\\b\\n\\"c\\""} 1\n',
      (text(m, "text"):gsub('# HELP g (.-)"c"', '# HELP g %1\\"c\\"')))
  end)

  it("adds buckets up, and counts what is in none", function()
    local m = metrics.new ""
    local h = m:histogram("h_seconds", "H", {buckets = {0.5, 1}, unit = "seconds"})
    for _, n in ipairs {0.5, 0.75, 3} do h:observe(n) end
    assert.equal([[
# HELP h_seconds H
# TYPE h_seconds histogram
h_seconds_bucket{le="0.5"} 1
h_seconds_bucket{le="1.0"} 2
h_seconds_bucket{le="+Inf"} 3
h_seconds_sum 4.25
h_seconds_count 3
]], text(m, "text"))
  end)

  it("keeps series of different labels apart, in the order of their coming", function()
    local m = metrics.new ""
    local c = m:counter("c_total", "C", {labels = {"a", "b"}})
    c:add(1, "x", "y")
    c:add(2, "xy", "")
    c:add(0.5, "x", "y")
    assert.equal('c_total{a="x",b="y"} 1.5\nc_total{a="xy",b=""} 2\n', text(m, "text"):gsub("#[^\n]*\n", ""), nil)
  end)

  it("reads values when asked", function()
    local m, n = metrics.new "", 0
    m:gauge("g", "G", {labels = {"l"}, read = function(emit)
      n = n + 1
      emit(n, "a")
      emit(true, "b")
    end})
    text(m, "text")
    assert.truthy(text(m, "text"):find('g{l="a"} 2\ng{l="b"} 1\n', 1, true))
  end)

  it("calls infos gauges", function()
    local m = metrics.new ""
    m:info("build_info", "B", {labels = {"v"}, read = function(emit) emit(1, "2") end})
    assert.equal('# HELP build_info B\n# TYPE build_info gauge\nbuild_info{v="2"} 1\n', text(m, "text"))
  end)

  it("comes in pieces", function()
    local m, pieces = metrics.new "", 0
    m:gauge("g", "G", {labels = {"l"}, read = function(emit)
      for i = 1, 1000 do emit(i, i) end
    end})
    m:write("text", function() pieces = pieces + 1 end)
    assert.is_true(pieces > 4)
  end)
end)

describe("OpenMetrics", function()
  it("leaves _total and _info out of the family's name, has units and an end", function()
    local m = metrics.new "x_"
    m:counter("cpu_seconds_total", "C", {unit = "seconds"})
    m:info("build_info", "B", {labels = {"v"}, read = function(emit) emit(1, "2") end})
    assert.equal([[
# HELP x_cpu_seconds C
# TYPE x_cpu_seconds counter
# UNIT x_cpu_seconds seconds
x_cpu_seconds_total 0
# HELP x_build B
# TYPE x_build info
x_build_info{v="2"} 1
# EOF
]], text(m, "openmetrics"))
  end)

  it("is given to those that like it best", function()
    for accept, format in pairs {
      ["application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," ..
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"] = "openmetrics",
      ["application/openmetrics-text; version=0.0.1"] = "text",
      ["application/openmetrics-text;q=0.2, text/plain;q=0.5"] = "text",
      ["text/html"] = "text", ["*/*"] = "text", [""] = "text",
    } do assert.equal(format, metrics.choose(accept), accept) end
    assert.equal("text", metrics.choose(nil))
  end)
end)

describe("why a slot did not run", function()
  local outcomes = require "metrics.outcomes"
  it("is one word of few", function()
    for reason, word in pairs {
      ["overlap: a run is still active"] = "overlap", ["suspended by ann: x"] = "suspended", ["paused"] = "suspended",
      ["before_run: no"] = "veto", ["limit db is reached, and 3 wait already"] = "limit",
      ["not started by its deadline: x"] = "deadline", ["calendar: in holidays"] = "calendar", ["?"] = "other",
    } do assert.equal(word, outcomes.decision {outcome = "skipped", reason = reason}, reason) end
    assert.equal("missed", outcomes.decision {outcome = "missed"})
  end)

  it("counts failures in a row, of attempts at one slot the last", function()
    local o = outcomes.new()
    o:seed { -- newest first
      {job = "a", outcome = "failed", slot = 3, at = 33}, {job = "a", outcome = "skipped", slot = 2, at = 22},
      {job = "a", outcome = "failed", slot = 1, at = 12}, {job = "a", outcome = "failed", slot = 1, at = 11},
      {job = "a", outcome = "succeeded", slot = 0, at = 5, started = 1, finished = 4},
    }
    assert.same({2, 4, 0, 3, 33}, {o:of "a".failures, o:of "a".last_success, o:of "a".success_slot, o:of "a".seconds,
      o:of "a".last_failure})
    o:add({job = "a", outcome = "failed", slot = 4, at = 44}, {retry_at = 50})
    assert.equal(2, o:of "a".failures)
    o:add({job = "a", outcome = "succeeded", slot = 4, at = 55}, {})
    assert.equal(0, o:of "a".failures)
  end)
end)
