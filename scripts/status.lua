-- kube-scheduler status: who leads, since when, and what it is doing.
local ask = require "ask"
local clock = require "clock"
local output = require "output"
local terminal = require "terminal"
local text = require "text"

local options, code = ask.parse({name = "status", usage = "[options]",
  summary = "Prints who leads, up to where slots are decided, and what is held, paused or under way.",
  options = {output.watch},
}, arg)
if not options then return code end

local function order_text(order)
  return ("%s%s%s"):format(order["until"] and "until " .. clock.format(order["until"]) or "until resumed",
    order.by and " by " .. order.by or "", order.reason and ": " .. order.reason or "")
end

local function leadership(answer, add)
  add("instance", ("%s (%s, namespace %s)"):format(answer.instance, answer.executor, answer.namespace))
  add("leader", ("%s since %s"):format(answer.leader.holder, clock.format(answer.since)))
  if answer.leader.renewed then
    add("lease", ("%s, renewed %s, sends for %d s more"):format(answer.leader.lease, answer.leader.renewed,
      answer.leader.sends_for))
  end
  add("decided", ("up to %s, %d slots open"):format(clock.format(answer.watermark), answer.undecided))
  if answer.held then add("held", answer.held, "red") end
end

local function configuration(answer, add)
  add("jobs", #answer.bad == 0 and answer.jobs or ("%d, and %d with mistakes: %s"):format(answer.jobs, #answer.bad,
    table.concat(answer.bad, ", ")), #answer.bad > 0 and "red" or nil)
  add("configuration", "since " .. clock.format(answer.configuration.since))
  local refused = answer.configuration.refused
  if refused then
    add("refused", ("a newer one at %s, for %s; this one stays at work"):format(clock.format(refused.at),
      text.count(refused.count, "mistake")), "red")
    for _, problem in ipairs(refused.problems) do add("", problem, "red") end
  end
end

local function orders(answer, add)
  if answer.paused then add("paused", order_text(answer.paused), "yellow") end
  for _, job in ipairs(text.keys(answer.suspended)) do
    add("suspended", job .. " " .. order_text(answer.suspended[job]), "yellow")
  end
  for _, job in ipairs(text.keys(answer.silences or {})) do
    add("silent", (job == "*" and "all" or job) .. " " .. order_text(answer.silences[job]), "yellow")
  end
end

local function work(answer, add)
  for _, state in ipairs(text.keys(answer.runs)) do add("runs " .. state, answer.runs[state]) end
  for _, run in ipairs(answer.waiting) do
    add("waiting", ("%s %s: %s"):format(run.job, clock.format(run.slot), run.reason or "its turn"))
  end
  for _, each in ipairs(answer.backfills) do
    add("backfill", ("%s of %s: %d of %d, %d running, %d not well"):format(each.id, each.job, each.done, each.total,
      each.running, each.failed))
  end
end

local function table_of(answer)
  local rows = {}
  local function add(name, value, style) rows[#rows + 1] = {name, {value, style = style}} end
  for _, part in ipairs {leadership, configuration, orders, work} do part(answer, add) end
  return terminal.stdout():table({"what", ""}, rows)
end

return output.show(options, function()
  local answer, failure = ask.daemon(options, {command = "status"})
  if not answer then return nil, failure end
  return output.text(options, answer, {names = {answer.instance}, text = function() return table_of(answer) end})
end)
