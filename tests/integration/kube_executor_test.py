#!/usr/bin/python3
"""The Kubernetes executor, driven by kube_executor_driver.c, against the fake API server and its hollow kubelet."""

import json
import os
import time

from harness import ROOT, FakeApi, Process, main, never, test, temporary_folder, wait_for

DRIVER = os.path.join(ROOT, os.environ.get("BUILD", "build"), "tests/integration/kube_executor_driver")
SLOT = 1714557600
PODS = "/api/v1/namespaces/default/pods"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
LABELS = {"app.kubernetes.io/managed-by": "kube-scheduler", "kube-scheduler/instance": "main"}


def metadata(name, **annotations):
    ours = {"kube-scheduler/job-name": "job", "kube-scheduler/slot": "2024-05-01T10:00:00Z", "kube-scheduler/attempt": "1"}
    return {"name": name, "labels": LABELS, "annotations": {**ours, **annotations}}


def pod(name, **annotations):
    spec = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata(name, **annotations), "spec": spec}


def job(name, backoff_limit=0, **annotations):
    template = {"metadata": {"labels": LABELS, "annotations": annotations}, "spec": pod(name)["spec"]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata(name),
            "spec": {"backoffLimit": backoff_limit, "template": template}}


class Driver(Process):
    def __init__(self, api, *namespaces):
        self.api = api
        environment = {**os.environ, "KUBECONFIG": api.kubeconfig}
        super().__init__([DRIVER, "main", "default", *namespaces], temporary_folder(), "driver", environment)
        self.wait_log("^ready")

    def say(self, line):
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def start(self, obj, deadline=60, pending=60, namespace="default"):
        name = obj["metadata"]["name"]
        self.say(f"start {obj['kind'].lower()} {namespace} {name} job {SLOT} {deadline} {pending} {json.dumps(obj)}")

    def events(self, name):
        """Those of one run, without their times, and without its node."""
        words = [line.split(" ") for line in self.log().splitlines()]
        mine = [line for line in words if len(line) > 1 and line[1] == name and line[0] != "placed"]
        return [" ".join(line[:1] if line[0] == "started" else line[:1] + line[2:]) for line in mine]


def name_is_kept(api, plural):
    """Whether one object is left, deleted but for its name."""
    [meta] = [obj["metadata"] for obj in api.objects(plural)]
    return "deletionTimestamp" in meta and meta["finalizers"] == ["kube-scheduler/name"]


def set_up(**settings):
    api = FakeApi()
    api.control("hollow", settings)
    return api, Driver(api)


@test("a Pod: created, followed, reported, deleted")
def _():
    api, driver = set_up()
    driver.start(pod("a", **{"test/log": "one\ntwo"}))
    driver.wait_log("^finished a succeeded 0")
    assert "placed a node-1" in driver.log()
    driver.say("report a")
    driver.wait_log("^reported a")
    assert api.objects("pods")[0]["metadata"]["annotations"]["kube-scheduler/reported"] == "true"
    driver.say("discard a")
    driver.wait_log("^gone a")
    assert driver.events("a") == ["accepted", "started", "line main one", "line main two", "finished succeeded 0 : ",
                                  "reported", "gone"], driver.events("a")
    assert not api.objects("pods")


@test("a namespace without its Role keeps only its own runs waiting, until the Role is there")
def _():
    api = FakeApi()
    api.control("hollow", {})
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    api.fault("answer", path="/namespaces/other/", times=0, status=403, reason="Forbidden", message="pods is forbidden")
    driver = Driver(api, "other")
    assert driver.log().count("trouble other the Jobs in namespace other cannot be listed: pods is forbidden") == 1
    driver.start(pod("a"), namespace="other")
    driver.start(pod("b"))
    driver.wait_log("^finished b succeeded")
    assert "accepted" not in driver.events("a")
    api.request("DELETE", "/_test/fault")
    driver.wait_log("^finished a succeeded", 60)


@test("a Job: its Pods' output, the last one's exit code, deleted with its Pods")
def _():
    api, driver = set_up()
    driver.start(job("j", 1, **{"test/log": "hello", "test/exit-code": "4"}))
    driver.wait_log("^finished j failed 4 Error: container main: exit code 4")
    events = driver.events("j")
    assert events[:2] == ["accepted", "started"] and events[2:4] == ["line main hello"] * 2, events
    driver.say("discard j")
    driver.wait_log("^gone j")
    wait_for(lambda: not api.objects("pods"), 5, "end of its Pods")


