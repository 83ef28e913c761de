-- Durable state in the cluster: the Lease (lease.lua) says who leads and what is decided, ConfigMaps (chunks.lua)
-- keep named tables: baselines, suspended, paused, backfills.
local Chunks = require "state.chunks"
local Lease = require "state.lease"

local State = {}
State.__index = State

-- options: {client=, namespace=, instance=, identity=, executor=}
function State.new(options)
  local lease = Lease.new(options)
  return setmetatable({lease = lease, chunks = Chunks.new {
    client = options.client, namespace = options.namespace, instance = options.instance,
    not_after = function() return lease.ends_at end,
  }}, State)
end

-- Waits until we lead. {watermark= (nil: none yet), open=}; nil and why when we never will.
function State:acquire()
  local done, failure = self.lease:acquire()
  if not done then return nil, failure end
  self.chunks:load()
  local watermark, open = self.lease:marks()
  return {watermark = watermark, open = open}
end

-- Whether the API server has answered once.
function State:reached() return self.lease.reached end

-- true; nil, why; or nil, why, "lost" when somebody else leads.
function State:save(watermark, open) return self.lease:renew(watermark, open) end

function State:release(watermark, open) return self.lease:release(watermark, open) end

-- A named table; empty when there is none.
function State:read(item) return self.chunks:read(item) end

-- Makes it durable: true, or nil and why. pause: called after each entry, where it is given; the table stays as it is
-- meanwhile.
function State:write(item, value, pause) return self.chunks:write(item, value, pause) end

function State:describe() return self.lease:describe() end

return State
