-- Plays schedules of faults and prints TAP. KS_SEED=n: that one alone, with all that happens on stderr;
-- KS_SCHEDULES=n: so many instead of 1000; KS_FIRST=n: from this seed on.
package.path = "tests/?.lua;" .. package.path
local World = require "sim.world"

local BATCH, AT_ONCE = 20, 2

local function play(seed, mutant, trace) return World.new {seed = seed, mutant = mutant, trace = trace}:play() end

if os.getenv "KS_SEED" then
  sim.log()
  local wrongs = play(tonumber(os.getenv "KS_SEED"), os.getenv "KS_MUTANT", true)
  print((#wrongs == 0 and "ok" or "not ok") .. " 1 - seed " .. os.getenv "KS_SEED")
  for _, wrong in ipairs(wrongs) do print("# " .. wrong) end
  sim.exit(#wrongs == 0 and 0 or 1)
end

-- A process for each batch: what a killed daemon leaves behind goes with it. 0: all was well; 1: not.
local function batch(from, to, mutant)
  sim.log()
  local bad = false
  for seed = from, to do
    local wrongs = play(seed, mutant, false)
    bad = bad or #wrongs > 0
    local who = mutant and seed .. ", " .. mutant or seed
    for i, wrong in ipairs(wrongs) do
      if i == 1 or not mutant then print(("# seed %s: %s"):format(who, wrong)) end
    end
    if bad and mutant then break end
  end
  sim.exit(bad and 1 or 0)
end

-- How many of the batches were wrong, and how many broke down. Of a mutant the first wrong one is enough.
local function play_all(first, last, mutant)
  local running, next_seed, wrong, broken = {}, first, 0, 0
  while next_seed <= last or next(running) do
    if mutant and wrong > 0 then last = 0 end
    if next_seed <= last and #running < AT_ONCE then
      local from, to = next_seed, math.min(next_seed + BATCH - 1, last)
      local child = sim.fork()
      if child == 0 then batch(from, to, mutant) end
      running[#running + 1], next_seed = {child = child, from = from, to = to}, to + 1
    else
      local child, code = sim.wait()
      for i = #running, 1, -1 do
        local each = running[i]
        if each.child == child then
          table.remove(running, i)
          if code == 1 then wrong = wrong + 1 end
          if code ~= 0 and code ~= 1 then
            broken = broken + 1
            print(("# one of the seeds %d to %d broke down: code %d"):format(each.from, each.to, code))
          end
        end
      end
    end
  end
  return wrong, broken
end

local count = tonumber(os.getenv "KS_SCHEDULES" or 1000)
local first = tonumber(os.getenv "KS_FIRST" or 1)
local failed = false
local function report(number, good, text)
  failed = failed or not good
  print(("%s %d - %s"):format(good and "ok" or "not ok", number, text))
end

print "1..6"
local wrong, broken = play_all(first, first + count - 1)
report(1, wrong + broken == 0, count .. " schedules of faults: one object for each slot")
for i, mutant in ipairs {"early watermark", "no open list", "no retention", "no fence", "no recall"} do
  wrong, broken = play_all(1, 400, mutant)
  report(i + 1, wrong > 0 and broken == 0, "a daemon with " .. mutant .. " is caught")
end
return failed and 1 or 0
