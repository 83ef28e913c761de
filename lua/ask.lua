-- Commands that ask a running daemon: their options, the way to it, and how what went wrong is told.
--   ask.parse(spec, words) -> options; or nil, exit code     spec: as of cli.parse; its options are added to the common
--   ask.daemon(options, request) -> answer; or nil, exit code   what is wrong is on stderr then
--   ask.try(options, request) -> answer; or nil, message, code  the same without a word
--   ask.act(options, request, say) -> exit code     asks, and prints the answer: say(answer) in words
--   ask.complain(options, code, format, …) -> code
local cli = require "cli"
local clock = require "clock"
local output = require "output"
local place = require "place"
local requests = require "control.request"
local sys = require "sys"
local text = require "text"
local when = require "when"

local ask = {}

local SECONDS = 30 -- until an answer is given up

local common = cli.join(cli.schedule_options, cli.place_options, {
  output.format("table|wide|json|yaml|name", {text = "table"}),
  {name = "server", value = "URL", help = "ask by HTTP, as run --listen serves it (default: KUBE_SCHEDULER_SERVER)"},
  {name = "token-file", value = "FILE", help = "the token for it (default: KUBE_SCHEDULER_TOKEN_FILE)"},
  {name = "timeout", value = "DURATION", help = "how long to wait for the daemon (default: 30s)"},
})

function ask.complain(options, code, format, ...)
  io.stderr:write("kube-scheduler ", options.command, ": ", format:format(...), "\n")
  return code
end

function ask.parse(spec, words)
  spec.options = cli.join(spec.options or {}, common)
  local options, code = cli.parse(spec, words)
  if not options then return nil, code end
  cli.fill(options)
  options.command = spec.name
  options.server = options.server or os.getenv "KUBE_SCHEDULER_SERVER"
  options.token_file = options.token_file or os.getenv "KUBE_SCHEDULER_TOKEN_FILE"
  if #options.words < (spec.least or 0) then
    return nil, ask.complain(options, 2, "%s; see kube-scheduler %s --help", spec.missing, spec.name)
  end
  if options.timeout then
    local seconds = text.duration(options.timeout)
    if not seconds or seconds == 0 then
      return nil, ask.complain(options, 2, "--timeout takes a duration such as 30s")
    end
    options.timeout = seconds
  end
  return options
end

-- An instant that the user wrote; nil and the exit code.
function ask.time(options, value, what)
  local t, message = when.parse(value, clock.now())
  if t then return t end
  return nil, ask.complain(options, 2, "%s: %s", what, message)
end

function ask.try(options, request)
  request.id = options.id or sys.random(4)
  if not requests.is_id(request.id) then
    return nil, ("--id takes up to 16 small letters and digits, not '%s'"):format(request.id), "usage"
  end
  request.by = sys.user() .. "@" .. sys.hostname()
  local seconds = options.timeout or SECONDS
  if options.server then
    return require "control.http".ask {server = options.server, token_file = options.token_file, request = request,
      seconds = seconds}
  end
  local kind, client = place.choose(options)
  if not kind then return nil, client, "failed" end
  if kind == "local" then
    local over = require "control.local"
    return over.ask {path = options.state_dir .. "/" .. over.NAME, request = request, seconds = seconds}
  end
  return require "control.kubernetes".ask {client = client, namespace = options.namespace or client:namespace(),
    instance = options.instance, request = request, seconds = seconds}
end

function ask.daemon(options, request)
  local answer, message, code = ask.try(options, request)
  if not answer then return nil, ask.complain(options, code == "usage" and 2 or 1, "%s", message) end
  if answer.error then return nil, ask.complain(options, 1, "%s", answer.error) end
  if answer.left_off then
    ask.complain(options, 0, "%d rows did not fit into the answer and are left off; ask for fewer", answer.left_off)
  end
  return answer
end

function ask.act(options, request, say)
  local answer, code = ask.daemon(options, request)
  if not answer then return code end
  io.write(output.text(options, answer, {names = {answer.run or answer.id or answer.job},
    text = function() return say(answer) .. "\n" end}))
  return true
end

return ask
