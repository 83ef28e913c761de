#!/usr/bin/python3
"""Several daemons, and commands to them, on the real API server of $KUBECONFIG. hollow_kubelet.py ends the Pods, so
that a control plane without a node is enough."""

import base64
import json
import os
import signal
import sys
import time

from kubectl import kubectl, new_name
from harness import Daemon, Process, main, never, run_binary, temporary_folder, test, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
LEASE = 15  # seconds
POD = {"apiVersion": "v1", "kind": "Pod", "spec": {
    "nodeSelector": {"kubernetes.io/os": "none"},  # no real kubelet takes them
    "containers": [{"name": "main", "image": "busybox:latest"}]}}
EVERY_SECOND = {"cron": "* * * * * *", "template": "pod.json", "overlap": "allow", "catch_up": "all",
                "history": {"succeeded": 1000}}
HOURLY = {"cron": "0 * * * *", "template": "pod.json", "overlap": "allow"}


def namespace():
    """A new namespace in which Pods end by themselves."""
    where, folder = new_name(), temporary_folder()
    kubectl("create", "namespace", where)
    config = json.loads(kubectl("config", "view", "--minify", "--raw", "-o", "json"))
    cluster, ca = config["clusters"][0]["cluster"], os.path.join(folder, "ca.crt")
    if "certificate-authority" in cluster:
        ca = cluster["certificate-authority"]
    else:
        with open(ca, "wb") as file:
            file.write(base64.b64decode(cluster["certificate-authority-data"]))
    Process([sys.executable, os.path.join(HERE, "hollow_kubelet.py"), "--namespace", where, "--instance", "ha",
             "--token", config["users"][0]["user"]["token"], "--ca", ca, "--longest", "0.5", "--failing", "0",
             cluster["server"]], folder, "hollow_kubelet")
    return where


def start(where, **jobs):
    return Daemon(["run", "--executor", "kubernetes", "--namespace", where, "--instance", "ha"], {
        "schedule.yml": json.dumps({"settings": {"cron_dialect": "standard"}, **(jobs or {"tick": EVERY_SECOND})}),
        "pod.json": json.dumps(POD)})


def pair(where):
    """A leader at work, and one that waits."""
    leader = start(where)
    leader.wait_log("run started", 30)
    standby = start(where)
    standby.wait_log("waiting: another scheduler leads", 30)
    return leader, standby


def command(where, *words, code=0, rest=()):
    done = run_binary([*words, "--executor", "kubernetes", "--namespace", where, "--instance", "ha",
                       *(["--", *rest] if rest else [])], seconds=60)
    assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def pods(where):
    return json.loads(kubectl("-n", where, "get", "pods", "-o", "json"))["items"]


def assert_no_slot_is_missing(where):
    """Names end with the slot, so none can be there twice; none may be left out either."""
    slots = {int(pod["metadata"]["name"].rpartition("-")[2]) for pod in pods(where)}
    missing = set(range(min(slots), max(slots))) - slots
    assert not missing, f"slots without a Pod: {sorted(missing)}"


@test("after SIGTERM the next leads within a second, and no slot is lost", seconds=120)
def _():
    where = namespace()
    leader, standby = pair(where)
    leader.kill(signal.SIGTERM)
    ended = wait_for(lambda: not leader.running() and time.monotonic(), 20, "end of the leader")
    standby.wait_log(" leading ", 10)
    assert time.monotonic() - ended < 1, "the next was late"
    standby.wait_log(r"(?s)(run started.*){3}", 30)
    assert_no_slot_is_missing(where)


@test("after SIGKILL the next leads when the lease is over, and no slot is lost", seconds=150)
def _():
    where = namespace()
    leader, standby = pair(where)
    leader.kill()
    killed = time.monotonic()
    never(lambda: " leading " in standby.log(), LEASE - 5, "the lease was not respected")
    standby.wait_log(" leading ", 30)
    assert time.monotonic() - killed < LEASE + 2, f"taken over after {time.monotonic() - killed:.1f} s"
    standby.wait_log(r"run started .*trigger=catch-up", 30)
    standby.wait_log(r"(?s)(run succeeded.*){20}", 60)
    assert_no_slot_is_missing(where)


@test("a leader that was stopped for longer than its lease ends when it goes on, and no slot is lost", seconds=180)
def _():
    where = namespace()
    leader, standby = pair(where)
    leader.kill(signal.SIGSTOP)
    standby.wait_log("run started", 60)
    leader.kill(signal.SIGCONT)
    assert leader.wait(20) == 1
    assert "another scheduler leads now" in leader.log()
    standby.wait_log(r"(?s)(run succeeded.*){20}", 60)
    assert_no_slot_is_missing(where)


@test("commands go through ConfigMaps, which are gone afterwards", seconds=120)
def _():
    where = namespace()
    daemon = start(where, hourly=HOURLY)
    daemon.wait_log(" ready ", 30)
    command(where, "trigger", "hourly", "--id", "abc", rest=["one"])
    command(where, "trigger", "hourly", "--id", "abc", rest=["one"])
    daemon.wait_log(r"run succeeded job=hourly .*-mabc", 30)
    made = pods(where)
    assert [pod["spec"]["containers"][0]["args"] for pod in made] == [["one"]], made
    daemon.wait_log(r"command job=hourly .*by=\S.*\(kube-scheduler\)", 10)
    command(where, "suspend", "hourly", "--until", "+1h", "--reason", "r")
    assert json.loads(command(where, "jobs", "--format", "json"))[0]["suspended"]["reason"] == "r"
    command(where, "backfill", "hourly", "2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z", "--parallel", "2")
    daemon.wait_log("backfill finished .*done=3 failed=0", 30)
    assert len(json.loads(command(where, "history", "hourly", "--format", "json"))) == 4
    assert "did you mean 'hourly'?" in command(where, "trigger", "hourl", code=1)
    left = kubectl("-n", where, "get", "configmaps", "-l", "kube-scheduler/request", "-o", "name")
    assert left == "", left


main()
