-- The mistakes and warnings found in files, each with its place, in the form every tool understands:
-- FILE:LINE:COL: error: message
local problems = {}
problems.__index = problems

function problems.new() return setmetatable({error_count = 0}, problems) end

-- place: {file=, line=, column=}
function problems:add(severity, place, message)
  if severity == "error" then self.error_count = self.error_count + 1 end
  self[#self + 1] = {
    severity = severity, file = place.file, line = place.line or 1, column = place.column or 1, message = message,
  }
end

function problems:error(place, message, ...) self:add("error", place, message:format(...)) end
function problems:warning(place, message, ...) self:add("warning", place, message:format(...)) end

function problems:errors() return self.error_count end

function problems:sort()
  table.sort(self, function(a, b)
    if a.file ~= b.file then return a.file < b.file end
    if a.line ~= b.line then return a.line < b.line end
    if a.column ~= b.column then return a.column < b.column end
    return a.message < b.message
  end)
end

function problems.format(problem)
  return ("%s:%d:%d: %s: %s"):format(problem.file, problem.line, problem.column, problem.severity, problem.message)
end

-- The same as GitHub's workflows read it, to show it beside the line.
local escapes = {["%"] = "%25", ["\r"] = "%0D", ["\n"] = "%0A"}
local function escape(text, more) return (text:gsub("[%%\r\n" .. (more or "") .. "]", function(c)
  return escapes[c] or ("%%%02X"):format(c:byte())
end)) end

function problems.annotation(problem)
  return ("::%s file=%s,line=%d,col=%d::%s"):format(problem.severity, escape(problem.file, ":,"), problem.line,
    problem.column, escape(problem.message))
end

return problems
