-- kube-scheduler cut-over JOB: a job takes over from its CronJob.
local ask = require "ask"
local cut_over = require "cut_over"

local options, code = ask.parse({
  name = "cut-over", usage = "JOB [--cron-job NS/NAME]", most = 1, least = 1, missing = "which job?",
  summary = "Lets a job of the running scheduler, imported with --cut-over and so suspended, take over from its\n" ..
    "CronJob: suspends that one, resumes the job, runs the slots between the two. None is lost, none runs twice.",
  options = {{name = "cron-job", value = "NS/NAME", help = "default: the job's name, in its namespace"}},
}, arg)
if not options then return code end

local job = options.words[1]
local answer
answer, code = ask.daemon(options, {command = "jobs", job = job})
if not answer then return code end
local row = answer.rows[1]
if not row then return ask.complain(options, 1, "the running scheduler has no job '%s'", job) end
local namespace, name = (options.cron_job or row.namespace .. "/" .. job):match "^([^/]+)/([^/]+)$"
if not name then return ask.complain(options, 2, "--cron-job takes NAMESPACE/NAME") end

local done, message = cut_over.run(options, job, {namespace = namespace, name = name}, function(format, ...)
  ask.complain(options, 0, format, ...)
end)
if done then return true end
return ask.complain(options, 1, "%s; what was done so far stays, and the command can be given again", message)
