-- A map of starts by weekday and hour, for a terminal: the darker, the more.
local SHADES <const> = {"░", "▒", "▓", "█"}
local STYLES <const> = {"blue", "green", "yellow", "red"}
local WEEKDAYS <const> = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

local function highest(counts)
  local most = 0
  for weekday = 0, 6 do
    for hour = 0, 23 do most = math.max(most, counts[weekday][hour]) end
  end
  return most
end

local function cell(out, count, most)
  if count == 0 then return " ·" end
  local shade = (count * #SHADES + most - 1) // most
  return out:paint(STYLES[shade], SHADES[shade]:rep(2))
end

-- counts: [weekday, 0 = Sunday][hour]. Text that ends with a line break.
return function(out, counts, zone)
  local most = highest(counts)
  local lines = {("Starts by hour, %s; %s is up to %d:"):format(zone, SHADES[#SHADES]:rep(2), most)}
  local hours = {}
  for hour = 0, 23 do hours[#hours + 1] = ("%02d"):format(hour) end
  lines[2] = "     " .. table.concat(hours, " ")
  for day, name in ipairs(WEEKDAYS) do
    local cells = {}
    for hour = 0, 23 do cells[#cells + 1] = cell(out, counts[day % 7][hour], most) end
    lines[#lines + 1] = name .. "  " .. table.concat(cells, " ")
  end
  return table.concat(lines, "\n") .. "\n"
end
