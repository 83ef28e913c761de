-- What is written for people: colour and width where there is a terminal, tables whose columns line up, JSON for
-- programs. Data goes to stdout, talk to stderr.
--   local out = terminal.stdout()             -- or terminal.new {tty=, colour=, width=}, for a test
--   out.tty, out.colour, out.width            -- a terminal? colours? columns, 80 where there is no terminal
--   out:paint("red", "failed")                -- painted only where out.colour; styles are those of `sgr` below
--   out:table({"job", "next"}, {{"nightly", {"in 2 h", style = "green"}}})   -- text that ends with a line break
--   out:table(header, rows, {right = {[2] = true}})                          -- columns that hold numbers
--   out:table(header, rows, {columns = 3})                                   -- only the first three
--   terminal.json(value)                      -- writes it to stdout, indented
--   terminal.clean(text)                      -- no control characters: for what comes from files and containers
-- A cell is a string, number, nil, or {text, style=}; the table cleans and paints it.
local json = require "json"
local sys = require "sys"

local terminal = {}
terminal.__index = terminal

local sgr = {bold = 1, dim = 2, red = 31, green = 32, yellow = 33, blue = 34, cyan = 36}

-- Code points that take two columns, or none; sorted. From Unicode's EastAsianWidth W and F, and its Mn of Latin.
local wide = {{0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0xA4CF}, {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},
  {0xFE30, 0xFE6F}, {0xFF00, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}}
local empty = {{0x0300, 0x036F}, {0x200B, 0x200F}, {0xFE00, 0xFE0F}}

local function within(ranges, code)
  for _, range in ipairs(ranges) do
    if code <= range[2] then return code >= range[1] end
  end
  return false
end

function terminal.new(options) return setmetatable(options, terminal) end

function terminal.stdout()
  local tty = sys.isatty(1)
  local no_color = os.getenv "NO_COLOR"
  return terminal.new {
    tty = tty, width = sys.columns(1) or 80,
    colour = tty and (no_color == nil or no_color == "") and os.getenv "TERM" ~= "dumb",
  }
end

function terminal:paint(style, value)
  return self.colour and style and ("\27[%dm%s\27[0m"):format(sgr[style], value) or value
end

-- How many columns a text takes.
function terminal.columns(value)
  if not value:find "[\x80-\xFF]" or not utf8.len(value) then return #value end
  local width = 0
  for _, code in utf8.codes(value) do
    width = width + (within(empty, code) and 0 or within(wide, code) and 2 or 1)
  end
  return width
end

-- Control characters could move the cursor or forge lines: each becomes one question mark. C1 controls too, as UTF-8
-- writes them.
function terminal.clean(value) return (value:gsub("\xC2[\x80-\x9F]", "?"):gsub("[%c\127]", "?")) end

local function read_cell(value, style)
  local cell = type(value) == "table" and value or {value, style = style}
  local content = terminal.clean(tostring(cell[1] == nil and "" or cell[1]))
  return {content = content, style = cell.style, width = terminal.columns(content)}
end

local function read_row(row, count, style)
  local cells = {}
  for i = 1, count do cells[i] = read_cell(row[i], style) end
  return cells
end

-- The columns that hold anything, and how wide each is with its heading.
local function measure(head, rows, count)
  local columns = {}
  for i = 1, count do
    local width = 0
    for _, row in ipairs(rows) do width = math.max(width, row[i].width) end
    if width > 0 then columns[#columns + 1] = {index = i, width = math.max(width, head[i].width)} end
  end
  return columns
end

local function line(self, row, columns, right)
  local parts = {}
  for n, column in ipairs(columns) do
    local cell = row[column.index]
    local space = (" "):rep(column.width - cell.width)
    local content = self:paint(cell.style, cell.content)
    parts[n] = right[column.index] and space .. content or content .. space
  end
  return (table.concat(parts, "  "):gsub(" +$", ""))
end

-- A column that is empty in all rows is left out.
function terminal:table(header, rows, options)
  local right = options and options.right or {}
  local count = options and options.columns or #header
  local head, cells = read_row(header, count, "bold"), {}
  for n, row in ipairs(rows) do cells[n] = read_row(row, count) end
  local columns = measure(head, cells, count)
  local lines = {line(self, head, columns, right)}
  for n, row in ipairs(cells) do lines[n + 1] = line(self, row, columns, right) end
  return table.concat(lines, "\n") .. "\n"
end

function terminal.json(value) io.write(json.encode(value, {indent = true}), "\n") end

return terminal
