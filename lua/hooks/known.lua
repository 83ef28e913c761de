-- The hooks that operators can define, and what they are told. The one place to add to.
local known = {}

-- A decision hook is waited for and its answer counts, which may have the fields `answers` (lua/hooks/decision.lua);
-- the others are told what happened.
known.hooks = {
  before_run = {decision = true, answers = {"args", "env", "delay", "patch"}},
  before_create = {decision = true, answers = {"patch", "manifest"}},
  on_started = {},
  on_late = {},
  on_overrun = {},
  on_slow = {},
  on_succeeded = {},
  on_failed = {},
  on_attempt_failed = {decision = true, answers = {"retry", "delay", "patch"}},
  on_start_failed = {},
  on_recovered = {},
  on_skipped = {},
  on_missed = {},
  on_reload = {},
  on_leader = {},
}

-- What an event holds, beside hook all from lua/event.lua. A field that does not apply is nil; one that is not
-- listed is an error, for it is a typo.
known.event_fields = {
  "hook", "kind", "id", "job", "namespace", "run", "slot", "slot_time", "attempt", "trigger", "lateness", "outcome",
  "exit_code", "reason", "message", "started", "finished", "log_tail", "missed", "missed_from", "retry_at",
  "schedule", "description", "file", "line", "history", "manifest", "node",
}

-- Seconds that a hook may compute. Waiting for http.request does not count.
known.deadlines = {decision = 0.2, event = 2, load = 2}

-- What store.set takes, in bytes: a key's, a value's as JSON, and all of them with what each costs beside.
known.store = {key = 200, value = 16 << 10, total = 256 << 10}

local ENTRY <const> = 32

function known.store_cost(key, text) return text and #key + #text + ENTRY or 0 end

function known.names()
  local names = {}
  for name in pairs(known.hooks) do names[#names + 1] = name end
  table.sort(names)
  return names
end

return known
