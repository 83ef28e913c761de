-- What --wait does: stays until what was asked for is over, and tells by the exit code how it went.
--   wait.run(options, answer) -> exit code        of trigger: its output goes to stdout, talk to stderr
--   wait.backfill(options, answer) -> exit code   with a bar where stderr is a terminal
local ask = require "ask"
local logs = require "logs"
local sys = require "sys"
local task = require "task"

local wait = {}

local PERIOD <const> = 1    -- seconds between two looks at a run
local SLOWER <const> = 5    -- at a backfill, which may take hours; in a cluster each look is a request object
local PATIENCE <const> = 60 -- seconds without an answer: a failover and a restart are shorter

-- The answer, however long a scheduler is away within PATIENCE; nil and an exit code.
local function persist(options, request)
  local ends = os.time() + PATIENCE
  repeat
    local answer, message, code = ask.try(options, {command = request.command, job = request.job, run = request.run,
      limit = request.limit})
    if answer and answer.error then return nil, ask.complain(options, 1, "%s", answer.error) end
    if answer then return answer end
    if code == "usage" or os.time() > ends then return nil, ask.complain(options, 1, "%s", message) end
    task.sleep(PERIOD)
  until false
end

-- Until `over` says so of an answer; nil and an exit code.
local function poll(options, request, period, over)
  while true do
    local answer, code = persist(options, request)
    if not answer then return nil, code end
    if over(answer) then return answer end
    task.sleep(period)
  end
end

-- The output as it comes; a run without any is no failure.
local function copy_output(options, run)
  local source, message = logs.of(options)
  local found = source
  if source then found, message = source:find(run) end
  local done = found
  if found then done, message = source:copy(found, {follow = true}, function(piece) io.write(piece) io.flush() end) end
  if not done then ask.complain(options, 0, "no output: %s", message) end
end

-- Copies the output of each attempt that is seen. -> the record of the last; nil and an exit code
local function follow(options, request)
  local copied, seen, code
  repeat
    seen, code = poll(options, request, PERIOD, function(now)
      return now.record or now.state == "running" and now.run ~= copied
    end)
    if not seen then return nil, code end
    if seen.run ~= copied and (not seen.record or seen.record.started) then copy_output(options, seen.run) end
    copied = seen.run
  until seen.record
  return seen.record
end

function wait.run(options, answer)
  local record, code = follow(options, {command = "run", job = answer.job, run = answer.run})
  if not record then return code end
  ask.complain(options, 0, "%s %s%s%s", record.run, record.outcome,
    record.exit_code and (", exit code %d"):format(record.exit_code) or "",
    record.reason and ": " .. record.reason or "")
  return record.outcome == "succeeded"
end

local function find(list, id)
  for _, each in ipairs(list) do
    if each.id == id then return each end
  end
end

local function draw(order)
  io.stderr:write(("\r\27[K%d of %d slots, %d running, %d not well"):format(order.done, order.total, order.running,
    order.failed))
end

-- How many of its runs did not succeed, of those that history still has.
local function not_well(options, answer)
  local rows, code = persist(options, {command = "history", job = answer.job, limit = 1000})
  if not rows then return nil, code end
  local bad = 0
  for _, record in ipairs(rows.rows) do
    local ours = record.run and record.run:find("-b" .. answer.id .. "-", 1, true)
    if ours and record.outcome ~= "succeeded" then bad = bad + 1 end
  end
  return bad
end

function wait.backfill(options, answer)
  local shown = sys.isatty(2)
  local seen, code = poll(options, {command = "status"}, SLOWER, function(status)
    local order = find(status.backfills, answer.id)
    if order and shown then draw(order) end
    return not order
  end)
  if shown then io.stderr:write "\r\27[K" end
  if not seen then return code end
  local bad
  bad, code = not_well(options, answer)
  if not bad then return code end
  ask.complain(options, 0, "backfill %s is over: %d slots, %d not well", answer.id, answer.total, bad)
  return bad == 0
end

return wait
