#!/usr/bin/python3
"""Hooks in a running daemon: each is told of what it is for, what they keep lasts, and none of those that misbehave costs
a slot. The machine may be ten times slower."""

import json
import os
import re

from harness import ROOT, Daemon, FakeApi, main, run_binary, temporary_folder, test, wait_for

SECONDS = 120
LOCAL = ["run", "--executor", "local", "--state-dir", "state"]
POD = json.dumps({"apiVersion": "v1", "kind": "Pod",
                  "spec": {"containers": [{"name": "main", "image": "none", "command": ["sh", "-c"], "args": ["true"]}]}})
TICK = {"cron": "* * * * * *", "template": "pod.yml", "overlap": "allow", "catch_up": "all"}
COUNTER = """
function before_run(event)
  store.set("runs", (store.get "runs" or 0) + 1)
  print("count " .. store.get "runs")
end
"""


def schedule(jobs, **settings):
    return json.dumps({"settings": {"cron_dialect": "standard", **settings}, **jobs})


def counts(daemon):
    return [int(number) for number in re.findall(r" count (\d+)", daemon.log())]


def count_on(files, arguments, api=None):
    """A daemon that counts its runs, ended by SIGTERM, and another that must go on counting."""
    first = Daemon(arguments, files, api=api)
    wait_for(lambda: len(counts(first)) >= 3, SECONDS, "three runs")
    assert first.stop(30) == 0
    seen = counts(first)
    assert seen == list(range(1, len(seen) + 1)), seen
    second = Daemon(arguments, folder=first.folder, api=api)
    wait_for(lambda: len(counts(second)) >= 2, SECONDS, "two more runs")
    assert counts(second)[0] == seen[-1] + 1, (seen, counts(second))
    second.kill()  # loses a second of it at most
    second.wait()
    return seen[-1] + 1, second


FILES = {"schedule.yml": schedule({"tick": TICK}), "pod.yml": POD, "hooks/counter.lua": COUNTER}


@test("what hooks keep outlives the daemon: in SQLite", SECONDS)
def _():
    least, daemon = count_on(FILES, LOCAL)
    third = Daemon(LOCAL, folder=daemon.folder)
    wait_for(lambda: counts(third), SECONDS, "a run")
    assert counts(third)[0] > least, (least, counts(third))


@test("what hooks keep outlives the daemon: in a ConfigMap", SECONDS)
def _():
    api = FakeApi()
    api.control("hollow", {"run_seconds": 0.1})
    count_on(FILES, ["run", "--executor", "kubernetes"], api)
    [state] = [obj for obj in api.objects("configmaps") if obj["metadata"]["name"] == "kube-scheduler-state"]
    assert int(json.loads(state["data"]["hooks"])["runs"]) > 3, state


def folder(files):
    path = temporary_folder()
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        with open(os.path.join(path, name), "w") as file:
            file.write(text)
    return path


@test("test runs the samples' tests", 60)
def _():
    done = run_binary(["test", os.path.join(ROOT, "scripts/hooks-samples")], 50)
    assert done.returncode == 0 and not done.stderr, done
    samples = {name.split("_")[0] for name in os.listdir(os.path.join(ROOT, "scripts/hooks-samples"))}
    for name in samples:
        assert re.search(rf"^ok \d+ - {name.removesuffix('.lua')}_test\.lua: ", done.stdout, re.M), (name, done.stdout)


TESTED = """
local url = os.getenv "HOOK_URL"
function on_failed(event)
  if event.job == "broken" then error "on purpose" end
  local answer = http.request{url = url}
  alert{title = event.job .. " failed", message = os.date("!%F %T") .. " " .. (answer and answer.body or "no answer")}
  store.set("told", event.id)
end
"""
GOOD = """
environment{HOOK_URL = "http://gate/"}
test("good", function()
  clock.set "2026-12-24T08:00:00Z"
  clock.advance(1)
  answers(function(request) return {status = 200, headers = {}, body = request.url} end)
  fire{hook = "on_failed", job = "a"}
  equal(effects(), {{kind = "alert", title = "a failed", message = "2026-12-24 08:00:01 http://gate/"}})
  equal(store.get "told", "default/a-1798099201/failed")
  equal(effects(), {})
end)
test("anew", function() equal(store.get "told", nil) end)
"""
BAD = """
environment{HOOK_URL = "http://gate/"}
test("differs", function()
  fire{hook = "on_failed", job = "a"}
  equal(effects(), {{kind = "alert", title = "b failed", message = "2026-01-01 00:00:00 no answer"}})
end)
test("fails", function() fire{hook = "on_failed", job = "broken"} end)
test("misspelt", function() fire{hook = "on_fialed"} end)
test("field", function()
  fire{hook = "on_failed", jbo = "a"}
end)
"""


