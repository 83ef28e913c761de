std = "lua54"
max_line_length = 120
cache = false
files["tests/lua"] = { std = "+busted", max_line_length = 200, ignore = { "122" } }
files["scripts/hooks-samples"] = {
  globals = { "before_run", "before_create", "on_failed", "on_attempt_failed" },
  read_globals = { "alert", "http", "store",
    "test", "fire", "effects", "equal", "clock", "answers", "environment" }, -- of kube-scheduler test
}
files["tests/sim"] = { globals = { "sim" } }
files["tests/sim/daemon.lua"] = { globals = { "tell", "terminate" } }
