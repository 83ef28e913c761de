-- Tells people outside. alert.new chooses the routes from the environment and the settings; send queues an
-- event on each of them. lua/ALERTS.md says which events, which routes, and how to add one.
local clock = require "clock"
local event = require "alert.sender.event"
local log = require "log"
local own = require "alert.own"
local Queue = require "alert.sender.queue"
local routes = require "alert.settings"
local sys = require "sys"
local task = require "task"
local text = require "alert.sender.text"

local alert = {}

local Sender = {}
Sender.__index = Sender

local FLUSH_STEP = 0.05 -- seconds between two looks

-- The bundled routes, then those that the settings name.
local function route_names(settings)
  local names, known = {}, {}
  for i, name in ipairs(routes.BUNDLED) do names[i], known[name] = name, true end
  local more = {}
  for name, value in pairs(settings) do
    if not known[name] and not routes.general[name] then
      if type(value) ~= "table" then
        return nil, ("alerts: '%s' is no setting: see lua/ALERTS.md for those that are"):format(name)
      end
      more[#more + 1] = name
    end
  end
  table.sort(more)
  return table.move(more, 1, #more, #names + 1, names)
end

-- What the settings say for one route, its secrets read, and the list of them; the parts that all routes share are
-- checked here. nil, nil: the route is off.
local function settings_of(name, route, options)
  local given = (options.settings or {})[name]
  if given == nil and route.fields and not route.by_environment then return nil end
  given = given or {}
  if type(given) ~= "table" then return nil, ("alerts: %s must be a table"):format(name) end
  if given.timeout ~= nil and not (math.type(given.timeout) and given.timeout > 0) then
    return nil, ("alerts: %s: timeout must be a number of seconds above 0"):format(name)
  end
  return routes.resolve(name, route.fields, given, options.env or os.getenv)
end

-- What the file of that name returns: one of the operator's own in the folder of hooks, or ours.
local function read_route(name, hooks)
  local path = hooks and routes.own_path(hooks, name)
  if path and not routes.is_bundled(name) and own.exists(path) then return own.load(path) end
  local found, route = pcall(require, "alert." .. name)
  if found then return route end
  return nil, (tostring(route):gsub("\n.*", ""))
end

local function load_route(name, hooks)
  if not name:find("^[%w_]+$") then return nil, "a route's name has only letters, digits and _" end
  local route, err = read_route(name, hooks)
  if err then return nil, "alert/" .. name .. ".lua cannot be used: " .. err end
  for _, part in ipairs { "configure", "build", "judge" } do
    if type(route) ~= "table" or type(route[part]) ~= "function" then
      return nil, ("alert/%s.lua has no function %s: see lua/ALERTS.md"):format(name, part)
    end
  end
  return route
end

-- config | nil: off | nil, error
local function configure(name, route, options)
  local settings, secrets = settings_of(name, route, options)
  if not settings then return nil, secrets end
  local ran, config, why = pcall(route.configure, options.env or os.getenv, settings)
  if not ran then return nil, ("alert/%s.lua: %s"):format(name, config) end
  if not config then return nil, why end
  config.secrets = config.secrets or {}
  table.move(secrets, 1, #secrets, #config.secrets + 1, config.secrets)
  return config, why
end

-- queue | nil: off | nil, error
local function open_queue(name, options, tools)
  local route, err = load_route(name, options.hooks)
  if not route then return nil, err end
  local config
  config, err = configure(name, route, options)
  if not config then return nil, err end
  for _, secret in pairs(config.secrets or {}) do table.insert(tools.secrets, secret) end
  local for_route = setmetatable({ send = route.send }, { __index = tools })
  return Queue.new(name, route, config, for_route)
end

-- To each of request.urls; the first good answer counts, else the last.
local function to_each(request)
  local http, good, last = require "http", nil, {}
  for _, url in ipairs(request.urls) do
    request.url = url
    last = table.pack(http.request(request))
    if last[1] and last[1].status // 100 == 2 then good = last end
  end
  return table.unpack(good or last)
end

-- By http, with the authorities that SSL_CERT_FILE names, unless the route has its own.
local function http_sender(env)
  local ca_file = text.setting(env "SSL_CERT_FILE")
  return function(request)
    request.ca_file = request.ca_file or ca_file
    if request.urls then return to_each(request) end
    return require "http".request(request)
  end
end

local function tools_of(options)
  return {
    send = options.send or http_sender(options.env or os.getenv),
    sleep = options.sleep or task.sleep,
    spawn = options.spawn or task.spawn,
    now = options.now or clock.now,
    random = options.random or math.random,
    secrets = {}, -- of all routes
  }
end

-- What every event carries about where it comes from.
local function about_of(options)
  return {
    instance = options.instance,
    environment = options.environment,
    log_lines = math.tointeger((options.settings or {}).log_lines),
    host = sys.hostname(),
    version = sys.version,
  }
end

-- options, all optional: hooks (a folder, whose `alerts` holds routes of the operator's own);
-- instance, environment (names, for people); settings (of the schedule:
-- { log_lines =, NAME = {…} }); routes (names: only these); and, for tests: env, send, sleep, spawn, now, random.
-- Gives a sender, or nil and what to correct, with no secret in it.
function alert.new(options)
  options = options or {}
  local names, err = options.routes, nil
  if not names then names, err = route_names(options.settings or {}) end
  if not names then return nil, err end
  local tools = tools_of(options)
  local sender = setmetatable({
    queues = {}, about = about_of(options), now = tools.now, sleep = tools.sleep,
    routes = {}, -- by name, of those that are on
    stats = {}, -- by route: { delivered, failed, dropped, retried }, since the start
  }, Sender)
  for _, name in ipairs(names) do
    local queue
    queue, err = open_queue(name, options, tools)
    if err then return nil, err end
    if queue then
      table.insert(sender.queues, queue)
      sender.routes[name], sender.stats[name] = queue.route, queue.stats
    end
  end
  return sender
end

-- Calls done(ok) after `count` reports; ok: all were good.
local function collector(count, done)
  local all = true
  return function(ok)
    all = all and ok
    count = count - 1
    if count > 0 then return end
    local fine, err = pcall(done, all)
    if not fine then log.error("after an alert", { error = err }) end
  end
end

function Sender:chosen(wanted)
  local out = {}
  for _, queue in ipairs(self.queues) do
    if not wanted or wanted[queue.name] then out[#out + 1] = queue end
  end
  return out
end

-- Queues the event on each route, or on those that `wanted` = {NAME = true} names. Never waits, never raises.
-- done(ok), if given, is called once, when every route has delivered (true) or one has given up (false), perhaps
-- before this returns.
function Sender:send(given, done, wanted)
  local ran, complete = pcall(event.complete, given, self.about, self.now())
  local queues = ran and self:chosen(wanted) or {}
  local report = collector(#queues + 1, done or function() end)
  for _, queue in ipairs(queues) do queue:push(complete, report) end
  if not ran then log.error("an alert could not be made", { kind = "route_error", error = complete }) end
  report(ran)
end

-- How many deliveries are not over yet.
function Sender:pending()
  local count = 0
  for _, queue in ipairs(self.queues) do count = count + queue:pending() end
  return count
end

-- Waits, in a task, until all is delivered or given up, for `timeout` seconds at most. True: nothing is left.
function Sender:flush(timeout)
  local waited = 0
  while self:pending() > 0 and waited < timeout do
    self.sleep(FLUSH_STEP)
    waited = waited + FLUSH_STEP
  end
  return self:pending() == 0
end

return alert
