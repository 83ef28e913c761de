-- Which jobs are meant: what a list's filters say, and a bulk order's.
--   choose.filter{q=, namespace=, label=, state=, failed=, failed_since=, active=} -> f(daemon, job) -> boolean;
--     or nil, the field and what is wrong
local view = require "api.view"

local choose = {}

local states = {enabled = true, disabled = true, suspended = true, failing = true}

-- "a=b,c!=d,e,!f" as functions of a table of labels.
local function selector(text)
  local tests = {}
  for part in text:gmatch "[^,]+" do
    local word = part:match "^%s*(.-)%s*$"
    local key, sign, value = word:match "^([%w%-_./]+)%s*(!?==?)%s*([%w%-_.]*)$"
    local no, alone = word:match "^(!?)([%w%-_./]+)$"
    if key then
      tests[#tests + 1] = function(labels) return (labels[key] == value) == (sign:sub(1, 1) == "=") end
    elseif alone then
      tests[#tests + 1] = function(labels) return (labels[alone] ~= nil) == (no == "") end
    else
      return nil, ("label: '%s' is no selector: key=value, key!=value, key or !key expected"):format(word)
    end
  end
  return tests
end

-- A job's labels are its template's.
function choose.labels(job)
  local metadata = job.manifest.metadata
  return type(metadata) == "table" and type(metadata.labels) == "table" and metadata.labels or {}
end

local function has_labels(job, tests)
  local labels = choose.labels(job)
  for _, test in ipairs(tests) do
    if not test(labels) then return false end
  end
  return true
end

local function mentions(job, text)
  return (job.name .. "\n" .. (job.description or "")):lower():find(text, 1, true) ~= nil
end

-- One test for each thing that is asked for.
local function tests_of(want, labels)
  local tests = {}
  local function add(wanted, test) tests[#tests + 1] = wanted and test or nil end
  local q = want.q and want.q:lower()
  add(want.namespace, function(_, job) return job.namespace == want.namespace end)
  add(q and q ~= "", function(_, job) return mentions(job, q) end)
  add(labels, function(_, job) return has_labels(job, labels) end)
  add(want.state, function(daemon, job) return view.state(daemon, job) == want.state end)
  add(want.failed, function(daemon, job) return view.did(daemon, job).failures > 0 end)
  add(want.failed_since, function(daemon, job)
    return (view.did(daemon, job).last_failure or -math.huge) >= want.failed_since
  end)
  add(want.active, function(daemon, job) return daemon.registry:active(job.name) > 0 end)
  return tests
end

function choose.filter(want)
  if want.state and not states[want.state] then
    return nil, "state", "state: enabled, disabled, suspended or failing expected"
  end
  local labels, message
  if want.label then
    labels, message = selector(want.label)
    if not labels then return nil, "label", message end
  end
  local tests = tests_of(want, labels)
  return function(daemon, job)
    for _, test in ipairs(tests) do
      if not test(daemon, job) then return false end
    end
    return true
  end
end

return choose
