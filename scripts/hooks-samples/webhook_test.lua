environment{HOOK_WEBHOOK_URL = "https://chat.example/hook"}

test("a failure is told with the last ten lines", function()
  local tail = {}
  for i = 1, 12 do tail[i] = "line " .. i end
  fire{hook = "on_failed", job = "backup", run = "backup-1", slot_time = "2026-11-24T00:00:00Z", exit_code = 3,
    log_tail = tail}
  local posts = effects()
  equal(#posts, 1)
  equal(posts[1].url, "https://chat.example/hook")
  equal(posts[1].body, '{"text":"backup failed (exit code 3): run backup-1, slot 2026-11-24T00:00:00Z\\n'
    .. table.concat(tail, "\\n", 3) .. '"}')
end)

test("without an exit code the outcome is told", function()
  fire{hook = "on_failed", job = "backup", run = "backup-2", outcome = "lost"}
  equal(effects()[1].body, '{"text":"backup failed (lost): run backup-2, slot 2026-01-01T00:00:00Z"}')
end)
