-- What every way of a command has in common: the id of a request, and an answer that fits.
local json = require "json"

local request = {}

-- Small letters and digits, so that it can be part of an object's name.
function request.is_id(id) return type(id) == "string" and #id <= 16 and id:match "^[a-z0-9]+$" ~= nil end

-- The answer as text of at most so many bytes: rows that do not fit are left off, and counted.
function request.encode(answer, room)
  local text = json.encode(answer)
  while #text > room and type(answer.rows) == "table" and #answer.rows > 0 do
    local keep = #answer.rows // 2
    answer.left_off = (answer.left_off or 0) + #answer.rows - keep
    answer.rows = json.array(table.move(answer.rows, 1, keep, 1, {}))
    text = json.encode(answer)
  end
  return text
end

return request
