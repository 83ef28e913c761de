-- Where tasks run, and so where commands go: a Kubernetes cluster when one is configured, else this machine.
local audit = require "audit"
local docker = require "docker"
local executor = require "executor"
local history_rows = require "history.store"
local kube = require "kube"
local log = require "log"
local store = require "store"
local sys = require "sys"
local text = require "text"

local place = {}

local function identity() return sys.hostname() .. "_" .. sys.random(4) end

-- Whose Pods and Jobs are watched: as told, else our own namespace and those of the jobs, so that a Role in each of
-- them is enough. nil: all of them, which needs a ClusterRole.
local function watched(told, own, jobs)
  if told == "all" then return nil end
  if told then return told end
  local names = {[own] = true}
  for _, job in ipairs(jobs) do names[job.namespace] = true end
  return text.keys(names)
end

local function open_store(options, schema)
  local made, message = sys.mkdir(options.state_dir)
  if not made then return nil, message .. ": choose another --state-dir" end
  return store.open(options.state_dir .. "/state.sqlite", schema)
end

local function in_cluster(client, options)
  local namespace = options.namespace or client:namespace()
  local self = {kind = "kubernetes", client = client, namespace = namespace}
  if options.keeps_history then
    local message
    self.store, message = open_store(options, history_rows.schema .. audit.schema)
    if not self.store then return nil, message end
  end
  function self.open(jobs)
    self.watched = watched(options.watch_namespaces, namespace, jobs)
    self.executor = executor.kubernetes(client, {instance = options.instance, namespaces = self.watched})
    self.state = require "state.kubernetes".new {
      client = client, namespace = namespace, instance = options.instance, identity = identity(),
      executor = self.executor,
    }
  end
  return self
end

-- The container engine's socket, or nil: processes it is. nil and why: an engine was asked for, and none is there.
local function engine(options)
  if options.executor == "local" then return nil end
  local socket, message = docker.socket()
  if socket then
    log.info("tasks run as containers of the engine on this machine", {socket = socket,
      why = options.executor == "docker" and "--executor docker" or "no cluster is configured, and an engine answers"})
  elseif options.executor == "docker" then
    return nil, message
  else
    log.info("no cluster is configured: tasks run as processes on this machine", {engine = message})
  end
  return socket
end

local function on_this_machine(options)
  local socket, missing = engine(options)
  if missing then return nil, missing end
  local LocalState = require "state.local"
  local db, message = open_store(options, LocalState.schema .. history_rows.schema .. audit.schema)
  if not db then return nil, message end
  local self = {kind = socket and "docker" or "local", namespace = options.namespace or "default",
    state = LocalState.new(db), store = db}
  self.encode = socket and docker.encode
  function self.open()
    self.executor = socket and
      executor.containers(db, {state_dir = options.state_dir, socket = socket, instance = options.instance}) or
      executor.processes(db, {state_dir = options.state_dir, working_dir = options.dir})
  end
  return self
end

-- "kubernetes" and a client, or "local", which is this machine, be it by processes or containers: commands find their
-- daemon and its output in the state folder alike; nil and what is wrong. options: {executor=, kube_config_path=,
-- kube_qps=, kube_burst=}.
function place.choose(options)
  if options.executor == "local" or options.executor == "docker" then return "local" end
  local client, message, code = kube.connect {
    path = options.kube_config_path, qps = options.kube_qps, burst = options.kube_burst,
  }
  if client then return "kubernetes", client end
  if options.executor == "kubernetes" or code ~= "notfound" then return nil, message end
  return "local"
end

-- options: those of choose, and {namespace=, watch_namespaces=, instance=, state_dir=, dir=, keeps_history=: in a
-- cluster too there is a state folder}. Returns {kind=, namespace=, client=, store=}, which has executor=, state= and
-- watched= (namespaces; nil: all) too once its open(jobs) was called; or nil and what is wrong. Waits for nothing in
-- the cluster.
function place.open(options)
  local kind, client = place.choose(options)
  if not kind then return nil, client end
  if kind == "kubernetes" then return in_cluster(client, options) end
  return on_this_machine(options)
end

return place
