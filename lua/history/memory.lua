-- The history without a disk: so many records a job, and bounds over all: the oldest go first.
local Memory = {}
Memory.__index = Memory

local MOST = 20000             -- records
local MOST_TAILS = 16 << 20    -- bytes of log tails

function Memory.new(_, rows)
  return setmetatable({rows = rows, jobs = {}, known = {}, queue = {}, first = 1, tails = 0, first_tail = 1,
    last_id = 0}, Memory)
end

local function key(record) return record.namespace .. "/" .. record.run end

local function tail_size(record)
  local bytes = 0
  for _, line in ipairs(record.log_tail or {}) do bytes = bytes + #line end
  return bytes
end

function Memory:forget(record)
  if self.known[key(record)] ~= record then return end -- it was replaced, or has gone already
  self.known[key(record)], record.id = nil, nil
  self.tails = self.tails - tail_size(record)
  record.log_tail = nil
  local list = self.jobs[record.job]
  for i, other in ipairs(list) do
    if other == record then
      table.remove(list, i)
      break
    end
  end
  if #list == 0 then self.jobs[record.job] = nil end
end

function Memory:shrink()
  while #self.queue - self.first + 1 > MOST do
    self:forget(self.queue[self.first])
    self.queue[self.first] = false
    self.first = self.first + 1
  end
  self.first_tail = math.max(self.first_tail, self.first)
  while self.tails > MOST_TAILS do
    local record = self.queue[self.first_tail]
    self.tails = self.tails - tail_size(record)
    record.log_tail, self.first_tail = nil, self.first_tail + 1
  end
  if self.first > MOST then -- the queue itself does not grow
    table.move(self.queue, self.first, #self.queue + self.first, 1)
    self.first, self.first_tail = 1, self.first_tail - self.first + 1
  end
end

function Memory:add(record)
  local old = self.known[key(record)]
  if old then self:forget(old) end
  local list = self.jobs[record.job] or {}
  self.jobs[record.job], self.known[key(record)] = list, record
  self.last_id = self.last_id + 1
  record.id = self.last_id
  list[#list + 1] = record
  self.queue[#self.queue + 1] = record
  self.tails = self.tails + tail_size(record)
  if #list > self.rows then self:forget(list[1]) end
  self:shrink()
  return true
end

function Memory:has(namespace, run) return self.known[namespace .. "/" .. run] ~= nil end

local function newest_first(list, limit, wanted)
  local out = {}
  for i = #list, 1, -1 do
    if #out >= limit then break end
    if list[i] and wanted(list[i]) then out[#out + 1] = list[i] end
  end
  return out
end

function Memory:list(job, limit)
  if job then return newest_first(self.jobs[job] or {}, limit, function() return true end) end
  return newest_first(self.queue, limit, function(record) return self.known[key(record)] == record end)
end

local function fits(record, query)
  return (not query.outcomes or query.outcomes[record.outcome]) and record.at >= (query.since or record.at)
    and record.at < (query.till or math.huge)
end

-- The same, those that fit a query of History:page. Ids count the queue, whose places move when it is shortened.
function Memory:batch(query)
  local list = query.job and (self.jobs[query.job] or {}) or self.queue
  local out, i = {}, #list
  while i > 0 and #out < query.limit do
    local record = list[i]
    if not record then break end -- older ones are gone
    local there = record.id and record.id < (query.before or math.huge)
    if there and fits(record, query) then out[#out + 1] = record end
    i = i - 1
  end
  return out
end

function Memory:recent(jobs, count, pause)
  local out = {}
  for _, job in ipairs(jobs) do
    out[job.name] = self:list(job.name, count)
    pause()
  end
  return out
end

-- The records of a job's slot, newest first; missed ones stand for several slots.
function Memory:find(job, slot)
  return newest_first(self.jobs[job] or {}, self.rows, function(record)
    return record.slot == slot or record.missed ~= nil and record.missed_from <= slot and slot <= record.slot
  end)
end

function Memory:named(run)
  return newest_first(self.queue, 1, function(record)
    return record.run == run and self.known[key(record)] == record
  end)
end

function Memory:latest()
  local out = {}
  for job, list in pairs(self.jobs) do out[job] = list[#list] end
  return out
end

return Memory