@test("test shows what differs and what failed, at its place", 60)
def _():
    done = run_binary(["test"], 50, cwd=folder({"hooks/a.lua": TESTED, "hooks/a_test.lua": GOOD, "hooks/z_test.lua": BAD,
                                                "hooks/y_test.lua": "test(", "hooks/b.lua": "x = 1"}))
    assert done.returncode == 1, done
    for wanted in (r"^ok 1 - a_test\.lua: good$", r"^ok 2 - a_test\.lua: anew$",
                   r"^not ok 3 - y_test\.lua: loads\n# hooks/y_test\.lua:1: ", r"^not ok 4 - z_test\.lua: differs$",
                   r"^# b\.lua:1: 'x' is not declared", r"^1\.\.7$"):
        assert re.search(wanted, done.stdout, re.M), (wanted, done.stdout)
    done = run_binary(["test", "."], 50, cwd=folder({"./a.lua": TESTED, "./a_test.lua": BAD}))
    assert done.returncode == 1, done
    for wanted in (r'^# \./a_test\.lua:5: \[1\]\.title is "a failed" and not "b failed"$', r"^# a\.lua:4: on purpose$",
                   r"^# .*there is no hook 'on_fialed'; did you mean on_failed\?$",
                   r"^# \./a_test\.lua:10: an event has no field 'jbo'; did you mean job\?$"):
        assert re.search(wanted, done.stdout, re.M), (wanted, done.stdout)
    empty = run_binary(["test", "."], 50, cwd=folder({"./a.lua": ""}))
    assert empty.returncode == 1 and "no test" in empty.stderr, empty


@test("what a daemon records goes through hooks again, and nothing is done", SECONDS)
def _():
    files = {"schedule.yml": schedule({"tick": TICK}), "pod.yml": POD}
    daemon = Daemon([*LOCAL, "--record", "events"], files)
    wait_for(lambda: daemon.log().count("run succeeded") >= 2, SECONDS, "two runs")
    daemon.stop(30)
    records = [json.loads(line) for line in open(os.path.join(daemon.folder, "events"))]
    told = {record["hook"] for record in records}
    assert told >= {"on_leader", "before_run", "before_create", "on_started", "on_succeeded"}, told
    hooks = """
    function before_run(event) return false, "at " .. os.time() - event.slot end
    function on_succeeded(event) alert{title = event.job .. " " .. event.exit_code} error_for = nil end
    function on_started(event) alert{title = "started " .. event.trigger} store.set("n", 1) end
    """
    daemon.write("later/a.lua", hooks.replace("error_for = nil", ""))
    done = run_binary(["replay", "events", "--hooks", "later"], 60, cwd=daemon.folder)
    assert done.returncode == 0, done
    for wanted in (r"^\S+Z before_run tick\n  answer: .*at [0-9]", r'on_succeeded tick\n  \{kind = "alert", title = "tick 0"\}',
                   r'kind = "alert", title = "started schedule"', r'key = "n", kind = "store.set", text = "1"'):
        assert re.search(wanted, done.stdout, re.M), (wanted, done.stdout)
    daemon.write("later/a.lua", hooks)
    done = run_binary(["replay", "events", "--hooks", "later"], 60, cwd=daemon.folder)
    assert done.returncode == 1 and re.search(r"^  failed: .*a\.lua:3: .*error_for", done.stdout, re.M), done


@test("a record on a full disk costs a log line", SECONDS)
def _():
    daemon = Daemon([*LOCAL, "--record", "/dev/full"], {"schedule.yml": schedule({"tick": TICK}), "pod.yml": POD})
    daemon.wait_log(r"events are recorded no more error=.*No space left.* file=/dev/full", SECONDS)
    wait_for(lambda: daemon.log().count("run succeeded") >= 2, SECONDS, "two runs")
    assert daemon.log().count("recorded no more") == 1


main()
