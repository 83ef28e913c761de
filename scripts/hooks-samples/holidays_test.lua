local CHRISTMAS <const> = 1798156800 -- 2026-12-25T00:00:00Z

test("a holiday's slot is skipped, with its name as the reason", function()
  local answer = fire{hook = "before_run", slot = CHRISTMAS}
  equal({answer.verdict, answer.reason}, {"skip", "Christmas"})
end)

test("other days, manual runs and jobs for every day go on", function()
  equal(fire{hook = "before_run", slot = CHRISTMAS - 1}, {verdict = "run"})
  equal(fire{hook = "before_run", slot = CHRISTMAS, trigger = "manual"}, {verdict = "run"})
  equal(fire{hook = "before_run", slot = CHRISTMAS, description = "A backup, every day"}, {verdict = "run"})
end)
