-- crontab files, and supercronic's. What differs between the two is said once, in `dialects`.
local json = require "json"
local shell_template = require "import.shell"

-- fields: how many a line may start with, tried in this order; last_year: six end with the year, as supercronic has it.
-- whole_file: a variable holds for all lines, not only for those below it. days: the cron_dialect that reads day fields
-- as it does: a crontab's `*/2 * 1` is the Mondays among them, elsewhere it is those days and all Mondays.
local dialects = {
  crontab = {fields = {5}, percent = true, overlap = "allow", days = "cronie"},
  supercronic = {fields = {7, 6, 5}, last_year = true, whole_file = true, overlap = "forbid"},
}

local read_here = {SHELL = true, CRON_TZ = true, TZ = true, MAILTO = true, USER = true, LOGNAME = true}

local function unquote(value)
  return value:match '^"(.*)"$' or value:match "^'(.*)'$" or value
end

local letters = {L = true, W = true, LW = true, H = true}
for name in ("JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC SUN MON TUE WED THU FRI SAT"):gmatch "%a+" do
  letters[name] = true
end

-- Whether a word can be a field of an expression: a command's name is none.
local function is_field(word)
  if not word:match "^[%w%*/,%-%?#]+$" then return false end
  for each in word:gmatch "%a+" do
    if not letters[each:upper()] then return false end
  end
  return true
end

-- The first n words of a line and what follows; nil when there are not so many that could be a cron expression.
local function split(line, n)
  local words, at = {}, 1
  for i = 1, n do
    local word, next_at = line:match("^%s*(%S+)%s+()", at)
    if not word or not is_field(word) then return nil end
    words[i], at = word, next_at
  end
  return words, line:sub(at)
end

local function with_seconds(words, dialect)
  if #words == 6 and dialect.last_year then return "0 " .. table.concat(words, " ") end
  return table.concat(words, " ")
end

local function expression(line, dialect)
  local word, rest = line:match "^(@%S+)%s+(.*)$"
  if word == "@every" then
    local span, after = rest:match "^(%S+)%s+(.*)$"
    return span and "@every " .. span, after
  end
  if word then return word, rest end
  for _, n in ipairs(dialect.fields) do
    local words, command = split(line, n)
    if words then return with_seconds(words, dialect), command end
  end
end

local function has_day_steps(cron)
  local day, weekday = cron:match "^%S+%s+%S+%s+(%S+)%s+%S+%s+(%S+)$"
  return day and (day:find "^%*/" or weekday:find "^%*/")
end

local function name_from(comment, command)
  local said = comment and comment:match "^name:%s*(.-)%s*$" or comment
  if said and #said > 0 and #said <= 40 then return said end
  local words = {}
  for word in command:gmatch "[%w_%.]+" do
    words[#words + 1] = word:match "([%w_]+)$"
    if #words == 3 then break end
  end
  return #words > 0 and table.concat(words, "-") or "job"
end

local function environment(variables)
  local env = {}
  for _, variable in ipairs(variables) do
    if not read_here[variable.name] then env[#env + 1] = {name = variable.name, value = variable.value} end
  end
  return env
end

local Reader = {}
Reader.__index = Reader

function Reader:value(name)
  for i = #self.variables, 1, -1 do
    if self.variables[i].name == name then return self.variables[i].value end
  end
end

function Reader:variable(where, name, value)
  if name == "MAILTO" then
    self.found:note(where, "MAILTO is left out: settings.alerts has a route for mail (lua/ALERTS.md)")
  elseif name == "USER" or name == "LOGNAME" then
    self.found:note(where, "%s is left out: securityContext in the template says who runs", name)
  end
  self.variables[#self.variables + 1] = {name = name, value = unquote(value)}
end

function Reader:command(where, command)
  if self.dialect.percent and command:find "[^\\]%%" then
    self.found:refuse(where, "it has a %% that cron turns into a line break: write \\%% or a script")
    return nil
  end
  return (command:gsub("\\%%", "%%"))
end

function Reader:entry(where, line, comment)
  local cron, command = expression(line, self.dialect)
  if not cron then return self.found:refuse(where, "not read as a schedule and a command: %s", line) end
  if cron == "@reboot" then
    return self.found:refuse(where, "@reboot is no time: a scheduler that is restarted must not run jobs again")
  end
  command = self:command(where, command)
  if not command then return end
  local zone = self:value "CRON_TZ" or self.options.timezone
  if not zone then self.zone_assumed = true end
  self.found:job(name_from(comment, command), {
    cron = cron, args = json.array {command}, timezone = zone or "UTC", overlap = self.dialect.overlap,
    catch_up = "none", cron_dialect = has_day_steps(cron) and self.dialect.days or nil,
  }, shell_template(self:value "SHELL", environment(self.variables), self.options))
end

function Reader:line(number, line, entries)
  local where = ("%s:%d"):format(self.path, number)
  local comment = line:match "^%s*#%s*(.-)%s*$"
  local name, value = line:match "^%s*([%a_][%w_]*)%s*=%s*(.-)%s*$"
  if comment then
    self.comment = comment
  elseif name then
    self:variable(where, name, value)
  elseif line:find "%S" then
    local said = self.comment
    local function read() self:entry(where, line:match "^%s*(.-)%s*$", said) end
    if self.dialect.whole_file then entries[#entries + 1] = read else read() end
    self.comment = nil
  else
    self.comment = nil
  end
end

local function read(kind)
  return function(source, found, options)
    local reader = setmetatable({path = source.path, dialect = dialects[kind], found = found, options = options,
      variables = {}}, Reader)
    local entries, number = {}, 0
    for line in (source.text .. "\n"):gmatch "(.-)\r?\n" do
      number = number + 1
      reader:line(number, line, entries)
    end
    for _, entry in ipairs(entries) do entry() end
    if reader.zone_assumed then
      found:note(source.path, "it follows its machine's time zone: read as UTC; --assume-timezone says another")
    end
  end
end

return setmetatable({of = read}, {__call = function(_, ...) return read "crontab"(...) end})
