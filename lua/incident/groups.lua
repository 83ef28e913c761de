-- When what is owed is told. What concerns one job is a group: its first word waits `group_wait` for what belongs to it
-- or ends it, and its next round comes `group_interval` after the last. Beyond `summary_over` beginnings that are told
-- one by one within a `group_interval` the others are one summary, and there is one summary in that time at most: so
-- however much fails, the number of messages is bounded. Times are unix seconds.
--   groups.new(settings) -> g; g.settings may be replaced, what waits goes on
--   g:look(owed, now) -> keys to tell now, and keys that are to be one summary, or nil
--     owed: {KEY = {group=, fresh= a beginning of which nobody knows}}: all that anybody is owed
local Groups = {}
Groups.__index = Groups

local groups = {}

function groups.new(settings)
  return setmetatable({settings = settings,
    due = {},  -- {GROUP = when its round is}, of those that are owed
    last = {}, -- {GROUP = when its last round was}
    begun = {}, -- when beginnings were told one by one, oldest first
    summed = -math.huge,
  }, Groups)
end

local function forget(times, before)
  for group, at in pairs(times) do
    if at <= before then times[group] = nil end
  end
end

-- Sets the rounds of groups that are owed since now; those that are owed no more have none.
function Groups:plan(owed, now)
  local due, interval = {}, self.settings.group_interval
  for _, one in pairs(owed) do
    local last = self.last[one.group]
    due[one.group] = self.due[one.group]
      or math.max(now + self.settings.group_wait, last and last + interval or -math.huge)
  end
  self.due = due
  forget(self.last, now - interval)
  while self.begun[1] and self.begun[1] <= now - interval do table.remove(self.begun, 1) end
end

-- Keys of what is due, those of beginnings apart, and all beginnings that nobody knows.
function Groups:sort(owed, now)
  local others, due, fresh = {}, {}, {}
  for key, one in pairs(owed) do
    local list = now >= self.due[one.group] and (one.fresh and due or others)
    if list then list[#list + 1] = key end
    if one.fresh then fresh[#fresh + 1] = key end
  end
  return others, due, fresh
end

function Groups:note_round(keys, owed, now)
  for _, key in ipairs(keys) do
    local group = owed[key].group
    self.last[group], self.due[group] = now, nil
  end
end

function Groups:look(owed, now)
  self:plan(owed, now)
  local keys, due, fresh = self:sort(owed, now)
  local summary
  if #due > 0 and #fresh + #self.begun <= self.settings.summary_over then
    for _, key in ipairs(due) do keys[#keys + 1], self.begun[#self.begun + 1] = key, now end
  elseif #due > 0 and now >= self.summed + self.settings.group_interval then
    summary, self.summed = fresh, now
    self:note_round(summary, owed, now)
  end
  self:note_round(keys, owed, now)
  return keys, summary
end

return groups
