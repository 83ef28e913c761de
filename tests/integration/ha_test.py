#!/usr/bin/python3
"""Several daemons and one API server: who leads, who takes over, and one object for each slot throughout."""

import collections
import json
import signal
import time

from fake_clients import LEASES
from harness import Daemon, FakeApi, main, never, test, wait_for

LEASE = 15  # seconds
POD = json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "main", "image": "busybox"}]}})


def schedule(instance):
    return json.dumps({"settings": {"cron_dialect": "standard"}, f"tick-{instance}": {
        "cron": "* * * * * *", "template": "pod.json", "overlap": "allow", "catch_up": "all"}})


def server():
    api = FakeApi()
    api.control("hollow", {"run_seconds": 0.1})
    return api


def start(api, instance="ha"):
    return Daemon(["run", "--executor", "kubernetes", "--instance", instance],
                  {"schedule.yml": schedule(instance), "pod.json": POD}, api=api)


def pair(api):
    """A leader at work, and one that waits."""
    leader = start(api)
    leader.wait_log("run started", 20)
    standby = start(api)
    standby.wait_log("waiting: another scheduler leads", 20)
    return leader, standby


def lease(api, name="ha-jobs"):
    return api.request("GET", f"{LEASES}/{name}")[1]


def assert_each_slot_once(api, instance="ha"):
    """No slot twice, and none left out between the first and the last. A Pod's name ends with its slot."""
    slots = collections.Counter(int(change["name"].rpartition("-")[2]) for change in api.history("pods")
                                if change["name"].startswith(f"tick-{instance}-"))
    assert max(slots.values()) == 1, f"made twice: {[slot for slot, count in slots.items() if count > 1]}"
    missing = set(range(min(slots), max(slots))) - set(slots)
    assert not missing, f"{len(missing)} slots without a Pod: {sorted(missing)}"


@test("after SIGTERM the next leads within a second", seconds=90)
def _():
    api = server()
    leader, standby = pair(api)
    leader.kill(signal.SIGTERM)
    ended = wait_for(lambda: not leader.running() and time.monotonic(), 20, "end of the leader")
    standby.wait_log(r" leading ", 5)
    assert time.monotonic() - ended < 1, "the next was late"
    standby.wait_log("run started", 20)
    assert_each_slot_once(api)


@test("after SIGKILL the next leads when the lease is over, not earlier", seconds=120)
def _():
    api = server()
    leader, standby = pair(api)
    leader.kill()
    killed = time.monotonic()
    never(lambda: " leading " in standby.log(), LEASE - 5, "the lease was not respected")
    standby.wait_log(r" leading ", 30)
    assert time.monotonic() - killed < LEASE + 2, f"taken over after {time.monotonic() - killed:.1f} s"
    standby.wait_log(r"run started .*trigger=catch-up", 20)
    assert_each_slot_once(api)


@test("a leader that was stopped for longer than its lease creates nothing when it goes on, and ends", seconds=150)
def _():
    api = server()
    leader, standby = pair(api)
    holder = lease(api)["spec"]["holderIdentity"]
    leader.kill(signal.SIGSTOP)
    standby.wait_log(r"run started", 40)
    assert lease(api)["spec"]["holderIdentity"] != holder
    before = len(api.requests("POST", r"/pods$"))
    leader.kill(signal.SIGCONT)
    leader.wait_log("another scheduler leads now", 20)
    assert leader.wait(20) == 1
    made = [request["connection"] for request in api.requests("POST", r"/pods$")[before:]]
    assert len(set(made)) <= 1, "two daemons sent creates"
    standby.wait_log(r"(?s)(run started.*){3}", 20)
    assert_each_slot_once(api)


@test("the lease reads like client-go's", seconds=60)
def _():
    api = server()
    leader, standby = pair(api)
    first = lease(api)["spec"]
    assert first["leaseDurationSeconds"] == LEASE and first["leaseTransitions"] == 1, first
    for field in ("renewTime", "acquireTime"):
        time.strptime(first[field], "%Y-%m-%dT%H:%M:%S.%fZ")
    leader.kill(signal.SIGTERM)
    standby.wait_log(r" leading ", 20)
    wait_for(lambda: lease(api)["spec"]["leaseTransitions"] == 2, 10, "a transition")


@test("a lease given up as client-go does, or not renewed by it, is taken", seconds=60)
def _():
    api = server()
    api.create(LEASES, {"metadata": {"name": "ha-jobs", "annotations": {"kube-scheduler/instance": "ha"}},
                        "spec": {"holderIdentity": "other", "leaseDurationSeconds": 3, "leaseTransitions": 7,
                                 "renewTime": "2026-11-24T08:00:00.123456Z"}})
    daemon = start(api)
    daemon.wait_log(" leading ", 20)
    assert lease(api)["spec"]["leaseTransitions"] == 8


@test("a lease of somebody else's is refused and left alone", seconds=60)
def _():
    api = server()
    api.create(LEASES, {"metadata": {"name": "ha-jobs"}, "spec": {"holderIdentity": "other"}})
    daemon = start(api)
    assert daemon.wait(20) == 1
    assert "belongs to other" in daemon.log(), "no reason given"
    assert lease(api)["spec"] == {"holderIdentity": "other"}


@test("a deleted lease ends its holder, also when it was made again", seconds=60)
def _():
    api = server()
    daemon = start(api)
    daemon.wait_log("run started", 20)
    made = lease(api)
    assert api.request("DELETE", f"{LEASES}/ha-jobs")[0] == 200
    api.create(LEASES, {"metadata": {"name": "ha-jobs", "annotations": made["metadata"]["annotations"]},
                        "spec": {"holderIdentity": "other", "leaseDurationSeconds": LEASE}})
    assert daemon.wait(20) == 1
    assert lease(api)["spec"]["holderIdentity"] == "other"


@test("two instances in one namespace leave each other alone", seconds=90)
def _():
    api = server()
    one, two = start(api, "one"), start(api, "two")
    for daemon in (one, two):
        daemon.wait_log(r"(?s)(run succeeded.*){3}", 30)
    for name in ("one", "two"):
        assert_each_slot_once(api, name)
    one.kill(signal.SIGTERM)
    assert one.wait(20) == 0
    two.wait_log(rf"(?s)(run succeeded.*){{{two.log().count('run succeeded') + 2}}}", 30)
    assert lease(api, "one-jobs")["spec"]["holderIdentity"] == ""
    owners = {pod["metadata"]["labels"]["kube-scheduler/instance"] for pod in api.objects("pods")}
    assert owners == {"one", "two"}, owners


main()
