-- In which form a command prints: --format, or -o for short, and --watch.
--   output.format("text|json"[, synonyms]) -> the option for a command's list; the first word is the default
--   output.text(options, value, {names=, text=}) -> what to print: value as JSON or YAML, the names one a line, or what
--     text(wide) gives
--   output.show(options, produce) -> exit code     prints produce(); with options.watch again and again
--     produce() -> text; or nil and an exit code, when it has complained
local json = require "json"
local sys = require "sys"
local task = require "task"
local yaml = require "yaml"

local output = {}

local PERIOD <const> = 2 -- seconds between two looks with --watch

-- synonyms: {old word = one of the words}
function output.format(words, synonyms)
  local choices = {}
  for word in words:gmatch "[^|]+" do choices[#choices + 1] = word end
  return {name = "format", aliases = {"o"}, value = words, choices = choices, synonyms = synonyms,
    help = "default: " .. choices[1]}
end

function output.text(options, value, forms)
  local format = options.format
  if format == "json" then return json.encode(value, {indent = true}) .. "\n" end
  if format == "yaml" then return yaml.encode(value) end
  if format ~= "name" then return forms.text(format == "wide") end
  return #forms.names > 0 and table.concat(forms.names, "\n") .. "\n" or ""
end

output.watch = {name = "watch", aliases = {"w"}, help = "print it again when it changes, until interrupted"}

local CLEAR <const> = "\27[H\27[2J"

function output.show(options, produce)
  local tty, last = sys.isatty(1), nil
  repeat
    local text, code = produce()
    if text and text ~= last then
      io.write(options.watch and (tty and CLEAR or last and last ~= "" and "\n") or "", text)
      io.flush()
      last = text
    end
    if not options.watch then return text and true or code end
    if code == 2 then return code end -- nothing that gets better
    task.sleep(PERIOD)
  until false
end

return output
