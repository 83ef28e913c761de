-- Every decision of chance in the simulation: what goes wrong, how often and for how long. Uses math.random, which
-- the world seeds.
local chance = {}

local random = math.random

local function among(list) return list[random(#list)] end

-- How bad this schedule is, and at what: most schedules are bad at something and well otherwise, so that what follows a
-- fault is not drowned in others.
function chance.weather()
  local rates = {0, 0, 0.01, 0.05, 0.2}
  return {
    replicas = among {1, 2, 2}, lost = among(rates), deaf = among(rates), late = among(rates), refused = among(rates),
    slow = among(rates), watch = among(rates), kill = among {0, 0.002, 0.01, 0.03}, disasters = random(0, 6),
  }
end

-- Seconds of faults: short as a rule, in some long enough for the retention time to end.
function chance.length() return random() < 0.75 and random(40, 120) or random(160, 240) end

-- Seconds that a daemon is dead for.
function chance.pause() return among {0.1, 1, 5, 20, 40} * (0.5 + random()) end

local REFUSALS = {
  {status = 429, reason = "TooManyRequests", message = "too many requests", retry_after = 1},
  {status = 500, reason = "InternalError", message = "etcdserver: request timed out"},
  {status = 503, reason = "ServiceUnavailable", message = "the server is shutting down"},
  {status = 409, reason = "Conflict", message = "Operation cannot be fulfilled on resourcequotas"},
}

local function latency() return 0.002 + 0.02 * random() end

-- An API server may answer a request with an error that it carries out all the same; 409 is never such.
local function unlucky(fate, weather)
  if random() < weather.lost then
    fate.lost, fate.cut = true, random() < 0.7 and random() or nil
  elseif random() < weather.deaf then
    fate.deaf, fate.cut = true, random() < 0.7 and 0.1 + random() or nil
  elseif random() < weather.late then -- frozen in an API server, for at most its own time limit of 60 s
    fate.travel, fate.cut = 60 * random(), random() < 0.7 and 2 * random() or nil
  elseif random() < weather.refused then
    fate.refused = among(REFUSALS)
  elseif random() < weather.slow then
    fate.travel, fate.back = 3 * random(), 3 * random()
  end
end

-- What happens to a request: {queued, travel, back: seconds; lost; deaf: no answer arrives; cut: seconds after which
-- the connection breaks; refused: a reply; kill: "leaving", "executed" or "answered"}.
function chance.fate(world, request)
  local fate = {queued = 0.001 * random(), travel = latency(), back = latency()}
  if world:is_calm() then return fate end
  unlucky(fate, world.weather)
  local wants = request.lane == "lease" and 0.3 or 1 -- there are many of them
  if random() < world.weather.kill * wants then fate.kill = among {"leaving", "executed", "answered"} end
  -- A lease conflict is never an accident: it says that somebody else wrote.
  if fate.refused and fate.refused.status == 409 and request.method ~= "POST" then fate.refused = nil end
  return fate
end

function chance.watch_length() return 60 + 240 * random() end

-- Seconds from a change to its event.
function chance.lag(world)
  if world:is_calm() or random() > world.weather.slow then return latency() end
  return 5 * random()
end

function chance.watch_fault(world)
  if world:is_calm() or random() > world.weather.watch then return nil end
  return among {"cut", "cut", "gone", "twice", "twice", "stall"}
end

-- Seconds that a run takes.
function chance.duration() return random() < 0.9 and 1 + 9 * random() or 45 * random() end

-- Deaths, and freezes past the lease's end, at any time.
function chance.disasters(world)
  local span = (world.chaos_ends - world.now) / 1e9
  for _ = 1, world.weather.disasters do
    world:after(span * random(), function()
      local daemon = among(world.daemons)
      local what = random()
      if what < 0.35 then
        world:kill(daemon, chance.pause())
      elseif what < 0.5 then
        world:terminate(daemon)
      else
        world:freeze(daemon, among {3, 11, 14, 20, 45} * (0.7 + 0.6 * random()))
      end
    end)
  end
end

return chance
