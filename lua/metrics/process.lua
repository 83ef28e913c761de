-- What every Prometheus client measures of its process, from /proc: Linux.
local sys = require "sys"

local TICKS, PAGE = 100, 4096 -- USER_HZ and the page size, which are these wherever this is built

-- The numbered fields of /proc/self/stat behind the name, which may hold anything: the first is field 3.
local function fields()
  local out = {}
  for word in (sys.read "/proc/self/stat" or ""):match "^.*%) (.*)$":gmatch "%S+" do out[#out + 1] = word end
  return function(number) return tonumber(out[number - 2]) end
end

local function boot_time()
  return tonumber((sys.read "/proc/stat" or ""):match "btime (%d+)") or 0
end

-- m: of lua/metrics.lua; these names have no prefix, whatever its is.
return function(m)
  local function gauge(name, help, unit, value)
    m:gauge(name, help, {prefix = "", unit = unit, read = function(emit) emit(value(fields())) end})
  end
  m:counter("process_cpu_seconds_total", "Processor time, user and system", {prefix = "", unit = "seconds",
    read = function(emit)
      local stat = fields()
      emit((stat(14) + stat(15)) / TICKS)
    end})
  gauge("process_resident_memory_bytes", "Memory in RAM", "bytes", function(stat) return stat(24) * PAGE end)
  gauge("process_virtual_memory_bytes", "Memory mapped", "bytes", function(stat) return stat(23) end)
  gauge("process_start_time_seconds", "When the process began", "seconds",
    function(stat) return boot_time() + stat(22) / TICKS end)
  gauge("process_open_fds", "Open files", nil, function() return #(sys.list "/proc/self/fd" or {}) end)
end
