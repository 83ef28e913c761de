-- kube-scheduler backfill JOB FROM TO: runs a job's past slots.
local ask = require "ask"
local clock = require "clock"
local terminal = require "terminal"

local options, code = ask.parse({
  name = "backfill", usage = "JOB FROM TO [options], or --cancel ID", most = 3,
  summary = "Runs the slots of a job's schedule after FROM, up to and with TO, oldest first, under the job's\n" ..
    "overlap rules. It goes on after a restart of the scheduler; `status` shows how far it is.",
  options = {
    {name = "parallel", value = "N", integer = true, help = "how many at a time (default: 1)"},
    {name = "dry-run", help = "only lists the slots, also those that a calendar or a freeze drops"},
    {name = "max", value = "N", integer = true, help = "refuse more slots than this (default: 1000)"},
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

local answer
answer, code = ask.daemon(options, request)
if not answer then return code end
if options.format == "json" then
  terminal.json(answer)
elseif answer.dry_run then
  for _, row in ipairs(answer.rows) do
    print(clock.format(row.slot) .. (row.dropped and "  dropped: " .. row.dropped or ""))
  end
elseif answer.cancelled then
  print(("%s: backfill %s is cancelled after %d of %d slots"):format(answer.job, answer.id, answer.done, answer.total))
elseif answer.again then
  print(("backfill %s is under way already"):format(answer.id))
elseif answer.total == 0 then
  print(answer.job .. ": there is no slot in that span" ..
    (answer.dropped > 0 and (", but for %d that are dropped"):format(answer.dropped) or ""))
else
  print(("%s: backfill %s of %d slots%s, %s to %s, %d at a time"):format(answer.job, answer.id, answer.total,
    answer.dropped > 0 and (" (%d are dropped)"):format(answer.dropped) or "", clock.format(answer.from),
    clock.format(answer.to), answer.parallel))
end
if answer.waits then print("it waits: " .. answer.waits) end
return true
