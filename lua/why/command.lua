-- kube-scheduler explain JOB SLOT: why a slot ran, or did not. f(words) -> exit code
local ask = require "ask"
local terminal = require "terminal"

return function(words)
  local options, code = ask.parse({
    name = "explain", usage = "JOB SLOT [options]", most = 2, least = 2, missing = "JOB and SLOT are needed",
    summary = "Says why a slot ran, was skipped or missed, waits, or never was one, from what the scheduler recorded.",
  }, words)
  if not options then return code end

  local slot
  slot, code = ask.time(options, options.words[2], "SLOT")
  if not slot then return code end
  return ask.act(options, {command = "why", job = options.words[1], slot = slot}, function(answer)
    local lines = {answer.text, answer.run and "run " .. answer.run}
    for _, line in ipairs(answer.record and answer.record.log_tail or {}) do
      lines[#lines + 1] = "  | " .. terminal.clean(line)
    end
    return table.concat(lines, "\n")
  end)
end
