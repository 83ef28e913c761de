-- What hooks are told of runs, and what they want of them. lua/runner.lua asks here and does it.
--   wishes.new{hooks=, summary= (lua/history/summary.lua, or nil), manifest=function(job, run)} -> w
local clock = require "clock"
local log = require "log"
local patch = require "hooks.patch"
local policy = require "policy"

local Wishes = {}
Wishes.__index = Wishes

local wishes = {}

-- retries: what on_attempt_failed wants of the next attempt, until that starts. A daemon that ends in between forgets
-- it: the attempt then comes as the schedule says.
function wishes.new(options)
  return setmetatable({hooks = options.hooks, summary = options.summary, manifest_of = options.manifest, retries = {}},
    Wishes)
end

-- The event with what only hooks get: the job's past, and perhaps more.
function Wishes:event(e, more)
  local copy = {history = self.summary and self.summary:of(e.job)}
  for name, value in pairs(e) do copy[name] = value end
  for name, value in pairs(more or {}) do copy[name] = value end
  return copy
end

-- Tells hooks. Never waits for them.
function Wishes:tell(hook, e)
  if self.hooks:defined(hook) then self.hooks:fire(hook, self:event(e)) end
end

-- Asks hooks that decide. Returns the changes they want; or nil and the reason of a veto.
function Wishes:ask(hook, job, e, more)
  if not self.hooks:defined(hook) then return {} end
  local verdict, failure, others = self.hooks:call(hook, self:event(e, more))
  if failure then
    local goes_on = hook == "on_attempt_failed" or policy.after_hook_error(job)
    log.error(hook .. " failed", {job = e.job, run = e.run, slot = e.slot_time,
      so = goes_on and "the slot runs" or "the slot is skipped"})
    if not goes_on then return nil, ("%s failed: %s"):format(hook, failure:match "[^\n]*") end
    verdict = others
  end
  if verdict.verdict == "skip" then return nil, ("%s: %s"):format(hook, verdict.reason) end
  return verdict
end

-- All attempts of a run have a name in common.
local function key(run) return run.namespace .. "/" .. run.name:gsub("%-r%d+$", "") end

-- An attempt failed and is tried again at run.retry_at: whether it still is; else false and why.
function Wishes:attempt_failed(job, run, e)
  if not job or not self.hooks:defined "on_attempt_failed" then return true end
  local answer, reason = self:ask("on_attempt_failed", job, e, {manifest = self.manifest_of(job, run)})
  local not_before = answer and answer.delay and clock.now() + math.ceil(answer.delay)
  self.retries[key(run)] = {attempt = run.attempt + 1, refused = not answer and reason or nil,
    not_before = not_before, patches = answer and answer.patches}
  return answer ~= nil, reason
end

-- What was wanted of this attempt: {refused= (why), not_before=, patches=}.
function Wishes:of_attempt(run)
  local wanted = self.retries[key(run)]
  return wanted and wanted.attempt == run.attempt and wanted or {}
end

function Wishes:forget(run)
  if run.attempt > 0 then self.retries[key(run)] = nil end
end

-- Whether hooks have a say in whether a slot runs, and how.
function Wishes:decide() return self.hooks:defined "before_run" or self.hooks:defined "before_create" end

-- Whether the next function would do anything.
function Wishes:touches(run, patches)
  return self.hooks:defined "before_create" or next(patches or {}) or next(self:of_attempt(run).patches or {})
end

-- The manifest with what before_run (patches) and on_attempt_failed wanted, and after before_create; or nil and why it
-- is refused.
function Wishes:manifest(job, run, manifest, patches, e)
  for _, list in ipairs {self:of_attempt(run).patches or {}, patches or {}} do
    local changed, wrong = patch.apply(manifest, list)
    if not changed then return nil, "a hook's patch: " .. wrong end
    manifest = changed
  end
  local answer, reason = self:ask("before_create", job, e, {manifest = manifest})
  if not answer then return nil, reason end
  local changed, wrong = patch.apply(manifest, answer.patches or {})
  return changed, wrong and "before_create: " .. wrong
end

return wishes
