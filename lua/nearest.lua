-- The name somebody probably meant: for "did you mean" in error messages.

-- Edits (insert, delete, replace, swap neighbours) that lead from a to b.
local function distance(a, b)
  local before, row = {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local next_row = {[0] = i}
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      next_row[j] = math.min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        next_row[j] = math.min(next_row[j], before[j - 2] + 1)
      end
    end
    before, row = row, next_row
  end
  return row[#b]
end

local nearest = {}

-- The candidate (of a list of strings) closest to word; nil when none is close enough to be meant.
function nearest.find(word, candidates)
  local best, best_distance = nil, math.max(1, #word // 3) + 1
  for _, candidate in ipairs(candidates) do
    if math.abs(#candidate - #word) < best_distance then
      local d = distance(word:lower(), candidate:lower())
      if d < best_distance then best, best_distance = candidate, d end
    end
  end
  return best
end

-- "; did you mean X?", or "".
function nearest.hint(word, candidates)
  local best = nearest.find(word, candidates)
  return best and ("; did you mean %s?"):format(best) or ""
end

return nearest
