#!/usr/bin/python3
"""Hooks in a running daemon: each is told of what it is for, what they keep lasts, and none of those that misbehave costs
a slot. The machine may be ten times slower."""

import json
import re

from harness import Daemon, FakeApi, main, test, wait_for

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


main()
