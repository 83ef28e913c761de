local function titles()
  local list = {}
  for i, effect in ipairs(effects()) do list[i] = effect.title end
  return list
end

test("many failures in an hour are one alert", function()
  for _ = 1, 3 do fire{hook = "on_failed", job = "backup"} end
  equal(titles(), {"backup failed"})
  equal(store.get("once/backup").more, 2)
end)

test("an hour later the next is told, with how many were not", function()
  store.set("once/backup", {at = clock.now(), more = 2})
  clock.advance(3599)
  fire{hook = "on_failed", job = "backup"}
  equal(titles(), {})
  clock.advance(1)
  fire{hook = "on_failed", job = "backup"}
  equal(titles(), {"backup failed, after 3 more that were not told"})
end)

test("jobs are told apart", function()
  fire{hook = "on_failed", job = "a"}
  fire{hook = "on_failed", job = "b"}
  equal(titles(), {"a failed", "b failed"})
end)
