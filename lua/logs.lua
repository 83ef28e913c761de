-- Where the output of runs is, and how to read it: files in the state folder, or the API server.
--   logs.files(options) -> source      options: {instance=, namespace=, state_dir=}
--   logs.cluster(client, options) -> source
--   logs.server(options) -> source     over HTTP; options: {server=, token_file=}
--   logs.of(options) -> source; or nil and why     the one of these that the options of a command mean
--   source:find(word) -> run; or nil and why     word: a run's name, or a job's, whose newest run is meant
--   source:copy(run, how, write) -> true; or nil and why; it ends when write gives false     how: {follow=: to the
--     run's end, tail=: only so many of the last lines there are, since=: unix seconds, timestamps=: before each line}
local clock = require "clock"
local json = require "json"
local names = require "names"
local remote = require "control.http"
local place = require "place"
local sys = require "sys"
local task = require "task"

local logs = {}

-- On this machine: STATE_DIR/runs/NAMESPACE/RUN/output, and `status` beside it once the run is over.

local Files = {}
Files.__index = Files

local POLL = 0.2  -- seconds
local PIECE = 65536

function logs.files(options)
  return setmetatable({instance = options.instance, namespaces = options.namespace and {options.namespace},
    dir = options.state_dir .. "/runs"}, Files)
end

-- The beginning of the names of a job's runs.
local function prefix_of(instance, namespace, job)
  return (names.slot {instance = instance, namespace = namespace, job = job, slot = 0}:gsub("%-0$", "-"))
end

-- When the command began (the lock's second word): names of runs that were triggered do not tell.
local function started(dir)
  local lock = sys.read(dir .. "/lock") or ""
  return tonumber(lock:match "^%d+ (%d+)") or 0
end

function Files:runs_of(namespace, job)
  local prefix, out = prefix_of(self.instance, namespace, job), {}
  for _, name in ipairs(sys.list(self.dir .. "/" .. namespace) or {}) do
    if name:sub(1, #prefix) == prefix then
      local dir = ("%s/%s/%s"):format(self.dir, namespace, name)
      out[#out + 1] = {name = name, dir = dir, at = started(dir)}
    end
  end
  table.sort(out, function(a, b) return a.at < b.at end)
  return out
end

function Files:find(word)
  for _, namespace in ipairs(self.namespaces or sys.list(self.dir) or {}) do
    local dir = ("%s/%s/%s"):format(self.dir, namespace, word)
    if sys.kind(dir .. "/output") == "file" then return {name = word, dir = dir} end
    local runs = self:runs_of(namespace, word)
    if #runs > 0 then return runs[#runs] end
  end
  return nil, ("no output of a run or job '%s' is kept in %s; `history` names the runs, `explain JOB SLOT` has " ..
    "their last lines"):format(word, self.dir)
end

-- Goes to where the last `count` lines begin.
local function seek_tail(file, count)
  local at, lines = file:seek "end", 0
  local last = at
  while at > 0 do
    local from = math.max(0, at - PIECE)
    file:seek("set", from)
    local piece = file:read(at - from)
    for i = #piece, 1, -1 do
      if piece:byte(i) == 10 and from + i < last then lines = lines + 1 end
      if lines == count then return file:seek("set", from + i) end
    end
    at = from
  end
  file:seek "set"
end

function Files.copy(_, run, how, write)
  if how.since or how.timestamps then return nil, "lines of the local executor carry no time" end
  local file, message = io.open(run.dir .. "/output", "rb")
  if not file then return nil, message end
  if how.tail then seek_tail(file, how.tail) end
  local open = true
  while open do
    local over = not how.follow or sys.kind(run.dir) == nil or sys.kind(run.dir .. "/status") ~= nil
    for piece in function() return open and file:read(PIECE) end do open = write(piece) ~= false end
    if over then break end
    task.sleep(POLL)
    file:seek("cur", 0) -- past the end that was met
  end
  file:close()
  return true
end

-- In a cluster: the Pod's log.

local Cluster = {}
Cluster.__index = Cluster

function logs.cluster(client, options)
  return setmetatable({client = client, instance = options.instance,
    namespace = options.namespace or client:namespace(), container = options.container}, Cluster)
end

local function age(pod)
  local annotations = pod.metadata.annotations or {}
  return (annotations["kube-scheduler/slot"] or "") .. pod.metadata.creationTimestamp
end

function Cluster:newest(selector)
  local pods, problem = self.client:list("Pod", self.namespace, {selector = selector})
  if not pods then return nil, problem.message end
  table.sort(pods, function(a, b) return age(a) < age(b) end)
  return pods[#pods]
end

-- A run's Pod has its name, or its Job's as a label.
function Cluster:find(word)
  local pod, problem = self.client:get("Pod", self.namespace, word)
  if not pod and problem.status ~= 404 then return nil, problem.message end
  local message
  if not pod and #word <= 63 then pod, message = self:newest("job-name=" .. word) end
  if not pod and not message then
    pod, message = self:newest(("kube-scheduler/instance=%s,kube-scheduler/job=%s"):format(self.instance,
      names.label(word)))
  end
  if pod then return pod end
  return nil, message or ("there is no Pod of a run or job '%s' in namespace %s; `history` names the runs"):format(word,
    self.namespace)
end

local MOST <const> = 64 << 20 -- bytes of an output that is not followed

local function query_of(how)
  return (how.tail and "&tailLines=" .. how.tail or "") .. (how.timestamps and "&timestamps=true" or "")
    .. (how.since and "&sinceTime=" .. clock.format(how.since) or "")
end

function Cluster:follow(namespace, name, container, write)
  return self.client:logs(namespace, name, container, function(line) return write(line .. "\n") end)
end

function Cluster:copy(pod, how, write)
  local namespace, name = pod.metadata.namespace, pod.metadata.name
  local container = self.container or pod.spec.containers[1].name
  if how.follow and not (how.tail or how.since or how.timestamps) then
    return self:follow(namespace, name, container, write)
  end
  local escape = self.client.escape
  local reply = self.client:request("GET", ("/api/v1/namespaces/%s/pods/%s/log?container=%s&limitBytes=%d%s"):format(
    escape(namespace), escape(name), escape(container), MOST, query_of(how)))
  if reply.status ~= 200 then return nil, reply.message end
  for at = 1, #reply.body, PIECE do
    if write(reply.body:sub(at, at + PIECE - 1)) == false then break end
  end
  return true
end

-- Over HTTP, of the scheduler that the options name.

local Server = {}
Server.__index = Server

local LOOK = 1 -- seconds between two looks at what a run has written

function logs.server(options) return setmetatable({options = options}, Server) end

local function parsed(body) return body and json.parse(body) end

function Server:find(word)
  local run = parsed(remote.get(self.options, "/v1/runs/" .. word))
  if run then return {name = run.id} end
  local body, message = remote.get(self.options, "/v1/runs?limit=1&job=" .. word:gsub("[^%w%-_.]", function(c)
    return ("%%%02X"):format(c:byte())
  end))
  local newest = parsed(body)
  newest = newest and newest.items[1]
  if newest then return {name = newest.id} end
  return nil, message or ("there is no run or job '%s'; `history` names the runs"):format(word)
end

-- The end of a followed log is a look that was begun after the run was over.
function Server:copy(run, how, write)
  local path, seen = "/v1/runs/" .. run.name, 0
  repeat
    local known = parsed(remote.get(self.options, path))
    local text, message = remote.get(self.options, path .. "/log" .. (how.tail and "?tail=" .. how.tail or ""))
    if not text then return nil, message end
    if #text > seen and write(text:sub(seen + 1)) == false then return true end
    seen = #text
    local goes_on = how.follow and known and known.state ~= "finished"
    if goes_on then task.sleep(LOOK) end
  until not goes_on
  return true
end

function logs.of(options)
  if options.server then return logs.server(options) end
  local kind, client = place.choose(options)
  if not kind then return nil, client end
  return kind == "local" and logs.files(options) or logs.cluster(client, options)
end

return logs
