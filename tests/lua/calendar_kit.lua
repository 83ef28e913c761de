-- What the specs of days share.
local days = require "calendar.days"

local kit = {}

-- The days of a set, as "MM-DD MM-DD".
function kit.dates(set, year)
  local out, start = {}, days.start_of(year)
  for day = start, start + days.length_of(year) - 1 do
    if days.has(set, year, day) then out[#out + 1] = days.text(day):sub(6) end
  end
  return table.concat(out, " ")
end

return kit
