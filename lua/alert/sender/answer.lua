-- What an HTTP answer means for an alert. A verdict is one of
--   "ok"       delivered
--   "retry"    the same request again, after a pause
--   "final"    this alert cannot be delivered
--   "suspend"  nor can any other: the key or the address is wrong
-- and, as second value, for how many seconds the service asks not to be called (nil: it does not say).
local answer = {}

answer.SUSPENSION = 3600

local AGAIN = { [408] = true, [425] = true, [429] = true }
local REFUSED = { [401] = true, [402] = true, [403] = true, [404] = true, [410] = true }

local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6,
                 Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }

local function http_date(value)
  local day, month, year, hour, min, sec = (value or ""):match("(%d+) (%a+) (%d+) (%d+):(%d+):(%d+) GMT")
  if not MONTHS[month] then return nil end
  return os.time { year = year, month = MONTHS[month], day = day, hour = hour, min = min, sec = sec, isdst = false }
end

-- Seconds of a Retry-After header (RFC 9110, 10.2.3), or nil. A date counts from the answer's own Date, so
-- that our clock need not be right.
function answer.retry_after(response)
  local value = response.headers["retry-after"]
  if not value then return nil end
  local seconds = tonumber(value:match("^%s*(%d+)%s*$"))
  if seconds then return seconds end
  local at, from = http_date(value), http_date(response.headers.date)
  return at and from and math.max(0, at - from)
end

-- The judgement that most services deserve; a route whose service differs has its own.
function answer.judge(response)
  if not response then return "retry" end
  local status = response.status
  if status >= 200 and status < 300 then return "ok" end
  if REFUSED[status] then return "suspend", answer.SUSPENSION end
  if AGAIN[status] or status >= 500 then return "retry", answer.retry_after(response) end
  return "final"
end

return answer
