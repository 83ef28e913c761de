-- Other schedulers' jobs as a schedule.yml with templates. One file a kind in lua/import/, each a function
-- read(source, found, options) that calls
--   found:job(name, fields, manifest)     fields: of schedule.yml, but template
--   found:note(where, format, …)          what changed its meaning, or was left out, and what to do
--   found:refuse(where, format, …)        what is not imported, and why
-- import.read(files, options) -> found    files: {{path=, text=}, …}; options: {kind=, timezone=, image=}
-- import.write(found, folder) -> true; or nil and why
local json = require "json"
local names = require "names"
local sys = require "sys"
local yaml = require "yaml"

local import = {kinds = {"cronjob", "crontab", "supercronic", "argo", "dkron"}}

local Found = {}
Found.__index = Found

function Found:note(where, format, ...) self.notes[#self.notes + 1] = where .. ": " .. format:format(...) end

function Found:refuse(where, format, ...) self.refused[#self.refused + 1] = where .. ": " .. format:format(...) end

-- A template that says the same is shared.
local function template_file(self, name, manifest)
  local text = yaml.encode(manifest)
  local file = self.by_text[text]
  if not file then
    file = names.slug(name) .. ".yml"
    for n = 2, math.huge do
      if not self.templates[file] and file ~= "schedule.yml" then break end
      file = ("%s-%d.yml"):format(names.slug(name), n)
    end
    self.by_text[text], self.templates[file] = file, text
  end
  return file
end

local function free_name(self, wanted)
  local name, n = wanted, 2
  while self.jobs[name] or name == "settings" do name, n = ("%s-%d"):format(wanted, n), n + 1 end
  return name
end

function Found:job(wanted, fields, manifest)
  local name = free_name(self, wanted)
  if name ~= wanted then self:note(name, "there are several '%s': this is one more", wanted) end
  fields.template = template_file(self, name, manifest)
  self.jobs[name], self.count = fields, self.count + 1
end

local function by_content(text)
  if text:find "kind:%s*CronWorkflow" or text:find '"kind":%s*"CronWorkflow"' then return "argo" end
  if text:find "kind:%s*CronJob" or text:find '"kind":%s*"CronJob' then return "cronjob" end
  if text:find '^%s*%[' and text:find '"schedule"' then return "dkron" end
  return "crontab"
end

-- The objects of a file with Kubernetes manifests: several documents, lists, or one. nil and what is wrong with it.
function import.objects(text)
  local out = {}
  for document in (text .. "\n---\n"):gmatch "(.-)\n%-%-%-[^\n]*\n" do
    local value, mistake = yaml.parse(document)
    if mistake then return nil, ("line %d: %s"):format(mistake.line or 1, mistake.message) end
    if type(value) == "table" and json.is_array(value.items) then
      table.move(value.items, 1, #value.items, #out + 1, out)
    elseif type(value) == "table" then
      out[#out + 1] = value
    end
  end
  return out
end

function import.read(files, options)
  local found = setmetatable({jobs = {}, count = 0, templates = {}, by_text = {}, notes = {}, refused = {}}, Found)
  for _, file in ipairs(files) do
    local kind = options.kind or by_content(file.text)
    require("import." .. kind)({path = file.path, text = file.text}, found, options)
  end
  return found
end

local HEAD <const> = "# Imported. `kube-scheduler check` reads it, `kube-scheduler simulate` shows what it would do.\n"

local function write_file(path, text)
  local file, message = io.open(path, "w")
  if not file then return nil, message end
  local done
  done, message = file:write(text)
  local closed, why = file:close()
  if not done or not closed then return nil, ("%s: %s"):format(path, message or why) end
  return true
end

function import.write(found, folder)
  local made, message = sys.mkdir(folder)
  if not made then return nil, message end
  local text = HEAD .. yaml.encode {settings = {cron_dialect = "standard"}}
  local sorted = {}
  for name in pairs(found.jobs) do sorted[#sorted + 1] = name end
  table.sort(sorted)
  for _, name in ipairs(sorted) do text = text .. yaml.encode {[name] = found.jobs[name]} end
  local files = {["schedule.yml"] = text}
  for file, content in pairs(found.templates) do files[file] = content end
  for file in pairs(files) do
    local path = folder .. "/" .. file
    if sys.kind(path) then return nil, path .. " is there already: name another folder by --out" end
  end
  for file, content in pairs(files) do
    made, message = write_file(folder .. "/" .. file, content)
    if not made then return nil, message end
  end
  return true
end

return import
