-- kube-scheduler import [FILE…]: other schedulers' jobs as a schedule.yml.
local cli = require "cli"
local import = require "import"
local kube = require "kube"
local problems = require "problems"
local schedule = require "schedule"
local sys = require "sys"
local text = require "text"

local options, code = cli.parse({
  name = "import", usage = "FILE… | --live [options]", most = math.huge,
  summary = "Writes a schedule.yml with its templates for CronJobs, crontabs, CronWorkflows or Dkron's jobs, and\n" ..
    "says what changed its meaning. Exit code 1 when something could not be imported.",
  options = {
    {name = "kind", value = table.concat(import.kinds, "|"), choices = import.kinds, help = "default: by content"},
    {name = "out", value = "DIR", help = "where it is written (default: imported); nothing there is overwritten"},
    {name = "assume-timezone", value = "ZONE", help = "of what names none (default: UTC, and that is said)"},
    {name = "image", value = "IMAGE", help = "that runs the commands of crontabs and of Dkron (default: busybox)"},
    {name = "live", help = "the CronJobs of the cluster, of --namespace or of all"},
    {name = "cut-over", help = "with `suspend: true` in each job, for kube-scheduler cut-over"},
    {name = "namespace", value = "NS", help = "with --live: only those in it"},
    {name = "kube-config-path", value = "FILE", help = "kubeconfig file"},
  },
}, arg)
if not options then return code end
options.out = options.out or "imported"
options.image = options.image or "busybox"
options.timezone = options.assume_timezone

local function fail(exit_code, message)
  io.stderr:write("kube-scheduler import: ", message, "\n")
  return exit_code
end

-- Where v1 is not served, v1beta1 is: before Kubernetes 1.21.
local function live()
  local client, message = kube.connect {path = options.kube_config_path}
  if not client then return nil, message end
  local path = options.namespace and "/namespaces/" .. client.escape(options.namespace) or ""
  local reply
  for _, version in ipairs {"v1", "v1beta1"} do
    reply = client:request("GET", ("/apis/batch/%s%s/cronjobs"):format(version, path))
    if reply.status == 200 then return {{path = "cluster", text = reply.body}} end
    if reply.status ~= 404 then break end
  end
  return nil, "the CronJobs cannot be listed: " .. reply.message
end

local function named()
  local files = {}
  for i, path in ipairs(options.words) do
    local content, message = sys.read(path)
    if not content then return nil, message end
    files[i] = {path = path, text = content}
  end
  return files
end

if (#options.words == 0) ~= (options.live == true) then return fail(2, "name files, or give --live") end
if options.live then options.kind = "cronjob" end
local files, message = (options.live and live or named)()
if not files then return fail(1, message) end
local found = import.read(files, options)
local written
written, message = import.write(found, options.out)
if not written then return fail(1, message) end
for _, note in ipairs(found.notes) do io.stderr:write("note: ", note, "\n") end
for _, refusal in ipairs(found.refused) do io.stderr:write("not imported: ", refusal, "\n") end
local plan = schedule.load {dir = options.out, name = "schedule.yml", instance = "kube-scheduler"}
for _, problem in ipairs(plan.problems) do io.stderr:write(problems.format(problem), "\n") end
io.stderr:write(("%s in %s/schedule.yml, %s, %d not imported\n"):format(text.count(found.count, "job"), options.out,
  text.count(#found.notes, "note"), #found.refused))
return #found.refused == 0 and plan.problems:errors() == 0