@test("a create whose answer is lost is made once")
def _():
    api, driver = set_up()
    api.fault("close-after-commit", method="POST", path=PODS, times=1)
    driver.start(pod("a"))
    driver.wait_log("^finished a succeeded")
    assert len(api.history("pods")) == 1
    assert driver.events("a").count("accepted") == 1


@test("a create is tried again with the same bytes until it succeeds")
def _():
    api, driver = set_up()
    api.fault("answer", method="POST", path=PODS, status=409, reason="Conflict", message="quota")
    api.fault("answer", method="POST", path=PODS, status=403, reason="Forbidden", message="exceeded quota: q")
    api.fault("answer", method="POST", path=PODS, status=503, reason="ServiceUnavailable", message="down")
    driver.start(pod("a"))
    driver.wait_log("^finished a succeeded")
    bodies = [request["body"] for request in api.requests("POST", PODS)]
    assert len(bodies) == 4 and len(set(bodies)) == 1, bodies


@test("a refusal for good is the end")
def _():
    api, driver = set_up()
    api.fault("answer", method="POST", path=PODS, status=403, reason="Forbidden", message="denied the request: no")
    driver.start(pod("a"))
    driver.wait_log("^finished a start_failed -1 WebhookDenied: denied the request: no")
    assert len(api.requests("POST", PODS)) == 1


@test("what is still refused at the start deadline has its own reason")
def _():
    api, driver = set_up()
    quota = 'pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2'
    webhook = 'Internal error occurred: failed calling webhook "w.example.com": context deadline exceeded'
    for name, status, reason, message in (("quota", 403, "Forbidden", quota), ("hook", 500, "InternalError", webhook)):
        api.fault("answer", method="POST", path=PODS, status=status, reason=reason, message=message, times=0)
        driver.start(pod(name), deadline=1)
        wanted = {"quota": "QuotaExceeded", "hook": "WebhookFailed"}[name]
        driver.wait_log(f"^finished {name} start_failed -1 {wanted}: ")
        api.request("DELETE", "/_test/fault")
    api.request("DELETE", "/api/v1/namespaces/default")
    driver.start(pod("late"), deadline=1)
    driver.wait_log("^finished late start_failed -1 NamespaceTerminating: ")
    api.request("DELETE", "/api/v1/namespaces/default")
    driver.start(pod("later"), deadline=1)
    driver.wait_log("^finished later start_failed -1 NamespaceNotFound: ")


