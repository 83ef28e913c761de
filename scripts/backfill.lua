-- kube-scheduler backfill JOB FROM TO: runs a job's past slots.
local ask = require "ask"
local clock = require "clock"
local sys = require "sys"
local wait = require "wait"

local options, code = ask.parse({
  name = "backfill", usage = "JOB FROM TO [options], or --cancel ID", most = 3,
  summary = "Runs the slots of a job's schedule after FROM, up to and with TO, oldest first, under the job's\n" ..
    "overlap rules. It goes on after a restart of the scheduler; `status` shows how far it is.",
  options = {
    {name = "parallel", value = "N", integer = true, help = "how many at a time (default: 1)"},
    {name = "dry-run", help = "only lists the slots, also those that a calendar or a freeze drops"},
    {name = "max", value = "N", integer = true, help = "refuse more slots than this (default: 1000)"},
    {name = "yes", aliases = {"y"}, help = "do not ask how many slots are meant, as it does on a terminal"},
    {name = "wait", help = "until it is over; exit code 1 when a run did not succeed"},
    {name = "cancel", value = "ID", help = "starts no more slots of that backfill"},
    {name = "id", value = "ID", help = "the same id again is the same backfill (default: a random one)"},
  },
}, arg)
if not options then return code end

local request = {command = "backfill", job = options.words[1], parallel = options.parallel, max = options.max,
  dry_run = options.dry_run, cancel = options.cancel}
if not options.cancel then
  if #options.words < 3 then return ask.complain(options, 2, "JOB, FROM and TO are needed") end
  for i, name in ipairs {"from", "to"} do
    request[name], code = ask.time(options, options.words[i + 1], name:upper())
    if not request[name] then return code end
  end
end

local function list(rows)
  local lines = {}
  for i, row in ipairs(rows) do
    lines[i] = clock.format(row.slot) .. (row.dropped and "  dropped: " .. row.dropped or "")
  end
  return table.concat(lines, "\n")
end

local function dropped(answer, words) return answer.dropped > 0 and words:format(answer.dropped) or "" end

local function said(answer)
  if answer.dry_run then return list(answer.rows) end
  if answer.cancelled then
    return ("%s: backfill %s is cancelled after %d of %d slots"):format(answer.job, answer.id, answer.done,
      answer.total)
  end
  if answer.again then return ("backfill %s is under way already"):format(answer.id) end
  if answer.total == 0 then
    return answer.job .. ": there is no slot in that span" .. dropped(answer, ", but for %d that are dropped")
  end
  return ("%s: backfill %s of %d slots%s, %s to %s, %d at a time"):format(answer.job, answer.id, answer.total,
    dropped(answer, " (%d are dropped)"), clock.format(answer.from), clock.format(answer.to), answer.parallel)
end

local function say(answer) return said(answer) .. (answer.waits and "\nit waits: " .. answer.waits or "") end

-- A span of years is written as fast as one of days: on a terminal the number of slots is confirmed.
local function agreed()
  if options.yes or options.dry_run or options.cancel or not (sys.isatty(0) and sys.isatty(2)) then return true end
  local preview = {dry_run = true}
  for key, value in pairs(request) do preview[key] = preview[key] or value end
  local answer, failure = ask.daemon(options, preview)
  if not answer then return nil, failure end
  io.stderr:write(("%d slots of %s will run. Start? [y/N] "):format(answer.total, answer.job))
  if (io.read() or ""):lower():match "^y" then return true end
  return nil, ask.complain(options, 1, "nothing was started")
end

local yes
yes, code = agreed()
if not yes then return code end
if not options.wait or options.dry_run or options.cancel then return ask.act(options, request, say) end
local answer
answer, code = ask.daemon(options, request)
if not answer then return code end
if not answer.id then return ask.complain(options, 0, "%s", say(answer)) == 0 end
io.stderr:write(say(answer), "\n")
return wait.backfill(options, answer)
