std = "lua54"
max_line_length = 120
cache = false
files["tests/lua"] = { std = "+busted", max_line_length = 200, ignore = { "122" } }
files["scripts/hooks-samples"] = {
  globals = { "before_run", "on_started", "on_succeeded", "on_failed", "on_attempt_failed", "on_recovered", "on_skipped" },
  read_globals = { "alert", "http", "trigger", "log", "json" },
}
files["tests/sim"] = { globals = { "sim" } }
files["tests/sim/daemon.lua"] = { globals = { "tell", "terminate" } }
