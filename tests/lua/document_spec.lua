local cjson = require "cjson"
local crypto = require "crypto"
local json = require "json"
local yaml = require "yaml"

local function parsed(module, text)
  local value, err = module.parse(text)
  assert.is_nil(err and tostring(err))
  return value
end

local function fails(expected, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  assert.is_truthy(message:find(expected, 1, true), message)
end

describe("json and yaml values", function()
  it("are plain tables", function()
    for _, module in ipairs { json, yaml } do
      local t = parsed(module, '{"a": [1, 2.5, true, "x"], "b": {"c": null}}')
      assert.equal(1, t.a[1])
      assert.equal("integer", math.type(t.a[1]))
      assert.equal(2.5, t.a[2])
      assert.is_true(t.a[3])
      assert.equal("x", t.a[4])
      assert.equal(4, #t.a)
      assert.equal(json.null, t.b.c)
      assert.equal(cjson.null, t.b.c)
      local names = {}
      for name in pairs(t) do names[#names + 1] = name end
      table.sort(names)
      assert.same({ "a", "b" }, names)
    end
    assert.equal(7, parsed(yaml, "7"))
    assert.equal(json.null, parsed(yaml, ""))
    assert.equal("\0", parsed(json, '"\\u0000"'))
  end)

  it("come with an error that has a place", function()
    local value, err = yaml.parse("a: 1\nschedule: * * * * *\n")
    assert.is_nil(value)
    assert.equal(2, err.line)
    assert.equal(11, err.column)
    assert.is_truthy(err.message:find("quote", 1, true))
    assert.equal("2:11: " .. err.message, tostring(err))
    value, err = json.parse("[1,\n x]")
    assert.is_nil(value)
    assert.equal(2, err.line)
    assert.equal(2, err.column)
  end)

  it("do not share what an alias repeats", function()
    local t = parsed(yaml, "a: &x {k: 1}\nb: *x\n")
    t.a.k = 2
    assert.equal(1, t.b.k)
  end)

  it("keep their hidden half from Lua", function()
    local t = parsed(json, "{}")
    assert.equal("document", getmetatable(t))
    assert.is_false(pcall(setmetatable, t, {}))
    assert.equal("document", getmetatable(json.array {}))
  end)
end)

describe("yaml.position", function()
  it("tells where tables, values and keys stand", function()
    for _, module in ipairs { json, yaml } do
      local t = parsed(module, '{\n "a": [1,\n  {"b": 2}], "c": 3}')
      assert.same({ 1, 1 }, { yaml.position(t) })
      assert.same({ 2, 7 }, { yaml.position(t, "a") })
      assert.same({ 2, 7 }, { yaml.position(t.a) })
      assert.same({ 3, 3 }, { yaml.position(t.a, 2) })
      assert.same({ 3, 9 }, { yaml.position(t.a[2], "b") })
      assert.same({ 3, 14 }, { yaml.key_position(t, "c") })
    end
  end)

  it("gives nothing where there is none", function()
    local t = parsed(json, '{"a": [1]}')
    assert.same({}, { yaml.position({}) })
    assert.same({}, { yaml.position({ a = 1 }, "a") })
    assert.same({}, { yaml.position(t, "b") })
    for _, index in ipairs { 0, 2, -1, math.mininteger, math.maxinteger } do
      assert.same({}, { yaml.position(t.a, index) })
    end
    assert.same({}, { yaml.position(t.a, "x") })
    assert.same({}, { yaml.key_position(t, "b") })
    assert.is_false(pcall(yaml.position, 1))
    assert.is_false(pcall(yaml.key_position, t))
  end)

  it("survives the collector", function()
    local t = parsed(yaml, "a:\n  b: {c: 1}\n").a.b
    collectgarbage()
    collectgarbage()
    assert.same({ 2, 10 }, { yaml.position(t, "c") })
  end)
end)

describe("yaml.keys", function()
  it("lists keys in the order of the text, then new ones sorted", function()
    local t = parsed(yaml, "z: 1\na: 2\nm: 3\nz: 4\n")
    t.y, t.b, t.a = 1, 1, nil
    assert.same({ "z", "m", "b", "y" }, yaml.keys(t))
    assert.same({ "a", "b" }, yaml.keys { b = 1, a = 1, 7 })
    assert.same({}, yaml.keys(parsed(json, "[1]")))
  end)
end)

describe("yaml.duplicates", function()
  it("lists keys that were given again; the table has the first", function()
    for _, module in ipairs { json, yaml } do
      local t = parsed(module, '{"a": 1,\n "b": 2,\n "a": 3,\n "a": 4}')
      assert.equal(1, t.a)
      assert.same({ { key = "a", line = 3, column = 2, first_line = 1 },
        { key = "a", line = 4, column = 2, first_line = 1 } }, yaml.duplicates(t))
    end
    assert.same({}, yaml.duplicates(parsed(yaml, "a: &a {x: 1}\nb: {<<: *a, x: 2}\n").b))
    assert.same({}, yaml.duplicates {})
  end)
end)

describe("json.encode", function()
  it("sorts keys and keeps integers and floats exact", function()
    assert.equal('{"a":[1,2.5,true,null,"x"],"b":{}}',
      json.encode { b = {}, a = { 1, 2.5, true, json.null, "x" } })
    assert.equal("[9223372036854775807,-9223372036854775808]", json.encode { math.maxinteger, math.mininteger })
    assert.equal("[1,0.1,1e+300,100000000000000]", json.encode { 1.0, 0.1, 1e300, 1e14 })
    assert.equal("7", json.encode(7))
    assert.equal('"a\\u0000\u{FFFD}"', json.encode("a\0\xff"))
    assert.equal('{\n  "a": 1\n}\n', json.encode({ a = 1 }, { indent = true }))
  end)

  it("tells empty arrays from empty objects", function()
    assert.equal('{"a":[],"o":{}}', json.encode(parsed(json, '{"a":[],"o":{}}')))
    assert.equal('{"a":[],"o":{}}', json.encode(parsed(yaml, "a: []\no: {}\n")))
    assert.equal("{}", json.encode {})
    assert.equal("[]", json.encode(json.array {}))
    assert.equal("{}", json.encode(json.object {}))
    assert.is_true(json.is_array(json.array {}))
    assert.is_true(json.is_array { 1 })
    assert.is_false(json.is_array {})
    assert.is_false(json.is_array "x")
    assert.is_false(json.is_array(json.object { 1 }))
  end)

  it("writes lists that were changed", function()
    local t = parsed(json, '{"list":[1,2]}')
    table.insert(t.list, 3)
    table.remove(t.list, 1)
    assert.equal('{"list":[2,3]}', json.encode(t))
    t.list[2], t.list[1] = nil, nil
    assert.equal('{"list":[]}', json.encode(t))
  end)

  it("raises for what has no text, and says where", function()
    fails("value.a[2].f: a function has no text", json.encode, { a = { 1, { f = print } } })
    fails("value: both a list and named keys", json.encode, { 1, a = 2 })
    fails("value.x: a list with holes", json.encode, { x = { 1, nil, 3, nil, 5 } })
    fails("value: a list with holes", json.encode, { 1, [3] = 3 })
    fails("an object's keys must be strings", json.encode, { [true] = 1 })
    fails("an object's keys must be strings", json.encode, json.object { 1 })
    fails("both a list and named keys", json.encode, json.array { a = 1 })
    fails("infinity or NaN", json.encode, { 0 / 0 })
    fails("infinity or NaN", json.encode, 1 / 0)
    local cycle = {}
    cycle.a = cycle
    fails("inside itself", json.encode, cycle)
    fails("inside itself", yaml.encode, { cycle })
    assert.is_false(pcall(json.encode))
    fails("a nil has no text", json.encode, nil)
  end)
end)

describe("yaml.encode", function()
  it("writes block style and quotes what looks like something else", function()
    assert.equal('a:\n- "yes"\n- "5"\n- 5\n- \'* * * * *\'\nb: {}\nc: []\n',
      yaml.encode { a = { "yes", "5", 5, "* * * * *" }, b = {}, c = json.array {} })
  end)
end)

describe("json.copy", function()
  it("is deep and keeps marks and positions", function()
    local t = parsed(json, '{"a": {"l": []}}')
    local copy = json.copy(t)
    copy.a.l[1] = 1
    assert.equal('{"a":{"l":[]}}', json.encode(t))
    assert.equal('{"a":{"l":[1]}}', json.encode(copy))
    assert.same({ 1, 7 }, { yaml.position(copy.a) })
    assert.equal("[]", json.encode(json.copy(json.array {})))
    assert.equal("x", json.copy("x"))
    local cycle = {}
    cycle.a = cycle
    fails("inside itself", json.copy, cycle)
  end)
end)

describe("json.merge", function()
  -- RFC 7386, appendix A: base, patch, result
  local examples = {
    { '{"a":"b"}', '{"a":"c"}', '{"a":"c"}' },
    { '{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}' },
    { '{"a":"b"}', '{"a":null}', "{}" },
    { '{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}' },
    { '{"a":["b"]}', '{"a":"c"}', '{"a":"c"}' },
    { '{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}' },
    { '{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}' },
    { '{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}' },
    { '["a","b"]', '["c","d"]', '["c","d"]' },
    { '{"a":"b"}', '["c"]', '["c"]' },
    { '{"a":"foo"}', "null", "null" },
    { '{"a":"foo"}', '"bar"', '"bar"' },
    { '{"e":null}', '{"a":1}', '{"a":1,"e":null}' },
    { "[1,2]", '{"a":"b","c":null}', '{"a":"b"}' },
    { "{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}' },
  }

  it("follows the examples of RFC 7386 and leaves its arguments alone", function()
    for _, example in ipairs(examples) do
      local base, patch = parsed(json, example[1]), parsed(json, example[2])
      assert.equal(example[3], json.encode(json.merge(base, patch)))
      assert.equal(example[1], json.encode(base))
      assert.equal(example[2], json.encode(patch))
    end
  end)

  it("remembers where each value came from", function()
    local defaults = parsed(yaml, "image: a\nenv:\n  A: 1\n  B: 2\n")
    local job = parsed(yaml, "\n\n\nenv:\n  B: 3\n  C: 4\nextra: 1\n")
    local merged = json.merge(json.merge(defaults, {}), job)
    assert.same({ 1, 8 }, { yaml.position(merged, "image") })
    assert.same({ 7, 8 }, { yaml.position(merged, "extra") })
    assert.same({ 3, 6 }, { yaml.position(merged.env, "A") })
    assert.same({ 5, 6 }, { yaml.position(merged.env, "B") })
    assert.same({ 5, 3 }, { yaml.key_position(merged.env, "B") })
    assert.same({ "image", "env", "extra" }, yaml.keys(merged))
    assert.same({ "A", "B", "C" }, yaml.keys(merged.env))
    merged.env.A = nil
    assert.equal(1, defaults.env.A)
  end)
end)

describe("what is written", function()
  -- A value out of a seed: strings that are hard on YAML, numbers at the edges, empty and nested tables.
  local hard = { "", " ", "yes", "5", "1e3", "a: b", "# a", "- a", "* *", "a\nb\n", "\n", "\t", "'", '"', "\\", "~",
    "null", "<<", "é", "😀", "\0", "\r\n", "\u{2028}", "0644", "%", "@", "[", "{", "a #b", "?", "|", "a\n\n", " a\n" }

  local function random_value(depth)
    local kind = math.random(depth > 3 and 5 or 7)
    if kind == 1 then return json.null end
    if kind == 2 then return math.random(2) == 1 end
    if kind == 3 then return math.random(0) >> math.random(0, 63) end
    if kind == 4 then return (math.random() - 0.5) * 10.0 ^ math.random(-300, 300) end
    if kind == 5 then return hard[math.random(#hard)] end
    local t = {}
    for i = 1, math.random(0, 4) do
      t[kind == 6 and i or hard[math.random(#hard)]] = random_value(depth + 1)
    end
    return kind == 6 and json.array(t) or json.object(t)
  end

  it("reads back the same, in both languages", function()
    math.randomseed(42)
    for _ = 1, 2000 do
      local value = random_value(0)
      local text = json.encode(value)
      assert.same(value, parsed(json, text))
      assert.equal(text, json.encode(parsed(json, text)))
      assert.equal(text, json.encode(parsed(yaml, yaml.encode(value))))
      assert.equal(text, json.encode(parsed(yaml, yaml.encode(json.copy(value)))))
    end
  end)
end)

describe("yaml.load", function()
  local path = os.tmpname()
  local function load(text)
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    return yaml.load(path)
  end
  teardown(function() os.remove(path) end)

  it("gives a tree whose members go by key or rank, with their places", function()
    local tree = load("b: {x: 'q', y: [1, \"z\"]}\n# more\na: 5\n").tree
    assert.same({"mapping", 2}, {tree:kind(), tree:count()})
    assert.same({"a", 3, 1}, {tree:key(1)})
    assert.same({"b", 1, 1}, {tree:key "b"})
    assert.same({5, {x = "q", y = {1, "z"}}}, {tree:value "a", tree:value(2)})
    assert.same({3, 4, false}, {tree:position "a"})
    assert.same({1, 8, true}, {tree:position("b", "x")})
    assert.same({1, 20, true}, {tree:position("b", "y", 2)})
    for _, none in ipairs {{0}, {3}, {"c"}, {"a", "x"}, {"b", "y", 3}} do
      assert.same(0, select("#", tree:position(table.unpack(none))))
    end
    assert.same({}, tree:duplicates())
    assert.same({{key = "a", line = 2, column = 1, first_line = 1}}, load("a: 1\na: 2\n").tree:duplicates())
  end)

  it("tells mistakes, what cannot be read, and the digest", function()
    assert.same({line = 2, column = 1}, (function(m) return {line = m.line, column = m.column} end)(load("a: [\n").mistake))
    assert.equal(crypto.sha256 "a: [\n", load("a: [\n").digest)
    assert.equal(crypto.sha256 "x: 1", yaml.load("no file", "x: 1").digest)
    assert.equal(load("").digest, crypto.sha256_file(path))
    assert.same({"nothing", 0}, {load("").tree:kind(), load("").tree:count()})
    assert.same({nil, path .. "x: No such file or directory", "notfound"}, {yaml.load(path .. "x")})
    assert.is_nil((crypto.sha256_file(path .. "x")))
  end)

  it("leaves what came out of a tree that is closed, without its places", function()
    local tree = load("a: {list: [], map: {}}\n").tree
    local value = tree:value "a"
    tree:close()
    assert.equal('{"list":[],"map":{}}', json.encode(value))
    assert.equal('{"list":[],"map":{}}', json.encode(json.copy(value)))
    assert.same(0, select("#", yaml.position(value, "list")))
    assert.error_matches(function() tree:value "a" end, "this tree is closed")
    tree:close()
  end)
end)

describe("yaml.plain", function()
  local schema, problems = require "schema", require "problems"
  local fields = {
    text = {"string"}, yes = {"boolean"}, count = {"count", min = 2}, whole = {"integer"}, time = {"duration"},
    one = {"choice", values = {"a", "b"}}, list = {"strings"}, either = {"string_or_strings"}, more = {"object", fields = {}},
  }
  local plain = yaml.plain(fields)

  -- What plain makes of a mapping, and what schema.check does; that has nothing to say of what is plain.
  local function both(text)
    local tree = yaml.load("", "m: " .. text).tree
    local found, raw = problems.new(), tree:value "m"
    return plain:read(tree, "m"), schema.check(raw, fields, "f", found, ""), found:errors()
  end

  it("reads as schema.check does", function()
    for _, text in ipairs {
      "{}", "{text: x, yes: false, count: 2, whole: -3}", "{time: 1h30m}", "{time: 90}", "{time: 0s}", "{one: b}", "{list: [a, 1, -2]}", "{list: []}",
      "{either: x}", "{either: [x]}", "{time: 999999999d}",
    } do
      local quick, slow, errors = both(text)
      assert.same({slow, 0}, {quick, errors})
      assert.equal(json.encode(slow), json.encode(quick))
    end
  end)

  it("leaves to it whatever is wrong, or no simple value", function()
    for _, text in ipairs {
      "{other: 1}", "{text: 1}", "{text: }", "{yes: 1}", "{count: 1}", "{count: 2.0}", "{whole: 2147483648}", "{time: 1x}", "{time: ''}", "{time: 1234567890s}",
      "{time: -1}", "{time: '5'}", '{time: "5m\\0"}', "{one: c}", "{list: [1.5]}", "{list: x}", "{list: [[a]]}", "{either: 3}", "{more: {}}", "{text: a, text: b}", "[]", "x",
    } do
      local tree = yaml.load("", "m: " .. text).tree
      assert.is_nil(plain:read(tree, "m"), text)
    end
    assert.is_nil(plain:read(yaml.load("", "m: {}").tree, "n"))
    assert.is_nil(yaml.plain {must = {"string", required = true}}:read(yaml.load("", "m: {}").tree, "m"))
  end)
end)
