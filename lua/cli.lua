-- Command lines: GNU style options, with a single dash too, as the first kube-scheduler had them.
local text = require "text"

local cli = {}

-- A mistake on the command line: told on stderr, exit code 2.
local function usage_error(command, message, ...)
  io.stderr:write(("kube-scheduler %s: %s; see kube-scheduler %s --help\n"):format(command.name, message:format(...),
    command.name))
  return nil
end

local function help(command)
  print(("usage: kube-scheduler %s %s\n\n%s\n"):format(command.name, command.usage or "", command.summary))
  for _, option in ipairs(command.options) do
    local left = "--" .. option.name .. (option.value and " " .. option.value or "")
    for _, alias in ipairs(option.aliases or {}) do left = left .. (#alias == 1 and ", -" or ", --") .. alias end
    print(("  %-34s %s"):format(left, option.help))
  end
end

local function by_name(command)
  local known, names = {}, {}
  for _, option in ipairs(command.options) do
    known[option.name] = option
    names[#names + 1] = option.name
    for _, alias in ipairs(option.aliases or {}) do known[alias] = option end
  end
  return known, names
end

local function set(command, out, option, value)
  value = option.synonyms and option.synonyms[value] or value
  if option.choices then
    for _, choice in ipairs(option.choices) do
      if value == choice then
        out[option.key or option.name:gsub("-", "_")] = value
        return true
      end
    end
    return usage_error(command, "--%s is one of %s, not '%s'", option.name, table.concat(option.choices, ", "), value)
  end
  if option.integer then
    value = math.tointeger(tonumber(value))
    if not value or value < 0 then return usage_error(command, "--%s takes a whole number from 0 on", option.name) end
  end
  local key = option.key or option.name:gsub("-", "_")
  if option.many then
    out[key] = out[key] or {}
    table.insert(out[key], value)
  else
    out[key] = value
  end
  return true
end

local function parse_option(command, known, names, words, at, out)
  local name, value = words[at]:match "^%-%-?([%w-]+)=(.*)$"
  name = name or words[at]:match "^%-%-?([%w-]+)$"
  local option = name and known[name]
  if not option then
    return usage_error(command, "unknown option '%s'%s", words[at], name and text.did_you_mean(name, names) or "")
  end
  if not option.value then
    if value then return usage_error(command, "--%s takes no value", option.name) end
    out[option.key or option.name:gsub("-", "_")] = true
    return at + 1
  end
  if not value then
    at = at + 1
    value = words[at]
    if not value then return usage_error(command, "--%s needs a value: %s", option.name, option.value) end
  end
  return set(command, out, option, value) and at + 1
end

-- command: {name=, usage=, summary=, options={{name=, value=, help=, aliases=, choices=, synonyms=, integer=, many=,
-- key=}}, most=}.
-- Returns the options with the words left over under `words` and what follows -- under `rest`; or nil and the
-- exit code, when help was asked for or something is wrong.
function cli.parse(command, words)
  local known, names = by_name(command)
  local out, at = {words = {}}, 1
  while words[at] do
    local word = words[at]
    if word == "--help" or word == "-help" or word == "-h" then
      help(command)
      return nil, 0
    elseif word == "--" then
      out.rest = table.move(words, at + 1, #words, 1, {})
      break
    elseif word:match "^%-%-?%a" then
      at = parse_option(command, known, names, words, at, out)
      if not at then return nil, 2 end
    else
      out.words[#out.words + 1] = word
      at = at + 1
    end
  end
  if #out.words > (command.most or 0) then
    usage_error(command, "unexpected '%s'", out.words[#out.words])
    return nil, 2
  end
  return out
end

-- The one word that was asked for; or nil and what is wrong. An expression without quotes is many words.
function cli.one_word(options, what)
  if #options.words == 1 then return options.words[1] end
  if #options.words == 0 then return nil, ("%s is missing; an expression stands in quotes"):format(what) end
  return nil, ("one %s expected, these are %d words; put an expression in quotes"):format(what, #options.words)
end

function cli.join(...)
  local out = {}
  for _, list in ipairs {...} do table.move(list, 1, #list, #out + 1, out) end
  return out
end

-- The options that say which schedule is meant; several commands have them.
cli.schedule_options = {
  {name = "dir", value = "DIR", aliases = {"schedule-path"}, help = "folder of the schedule (default: .)"},
  {name = "schedule-name", value = "FILE", key = "name", help = "schedule file, or a pattern (default: schedule.yml)"},
  {name = "namespace", value = "NS", help = "namespace of jobs that name none"},
  {name = "instance", value = "NAME", help = "which of several schedulers this is (default: kube-scheduler)"},
}

-- Those that say how an expression is read, and from when on slots are wanted.
cli.time_options = {
  {name = "from", value = "TIME", help = "slots after it: RFC 3339, a date, now, +2h, -1d (default: now)"},
  {name = "timezone", value = "ZONE", help = "of an expression, and of what is printed (default: UTC, a job's own)"},
  {name = "dialect", value = "D", choices = {"standard", "cronie", "robfig-v1"},
    help = "of an expression: standard, cronie, robfig-v1 (default: standard)"},
  {name = "dst", value = "P", choices = {"cronie", "robfig", "skip"},
    help = "fixed times in gaps and overlaps: cronie, robfig, skip (default: cronie)"},
}

-- Those of the daemon and of whatever reaches a cluster.
cli.place_options = {
  {name = "kube-config-path", value = "FILE", help = "kubeconfig file"},
  {name = "kube-qps", value = "N", integer = true, help = "objects created a second (default: 0, no limit)"},
  {name = "kube-burst", value = "N", integer = true, help = "objects created at once after a rest (default: kube-qps)"},
  {name = "executor", value = "auto|kubernetes|docker|local",
    choices = {"auto", "kubernetes", "docker", "local"},
    help = "where tasks run (default: auto)"},
  {name = "state-dir", value = "DIR",
    help = "of the local executor (default: state); in a cluster: where a history is kept"},
}

cli.daemon = {
  name = "run", usage = "[options]", summary = "Runs the jobs of schedule.yml at their slots, until SIGTERM.",
  options = cli.join(cli.schedule_options, cli.place_options, {
    {name = "watch-namespaces", value = "NS,NS|all",
      help = "where jobs may run (default: their namespaces and our own; all needs a ClusterRole)"},
    {name = "strict", help = "do not start when the schedule has a mistake"},
    {name = "hooks", value = "DIR", help = "folder of hooks (default: hooks, beside the schedule)"},
    {name = "record", value = "FILE", help = "write what hooks are told as JSON lines, up to 64 MiB (see replay)"},
    {name = "listen", value = "[ADDR:]PORT", help = "probes, metrics and the API by HTTP (default: off; 127.0.0.1)"},
    {name = "auth", value = "none|token|kubernetes", choices = {"none", "token", "kubernetes"},
      help = "who may ask over HTTP (default: token with --token-file, else none, on this machine only)"},
    {name = "auth-audience", value = "NAME", help = "of tokens for --auth kubernetes (default: kube-scheduler)"},
    {name = "token-file", value = "FILE", help = "the token that HTTP clients show; needed beyond this machine"},
    {name = "metrics-jobs", value = "off|basic|full", choices = {"off", "basic", "full"},
      help = "how much /metrics says of each job (default: basic)"},
    {name = "log-format", value = "text|json", choices = {"text", "json"}, help = "default: text"},
    {name = "lua-path", value = "DIR", help = "Lua files that replace the bundled ones, for any command"},
  }),
}

-- "a, b" -> {"a", "b"}; "all" stays.
local function namespaces(list)
  if not list or list == "all" then return list end
  local names = {}
  for name in list:gmatch "[^%s,]+" do names[#names + 1] = name end
  return names
end

-- Defaults, with the environment of the first kube-scheduler.
function cli.fill(options)
  options.dir = options.dir or "."
  options.name = options.name or "schedule.yml"
  options.instance = options.instance or "kube-scheduler"
  options.namespace = options.namespace or os.getenv "SCHEDULER_NAMESPACE"
  options.watch_namespaces = namespaces(options.watch_namespaces)
  options.executor = options.executor or "auto"
  options.keeps_history = options.state_dir ~= nil
  options.state_dir = options.state_dir or "state"
  options.auth_audience = options.auth_audience or "kube-scheduler"
  options.log_format = options.log_format or "text"
  return options
end

return cli
