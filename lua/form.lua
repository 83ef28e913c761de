-- A template as JSON text with gaps, so that a due slot costs a few copies of text instead of a tree: the same bytes
-- as json.encode(template.render(…)), which makes the text, once for each template and each set of things that its
-- jobs and runs say.
local json = require "json"
local template = require "template"

local form = {}

local MARK <const> = "\u{10FFFF}gap " -- stands in a gap while the text is made; a character that nobody has a use for

-- A job's and a run's own, where they say it.
local function values_of(job, run, args)
  local values = template.texts(run)
  values.namespace, values.image, values.main_container = job.namespace, job.image, job.main_container
  values.args = args and json.array(args) or job.args
  return values
end

-- Pieces of text, each but the last followed by the name of what stands between it and the next.
local function split(text)
  local pieces, last = {}, 1
  for piece, name, position in text:gmatch('(.-)"' .. MARK .. '([%a_]+)"()') do
    pieces[#pieces + 1], pieces[#pieces + 2], last = piece, name, position
  end
  pieces[#pieces + 1] = text:sub(last)
  return pieces
end

local function make(manifest, values, retries)
  local gaps = {}
  for name in pairs(values) do gaps[name] = MARK .. name end
  local prepared = template.prepare(manifest, {namespace = gaps.namespace, image = gaps.image, args = gaps.args,
    main_container = gaps.main_container, retries = retries})
  return split(json.encode(template.write(prepared, gaps, {})))
end

local forms = setmetatable({}, {__mode = "k"}) -- of each manifest, by what is said

local function pieces_of(manifest, values, retries)
  local known = forms[manifest]
  if not known then
    known = {}
    forms[manifest] = known
  end
  local said = (values.image and "i" or "-") .. (values.args and "a" or "-") .. (values.main_container and "m" or "-")
    .. (values.last_success and "l" or "-") .. (retries and "r" or "-")
  local pieces = known[said]
  if not pieces then
    pieces = make(manifest, values, retries)
    known[said] = pieces
  end
  return pieces
end

local function quote(value)
  if type(value) == "string" and not value:find "[^%w%-_.:]" then return '"' .. value .. '"' end
  return json.encode(value)
end

-- job: of schedule.load. run and changes: as for template.render.
function form.encode(job, run, changes)
  if changes.env and next(changes.env) then
    return json.encode(template.render(template.of(job), run, changes)) -- other variables: another text
  end
  local values, quoted = values_of(job, run, changes.args), {}
  local pieces, out = pieces_of(job.manifest, values, job.retries), {}
  for i = 1, #pieces - 1, 2 do
    local name = pieces[i + 1]
    quoted[name] = quoted[name] or quote(values[name])
    out[i], out[i + 1] = pieces[i], quoted[name]
  end
  out[#pieces] = pieces[#pieces]
  return table.concat(out)
end

return form
