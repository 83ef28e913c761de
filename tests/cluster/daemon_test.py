#!/usr/bin/python3
"""The built daemon on the real Kubernetes of $KUBECONFIG: real containers, in a namespace of each test's own."""

import collections
import json
import os
import re
import shutil
import signal
import time

from kubectl import kubectl, new_name
from harness import ROOT, Daemon, Receiver, main, never, temporary_folder, test, wait_for

EVERY_5_S = "*/5 * * * * *"
SLOT, REPORTED = "kube-scheduler/slot", "kube-scheduler/reported"


def namespace():
    """A new namespace that goes with the test."""
    name = new_name()
    kubectl("create", "namespace", name)
    return name


def pods(where):
    return json.loads(kubectl("-n", where, "get", "pods", "-o", "json"))["items"]


def pods_by_slot(where):
    """How many Pods each slot has."""
    return collections.Counter(pod["metadata"]["annotations"][SLOT] for pod in pods(where))


def busybox(script, image="busybox:latest"):
    """A Pod template that runs a shell script."""
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "main", "image": image, "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", script]}]}})


def start(where, job, script, image="busybox:latest", settings=None, folder=None, environment=None, **options):
    """The daemon with one job that runs a shell script."""
    schedule = {"settings": {"cron_dialect": "standard", **(settings or {})},
                job: {"cron": EVERY_5_S, "template": "job.json", **options}}
    files = {} if folder else {"schedule.yml": json.dumps(schedule), "job.json": busybox(script, image)}
    return Daemon(["run", "--executor", "kubernetes", "--namespace", where, "--instance", where],
                  files, environment, folder=folder)


def samples(where, environment=None):
    return Daemon(["run", "--dir", ROOT, "--schedule-name", "schedule.yml.sample", "--executor", "kubernetes",
                   "--namespace", where, "--instance", where], environment=environment)


@test("the sample jobs run in containers, and pi arrives in the log", seconds=90)
def _():
    daemon = samples(namespace())
    for job in ("pi-1000", "pi-2000"):
        daemon.wait_log(rf"output +{job}/pi: 3\.14159265358979", 40)
        daemon.wait_log(rf"run succeeded job={job} .*exit_code=0", 40)


@test("a context with a client certificate works", seconds=60)
def _():
    path = os.path.join(temporary_folder(), "kubeconfig")
    shutil.copy(os.environ["KUBECONFIG"], path)
    kubectl("--kubeconfig", path, "config", "use-context", "test-by-certificate")
    daemon = samples(namespace(), {"KUBECONFIG": path})
    daemon.wait_log(r"run succeeded job=pi-1000", 40)


@test("a failing task is logged with its exit code, and alerted", seconds=60)
def _():
    daemon = start(namespace(), "broken", "echo bad; exit 3")
    daemon.wait_log(r"output +broken/main: bad", 30)
    daemon.wait_log(r"run failed job=broken .*exit_code=3", 30)
    daemon.wait_log(r"alert: .*broken", 10)


@test("an image that cannot be pulled is told at the pending timeout, and its Pod is removed", seconds=200)
def _():
    where, receiver = namespace(), Receiver()
    alerts = {"group_wait": 0, "group_interval": 0, "honeybadger": {"endpoint": receiver.url}}
    settings = {"retention": "1s", "alerts": alerts}
    environment = {"HONEYBADGER_API_KEY": "key", "SSL_CERT_FILE": receiver.ca, "no_proxy": "127.0.0.1"}
    daemon = start(where, "nowhere", "true", image="localhost:1/no-such-image:1", settings=settings,
                   environment=environment, pending_timeout="20s", history={"failed": 0})
    name = wait_for(lambda: pods(where), 60, "a Pod")[0]["metadata"]["name"]
    began = time.monotonic()
    failure = r"outcome=start_failed reason=(ImagePullBackOff|ErrImagePull)"
    daemon.wait_log(rf"run failed job=nowhere run={name} .*{failure}", 60)
    assert time.monotonic() - began < 30, "start_failed came late"
    wait_for(lambda: [entry for entry in receiver.requests("POST") if name in entry["body"]], 30, "its alert")
    wait_for(lambda: name not in [pod["metadata"]["name"] for pod in pods(where)], 120, "end of its Pod")


@test("a slot that meets a running one is skipped", seconds=60)
def _():
    where = namespace()
    daemon = start(where, "slow", "sleep 60")
    daemon.wait_log(r"run started job=slow", 30)
    daemon.wait_log(r"slot skipped job=slow", 15)
    assert len(pods(where)) == 1, pods_by_slot(where)


@test("a killed daemon's run is adopted, reported once, and nothing is made twice", seconds=120)
def _():
    where = namespace()
    first = start(where, "long", "sleep 12; echo over")
    run = first.wait_log(r"run started job=long run=(\S+)", 30).group(1)
    first.kill(signal.SIGKILL)
    first.wait()
    second = start(where, "long", None, folder=first.folder)
    reported = rf"run succeeded job=long run={re.escape(run)} "
    second.wait_log(reported, 40)
    second.wait_log(r"run started job=long run=(?!" + re.escape(run) + ")", 30)
    assert len(re.findall(reported, second.log())) == 1, "reported twice"
    assert max(pods_by_slot(where).values()) == 1, pods_by_slot(where)


@test("SIGTERM ends the daemon within 5 s and leaves the run", seconds=60)
def _():
    where = namespace()
    daemon = start(where, "slow", "sleep 60")
    daemon.wait_log(r"run started job=slow", 30)
    daemon.kill(signal.SIGTERM)
    assert daemon.wait(5) == 0
    never(lambda: len(pods(where)) != 1 or "deletionTimestamp" in pods(where)[0]["metadata"], 3, "the Pod went")


@test("finished objects beyond the history are deleted", seconds=90)
def _():
    where = namespace()
    daemon = start(where, "quick", "true", settings={"retention": "1s"}, history={"succeeded": 1})
    daemon.wait_log(r"(?s)run succeeded.*run succeeded.*run succeeded", 60)

    def reported():
        return sum(pod["metadata"]["annotations"].get(REPORTED) == "true" for pod in pods(where))
    wait_for(lambda: reported() == 1, 20, "only the last success kept")


main()
