-- Nothing runs on holidays, except jobs whose description says "every day". A calendar in schedule.yml does the same
-- for single jobs (lua/SCHEDULE.md); a hook is for rules that cannot be written as one.
local HOLIDAYS <const> = {["01-01"] = "New Year", ["12-25"] = "Christmas", ["12-26"] = "Boxing Day"}

function before_run(event)
  local holiday = HOLIDAYS[os.date("!%m-%d", event.slot)]
  local always = event.description and event.description:find("every day", 1, true)
  if holiday and not always and event.trigger ~= "manual" then return false, holiday end
end
