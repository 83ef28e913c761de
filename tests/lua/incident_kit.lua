-- What the specs of incidents share: a desk on a clock that the test moves. Requiring it replaces the log: kit.lines
-- holds what was logged, "LEVEL MESSAGE".
local kit = {lines = {}, START = 1795507200}

package.loaded.log = setmetatable({}, {__index = function(_, level)
  return function(message) table.insert(kit.lines, level .. " " .. message) end
end})
local incident = require "incident"
local json = require "json"

-- A desk whose routes remember what they were told: w.told[i] = {at, ROUTE, "trigger"|"end"|"notice", event}. The
-- state goes through JSON, as a store has it; w:restart() is another daemon with the same state.
function kit.world(options)
  options = options or {}
  local w = {now = kit.START, told = {}, fails = {}, stored = {}, check_ins = {}, jobs = options.jobs or {},
    routes = options.routes or {pager = {}}}
  local state = {}
  function state.read(_, name) return w.stored[name] and json.parse(w.stored[name]) or {} end
  function state.write(_, name, value)
    if w.down then return nil, "down" end
    w.stored[name] = json.encode(json.object(value))
    return true
  end
  local sender = {routes = w.routes}
  function sender.send(_, e, done, wanted)
    local ok = true
    for name, route in pairs(w.routes) do
      local into = route.check_ins and w.check_ins or w.told
      if wanted[name] then
        into[#into + 1] = {w.now - kit.START, name, e.kind == "recovered" and "end" or "trigger", e}
        ok = ok and not w.fails[name]
      end
    end
    if done then done(ok) end
  end
  function sender.flush() end
  function w:restart()
    self.desk = incident.new {sender = sender, jobs = self.jobs, settings = options.settings, whole = true,
      now = function() return self.now end, spawn = function() end, sleep = function() end}
    self.desk:restore(state)
  end
  function w:pass(seconds)
    for _ = 1, seconds do
      self.now = self.now + 1
      self.desk:tick()
      self.desk:save()
    end
  end
  -- The schedule as it was loaded anew.
  function w:reload(settings, jobs)
    self.jobs = jobs or self.jobs
    self.desk:configure {jobs = self.jobs, settings = settings}
  end
  -- Happens to a job, then time passes.
  function w:happen(kind, seconds, more)
    self.count = (self.count or 0) + 1
    local e = {kind = kind, id = kind .. self.count, job = "nightly", namespace = "ns", run = "nightly-" .. self.count,
      slot_time = self.now}
    for name, value in pairs(more or {}) do e[name] = value end
    if kind == "succeeded" or kind == "started" then
      if self.desk:minds(kind, e.job) then self.desk:note(e) end
    else
      self.desk:send(e)
    end
    self:pass(seconds or 1)
  end
  -- "SECONDS ROUTE trigger" or "… end" of all that was told; job: and for which job.
  function w:said(job)
    local out = {}
    for i, one in ipairs(self.told) do
      out[i] = ("%d %s %s%s"):format(one[1], one[2], one[3], job and " " .. one[4].job or "")
    end
    return out
  end
  w.jobs[#w.jobs + 1] = {name = "nightly"}
  w:restart()
  return w
end

return kit
