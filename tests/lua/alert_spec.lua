-- Which routes there are, and what their settings may say.
local alert = require "alert"
local kit = require "alert_kit"

local DSN, world = kit.DSN, kit.world

describe("choosing routes", function()
  local function routes(env, more)
    local options = { env = function(name) return env[name] end, send = print }
    for name, value in pairs(more or {}) do options[name] = value end
    local sender, err = alert.new(options)
    if not sender then return nil, err end
    local names = {}
    for i, queue in ipairs(sender.queues) do names[i] = queue.name end
    return table.concat(names, " ")
  end

  it("follows the environment; empty means off", function()
    assert.equal("log", routes {})
    assert.equal("log", routes { HONEYBADGER_API_KEY = "", SENTRY_DSN = " \n" })
    assert.equal("log honeybadger", routes { HONEYBADGER_API_KEY = "abc\n" })
    assert.equal("log honeybadger sentry", routes { HONEYBADGER_API_KEY = "abc", SENTRY_DSN = DSN })
  end)

  it("says what is wrong without the secret", function()
    for _, dsn in ipairs { "topsecret", "https://sentry.example/42", "https://topsecret@sentry.example",
                           "https://topsecret@sentry.example/42?x=1", "ftp://topsecret@sentry.example/42" } do
      local got, err = routes { SENTRY_DSN = dsn }
      assert.is_nil(got, dsn)
      assert.matches("SENTRY_DSN is malformed: write https://", err)
      assert.is_nil(err:find("topsecret", 1, true), dsn)
    end
    local got, err = routes { HONEYBADGER_API_KEY = "top secret" }
    assert.is_nil(got)
    assert.matches("HONEYBADGER_API_KEY holds characters", err)
    assert.is_nil(err:find("top secret", 1, true))
  end)

  it("loads a route that the settings name, and refuses half a route", function()
    package.preload["alert.mine"] = function()
      return { configure = function(_, settings) return settings end, build = print, judge = print }
    end
    package.preload["alert.half"] = function() return { configure = print } end
    assert.equal("log mine", routes({}, { settings = { mine = {}, log_lines = 5 } }))
    assert.matches("alert/half.lua has no function build", select(2, routes({}, { settings = { half = {} } })))
    assert.matches("alert/gone.lua cannot be used", select(2, routes({}, { settings = { gone = {} } })))
    assert.matches("only letters", select(2, routes({}, { settings = { ["../x"] = {} } })))
  end)
end)

describe("settings", function()
  it("are refused when they make no sense", function()
    package.preload["alert.raises"] = function()
      return { configure = function() error("no good", 0) end, build = print, judge = print }
    end
    for expected, settings in pairs {
      ["'slak' is no setting"] = { slak = true },
      ["slack must be a table"] = { slack = true },
      ["sentry must be a table"] = { sentry = "yes" },
      ["honeybadger: timeout must be a number"] = { honeybadger = { timeout = "5" } },
      ["sentry: timeout must be a number of seconds above 0"] = { sentry = { timeout = 0 } },
      ["honeybadger: endpoint is not an address"] = { honeybadger = { endpoint = "eu-api.honeybadger.io" } },
      ["alert/raises.lua: no good"] = { raises = {} },
    } do
      local options = world({}).options { settings = settings }
      options.routes = nil
      local got, err = alert.new(options)
      assert.is_nil(got)
      assert.is_truthy(err:find(expected, 1, true), err)
    end
  end)
end)
