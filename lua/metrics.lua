-- Counters, gauges and histograms, and how Prometheus reads them: text format 0.0.4, and OpenMetrics 1.0.0 for those
-- that ask for it.
--   metrics.new(prefix) -> m
--   m:counter(name, help, {labels=, unit=}), m:gauge, m:histogram(name, help, {labels=, unit=, buckets=}), m:info
--     labels: names, in the order in which values are given
--   counter:add(n, …), gauge:set(n, …), histogram:observe(n, …): … the labels' values
--     prefix: instead of m's
--   any but a histogram with read=function(emit): its samples are made when asked for, by emit(n, …)
--   m:write(format, put)   format: of metrics.choose; put(text) is called for pieces of some lines, and may wait
--   metrics.choose(accept) -> "text" or "openmetrics";  metrics.types[format]: its Content-Type
local metrics = {}

local PIECE = 100 -- lines

metrics.types = {
  text = "text/plain; version=0.0.4; charset=utf-8",
  openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8",
}

-- What the client likes best; what nobody asked for is text.
function metrics.choose(accept)
  local best, format = 0, "text"
  for entry in (accept or ""):gmatch "[^,]+" do
    local type, rest = entry:match "^%s*([^%s;]+)(.*)$"
    local quality = tonumber(rest and rest:match ";%s*q=([%d.]+)") or 1
    local version = rest and rest:match ";%s*version=([%d.]+)"
    local known = type == "application/openmetrics-text" and (not version or version == "1.0.0") and "openmetrics"
      or (type == "text/plain" or type == "*/*" or type == "text/*") and "text"
    if known and quality > best then best, format = quality, known end
  end
  return format
end

-- Families

local Family = {}
Family.__index = Family

local SEPARATOR = "\0" -- never in a label's value that people can write

function Family:series_of(...)
  local key = table.concat({...}, SEPARATOR)
  local series = self.series[key]
  if not series then
    series = {labels = {...}, value = 0}
    if self.buckets then series.counts, series.sum = {}, 0 end
    self.series[key] = series
    self.order[#self.order + 1] = series
  end
  return series
end

function Family:add(n, ...)
  local series = self:series_of(...)
  series.value = series.value + n
end

function Family:set(n, ...) self:series_of(...).value = n end

function Family:observe(n, ...)
  local series, at = self:series_of(...), #self.buckets + 1
  for i, bound in ipairs(self.buckets) do
    if n <= bound then
      at = i
      break
    end
  end
  series.counts[at] = (series.counts[at] or 0) + 1
  series.value, series.sum = series.value + 1, series.sum + n
end

-- Writing

local function number(n)
  if n == true then return "1" elseif not n then return "0" end
  if math.type(n) == "integer" then return ("%d"):format(n) end
  return ("%.15g"):format(n)
end

-- A bucket's bound reads the same in both formats, so that it is the same series.
local function bound_text(n)
  local text = number(n)
  return text:find "[.e]" and text or text .. ".0"
end

local escapes = {["\\"] = "\\\\", ["\n"] = "\\n", ['"'] = '\\"'}
local function escape(value) return (tostring(value):gsub('[\\\n"]', escapes)) end

local function labels_text(names, values, name, value)
  local parts = {}
  for i, each in ipairs(names) do parts[i] = ('%s="%s"'):format(each, escape(values[i])) end
  if name then parts[#parts + 1] = ('%s="%s"'):format(name, value) end
  return #parts > 0 and "{" .. table.concat(parts, ",") .. "}" or ""
end

local suffixes = {counter = "_total", info = "_info"}

function Family:put_head(format, line)
  local name, kind = self.name .. (suffixes[self.kind] or ""), self.kind
  if format == "openmetrics" then name = self.name elseif kind == "info" then kind = "gauge" end
  line("# HELP " .. name .. " " .. self.help:gsub("[\\\n]", escapes))
  line("# TYPE " .. name .. " " .. kind)
  if format == "openmetrics" and self.unit then line("# UNIT " .. name .. " " .. self.unit) end
end

function Family:put_histogram(series, line)
  local count = 0
  for i, bound in ipairs(self.buckets) do
    count = count + (series.counts[i] or 0)
    line(("%s_bucket%s %d"):format(self.name, labels_text(self.labels, series.labels, "le", bound_text(bound)), count))
  end
  local labels = labels_text(self.labels, series.labels)
  line(("%s_bucket%s %d"):format(self.name, labels_text(self.labels, series.labels, "le", "+Inf"), series.value))
  line(("%s_sum%s %s"):format(self.name, labels, number(series.sum)))
  line(("%s_count%s %d"):format(self.name, labels, series.value))
end

function Family:put(format, line)
  self:put_head(format, line)
  local name = self.name .. (suffixes[self.kind] or "")
  local function emit(n, ...) line(name .. labels_text(self.labels, {...}) .. " " .. number(n)) end
  if self.read then return self.read(emit) end
  for _, series in ipairs(self.order) do
    if self.buckets then
      self:put_histogram(series, line)
    else
      emit(series.value, table.unpack(series.labels))
    end
  end
end

-- The registry of them

local Metrics = {}
Metrics.__index = Metrics

function metrics.new(prefix) return setmetatable({prefix = prefix, families = {}}, Metrics) end

function Metrics:family(kind, name, help, more)
  more = more or {}
  local base = name:gsub("_total$", ""):gsub("_info$", "")
  local family = setmetatable({kind = kind, name = (more.prefix or self.prefix) .. base, help = help,
    labels = more.labels or {}, unit = more.unit,
    buckets = more.buckets, read = more.read, series = {}, order = {}}, Family)
  self.families[#self.families + 1] = family
  if not family.read and #family.labels == 0 then family:series_of() end -- from the start, at zero
  return family
end

for _, kind in ipairs {"counter", "gauge", "histogram", "info"} do
  Metrics[kind] = function(self, ...) return self:family(kind, ...) end
end

function Metrics:write(format, put)
  local lines = {}
  local function flush()
    if #lines > 0 then put(table.concat(lines, "\n") .. "\n") end
    lines = {}
  end
  local function line(text)
    lines[#lines + 1] = text
    if #lines >= PIECE then flush() end
  end
  for _, family in ipairs(self.families) do family:put(format, line) end
  if format == "openmetrics" then line "# EOF" end
  flush()
end

return metrics