@test("a name that somebody else has taken")
def _():
    api, driver = set_up(run_seconds="inf")
    other = pod("a")
    other["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
    other["metadata"]["annotations"] = {}
    api.create(PODS, other)
    driver.start(pod("a"))
    driver.wait_log("^finished a start_failed -1 NameTaken: Pod default/a exists and was made by Helm")
    assert len(api.objects("pods")) == 1


@test("what was deleted while the watch was away is noticed")
def _():
    api, driver = set_up(run_seconds="inf")
    driver.start(pod("a"))
    driver.wait_log("^started a")
    api.fault("answer", method="GET", path=r"/pods\?", status=503, times=2)
    api.fault("close", in_flight=True, path=r"/pods\?.*watch", times=0)
    api.control("compact", {"answer": "http"})
    api.request("DELETE", PODS + "/a?gracePeriodSeconds=0")
    driver.wait_log("^finished a deleted -1 Deleted", 15)


@test("an unpullable image ends at the pending timeout, and its Pod goes", seconds=30)
def _():
    api, driver = set_up()
    driver.start(pod("a", **{"test/waiting-reason": "ImagePullBackOff"}), pending=2)
    driver.wait_log("^finished a start_failed -1 ImagePullBackOff: container main: scripted")
    assert name_is_kept(api, "pods")
    assert api.request("POST", PODS, pod("a"))[0] == 409  # a create that was sent earlier comes late
    driver.say("discard a")
    driver.wait_log("^gone a")
    assert not api.objects("pods")


@test("a stopped run ends as told when it is gone")
def _():
    api, driver = set_up(run_seconds="inf", terminate_seconds=0.3)
    for obj in (pod("a"), job("j")):
        driver.start(obj)
    driver.wait_log("^started a")
    driver.wait_log("^started j")
    driver.say("stop a")
    driver.say("stop j")
    driver.wait_log("^finished a timeout -1 Timeout")
    driver.wait_log("^finished j timeout -1 Timeout")
    assert [obj["metadata"]["name"] for obj in api.objects("pods")] == ["a"]  # not the Job's
    assert name_is_kept(api, "pods") and name_is_kept(api, "jobs")
    for name in "aj":
        driver.say(f"discard {name}")
        driver.wait_log(f"^gone {name}")
    assert not api.objects("pods") and not api.objects("jobs")


@test("a stop that a crash cut short is finished by the next daemon, with its outcome")
def _():
    api, first = set_up(run_seconds="inf")
    for obj in (pod("a"), job("j")):
        first.start(obj)
    first.wait_log("^started a")
    first.wait_log("^started j")
    api.fault("answer", method="DELETE", status=503, times=0)
    first.say("stop a")
    first.say("stop j")
    wait_for(lambda: len(api.requests("DELETE", "/a$")) and len(api.requests("DELETE", "/j$")), 5, "their deletion")
    first.kill()
    api.request("DELETE", "/_test/fault")
    second = Driver(api)
    second.wait_log("^finished a timeout -1 Timeout: ended by the scheduler: Timeout")
    second.wait_log("^finished j timeout -1 Timeout: ended by the scheduler: Timeout")
    second.kill()
    third = Driver(api)
    third.wait_log("^adopted a .*finished=1 reported=0 timeout -1 Timeout")
    third.wait_log("^adopted j .*finished=1 reported=0 timeout -1 Timeout")
    third.say("report a")
    third.say("discard a")
    third.wait_log("^gone a")
    assert not api.objects("pods")


@test("the next daemon adopts what goes on, and prints only new output", seconds=30)
def _():
    api, first = set_up(run_seconds="inf")
    first.start(pod("a"))
    first.start(job("j"))
    first.wait_log("^started a")
    first.wait_log("^started j")
    api.control("log", {"namespace": "default", "name": "a", "container": "main", "text": "early"})
    first.wait_log("^line a main early")
    first.kill()
    time.sleep(2.1)  # log times have whole seconds
    second = Driver(api)
    assert sorted(line for line in second.log().splitlines() if "adopted" in line) == [
        "adopted a started=1 finished=0 reported=0", "adopted j started=1 finished=0 reported=0"], second.log()
    api.control("log", {"namespace": "default", "name": "a", "container": "main", "text": "late"})
    second.wait_log("^line a main late")
    api.control("pod-phase", {"namespace": "default", "name": "a", "phase": "Failed", "exit_code": 3})
    second.wait_log("^finished a failed 3")
    assert second.events("a")[1:] == ["line main late", "finished failed 3 Error: container main: exit code 3"], \
        second.events("a")


@test("what ended while no daemon was there is told with its last lines")
def _():
    api, first = set_up(run_seconds="inf")
    first.start(pod("a"))
    first.wait_log("^started a")
    first.kill()
    text = "".join(f"line {number}\n" for number in range(60))
    api.control("log", {"namespace": "default", "name": "a", "container": "main", "text": text})
    api.control("pod-phase", {"namespace": "default", "name": "a", "phase": "Failed", "exit_code": 3})
    second = Driver(api)
    events = second.events("a")
    assert events[1:3] == ["line main line 10", "line main line 11"] and len(events) == 52, events
    assert events[-1] == "finished failed 3 Error: container main: exit code 3", events[-1]
    third = Driver(api)  # not reported yet
    assert third.events("a")[1:] == events[1:]


@test("a fence: nothing more is created")
def _():
    api, driver = set_up()
    api.fault("answer", method="POST", path=PODS, status=429, times=0, headers={"retry-after": "1"})
    driver.start(pod("a"))
    driver.wait_log("^delayed a")
    driver.say("fence")
    driver.start(pod("b"))
    driver.wait_log("^refused")
    seen = len(api.requests("POST", PODS))
    never(lambda: len(api.requests("POST", PODS)) > seen, 2.5, "a create after the fence")


@test("300 runs at once, each finished once", seconds=60)
def _():
    api, driver = set_up(run_seconds=0.1)
    names = [f"r{number}" for number in range(300)]
    for name in names:
        driver.start(pod(name))
    wait_for(lambda: driver.log().count("\nfinished ") == 300, 45, "end of all runs")
    assert len(api.history("pods")) == 300
    for name in names:
        assert driver.events(name) == ["accepted", "started", "finished succeeded 0 : "], driver.events(name)


main()
