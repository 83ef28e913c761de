#!/usr/bin/python3
"""The fake API server by itself: Kubernetes' semantics and both protocols."""

import http.client
import json
import ssl

from fake_clients import JOBS, LEASES, MAPS, PODS, Client2, Lines, config_map, job, pod
from harness import FakeApi, main, test, wait_for


@test("create, get, name taken, not found")
def _():
    api = FakeApi()
    made = api.create(PODS, pod("a"))
    assert made["metadata"]["uid"] and made["status"]["phase"] == "Pending" and made["kind"] == "Pod"
    assert api.request("GET", PODS + "/a") == (200, made)
    status, answer = api.request("POST", PODS, pod("a"))
    assert (status, answer["reason"], answer["details"]["name"]) == (409, "AlreadyExists", "a")
    status, answer = api.request("GET", PODS + "/b")
    assert (status, answer["reason"], answer["message"]) == (404, "NotFound", 'pods "b" not found')
    assert api.request("POST", "/api/v1/namespaces/none/pods", pod("a"))[1]["details"]["kind"] == "namespaces"
    assert api.create(MAPS, {"metadata": {"generateName": "x-"}})["metadata"]["name"].startswith("x-")


@test("what the real server refuses is refused")
def _():
    api = FakeApi()
    for status, path, body in [
            (422, PODS, pod("Bad_Name")), (422, PODS, pod("a", {"k": "x" * 64})), (422, PODS, pod("a", containers=[])),
            (400, PODS, pod("a", containers=[{"name": "c", "image": "i", "args": {}}])), (400, PODS, "no JSON"),
            (422, JOBS, {"metadata": {"name": "a"}, "spec": {"template": pod("a", restartPolicy="Always")}}),
            (400, JOBS, {**job("a"), "kind": "Pod"}), (413, MAPS, "x" * (3 << 20) + "x"),
            (400, MAPS, config_map("a", k=1)),
            (405, PODS + "/a", {}), (404, "/api/v1/namespaces/default/unknown", {})]:
        assert api.request("POST", path, body)[0] == status, (status, body)
    assert api.request("GET", PODS, headers={"authorization": "Bearer wrong"})[0] == 401
    api.control("deny", [{"verb": "create", "resource": "jobs"}])
    assert api.request("POST", JOBS, job("a"))[1]["reason"] == "Forbidden"
    assert api.request("GET", JOBS)[0] == 200
    review = {"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": {"verb": "create", "resource": "jobs"}}}
    assert not api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)["status"]["allowed"]


@test("put fences by resourceVersion, patch merges, nothing changes without a change")
def _():
    api = FakeApi()
    lease = api.create(LEASES, {"metadata": {"name": "l"}, "spec": {"holderIdentity": "a"}})
    newer = {**lease, "spec": {"holderIdentity": "b"}}
    status, put = api.request("PUT", LEASES + "/l", newer)
    assert status == 200 and int(put["metadata"]["resourceVersion"]) > int(lease["metadata"]["resourceVersion"])
    assert api.request("PUT", LEASES + "/l", newer)[1]["reason"] == "Conflict"
    assert api.request("PUT", LEASES + "/l", {"metadata": {"name": "l"}})[0] == 422
    api.request("DELETE", LEASES + "/l")
    assert api.request("PUT", LEASES + "/l", put)[0] == 409  # by its uid; without one a PUT makes a new Lease
    del put["metadata"]["uid"]
    assert api.request("PUT", LEASES + "/l", put)[0] == 201
    assert api.request("PUT", MAPS + "/m", config_map("m"))[0] == 404
    api.create(MAPS, config_map("m", a="1", b="2"))
    merge = {"content-type": "application/merge-patch+json"}
    status, patched = api.request("PATCH", MAPS + "/m", {"data": {"a": None, "c": "3"}}, merge)
    assert patched["data"] == {"b": "2", "c": "3"}
    assert api.request("PATCH", MAPS + "/m", {"data": {"c": "3"}}, merge)[1] == patched
    assert api.request("PATCH", MAPS + "/m", {}, {"content-type": "text/plain"})[0] == 415
    api.create(PODS, pod("p"))
    failed = {"status": {"phase": "Failed"}}
    assert api.request("PATCH", PODS + "/p", failed, merge)[1]["status"]["phase"] == "Pending"
    assert api.request("PATCH", PODS + "/p/status", failed, merge)[1]["status"]["phase"] == "Failed"


@test("lists: selectors, pages that stay consistent, bare items")
def _():
    api = FakeApi()
    for name, label in (("a", "x"), ("b", "y"), ("c", "x")):
        api.create(PODS, pod(name, {"l": label}))

    def names(query):
        return [item["metadata"]["name"] for item in api.request("GET", PODS + query)[1]["items"]]
    assert names("?labelSelector=l%3Dx") == names("?labelSelector=l+notin+(y),l") == ["a", "c"]
    assert names("?labelSelector=l!%3Dx,!m") == ["b"] and names("?labelSelector=m") == []
    assert names("?fieldSelector=metadata.name%3Db") == ["b"]
    for query in ("?labelSelector=((", "?fieldSelector=spec.priority%3D1"):
        assert api.request("GET", PODS + query)[0] == 400
    page = api.request("GET", PODS + "?limit=2")[1]
    api.request("DELETE", PODS + "/c")
    rest = "?limit=2&continue=" + page["metadata"]["continue"]
    assert [len(page["items"]), names(rest)] == [2, ["c"]] and "kind" not in page["items"][0]
    api.control("compact", {})
    assert api.request("GET", PODS + rest)[0] == 410


@test("watch: from a version, through a selector, bookmarks, its end")
def _():
    api = FakeApi()
    version = api.create(PODS, pod("a", {"l": "x"}))["metadata"]["resourceVersion"]
    api.create(PODS, pod("b"))
    merge = {"content-type": "application/merge-patch+json"}
    watch = Lines(api, PODS + f"?watch=1&labelSelector=l%3Dx&resourceVersion={version}")
    api.request("PATCH", PODS + "/b", {"metadata": {"labels": {"l": "x"}}}, merge)
    api.request("PATCH", PODS + "/a", {"metadata": {"labels": {"l": None}}}, merge)
    api.request("DELETE", PODS + "/b")
    assert watch.names(3) == [("ADDED", "b"), ("DELETED", "a"), ("DELETED", "b")]
    watch = Lines(api, "/api/v1/pods?watch=true&allowWatchBookmarks=true&timeoutSeconds=1")
    assert watch.names(1) == [("ADDED", "a")]
    api.control("bookmarks", {})
    kind, mark = watch.event()
    assert (kind, mark["kind"]) == ("BOOKMARK", "Pod") and int(mark["metadata"]["resourceVersion"]) > int(version)
    assert watch.event()[0] == "BOOKMARK" and watch.rest() == (b"", "whole")  # a last one before its end


@test("watch from a forgotten version: 410 as an event, and as HTTP")
def _():
    api = FakeApi()
    version = api.create(PODS, pod("a"))["metadata"]["resourceVersion"]
    going_on = Lines(api, f"{PODS}?watch=1&resourceVersion={version}")
    api.control("compact", {})
    kind, status = Lines(api, f"{PODS}?watch=1&resourceVersion={version}").event()
    assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
    api.control("compact", {"answer": "http"})
    assert api.request("GET", f"{PODS}?watch=1&resourceVersion={version}")[0] == 410
    api.request("DELETE", PODS + "/a")
    assert going_on.names(1) == [("DELETED", "a")]


@test("the hollow kubelet runs a Pod and its log can be followed")
def _():
    api = FakeApi()
    api.control("hollow", {"run_seconds": 0.3, "log": "one\ntwo"})
    api.create(PODS, pod("a", annotations={"test/exit-code": "3", "test/reason": "OOMKilled"}))
    watch = Lines(api, PODS + "?watch=1&fieldSelector=metadata.name%3Da")
    phases = []
    while not phases or phases[-1] != "Failed":
        phases.append(watch.event()[1]["status"]["phase"])
        if phases[-1] == "Running" and "follow" not in locals():
            follow = Lines(api, PODS + "/a/log?follow=true&timestamps=true")
    assert [phase for i, phase in enumerate(phases) if phase not in phases[:i]] == ["Pending", "Running", "Failed"]
    assert [follow.line().split()[1] for _ in range(2)] == [b"one", b"two"] and follow.line() == b""
    ended = api.request("GET", PODS + "/a")[1]["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "OOMKilled")
    assert api.request("GET", PODS + "/a/log?tailLines=1")[1] == "two\n"
    api.create(PODS, pod("b", annotations={"test/waiting-reason": "ImagePullBackOff"}))
    wait_for(lambda: "ImagePullBackOff" in json.dumps(api.request("GET", PODS + "/b")), 2, "waiting reason")
    assert api.request("GET", PODS + "/b/log")[0] == 400
    api.create(PODS, pod("c", annotations={"test/run-seconds": "inf"}))
    wait_for(lambda: api.request("GET", PODS + "/c")[1]["status"]["phase"] == "Running", 2, "running Pod")
    assert api.request("DELETE", PODS + "/c")[1]["metadata"]["deletionTimestamp"]
    wait_for(lambda: api.request("GET", PODS + "/c")[0] == 404, 2, "end of the deleted Pod")


@test("the Job controller: complete, back-off limit, deadline, propagation")
def _():
    api = FakeApi()
    api.control("hollow", {"run_seconds": 0.05})
    api.create(JOBS, job("good"))
    api.create(JOBS, job("bad", {"test/exit-code": "1"}, backoffLimit=1))
    api.create(JOBS, job("long", {"test/run-seconds": "inf"}, activeDeadlineSeconds=0.3))

    def condition(name):
        found = api.request("GET", f"{JOBS}/{name}")[1]["status"].get("conditions", [{}])[0]
        return found.get("type"), found.get("reason")
    wait_for(lambda: condition("good") == ("Complete", None), 3, "Complete")
    wait_for(lambda: condition("bad") == ("Failed", "BackoffLimitExceeded"), 3, "BackoffLimitExceeded")
    wait_for(lambda: condition("long") == ("Failed", "DeadlineExceeded"), 3, "DeadlineExceeded")

    def pods_of(name):
        return [pod for pod in api.objects("pods") if pod["metadata"]["labels"]["job-name"] == name]
    assert [len(pods_of("good")), len(pods_of("bad"))] == [1, 2]
    api.request("DELETE", JOBS + "/good")
    api.request("DELETE", JOBS + "/bad?propagationPolicy=Background")
    assert [len(pods_of("good")), len(pods_of("bad"))] == [1, 0]
    policies = [change["options"].get("propagationPolicy") for change in api.history("jobs", "DELETED")]
    assert policies == [None, "Background"]


@test("a namespace that terminates refuses, preconditions fence a deletion")
def _():
    api = FakeApi()
    api.create("/api/v1/namespaces", {"metadata": {"name": "n"}})
    api.request("DELETE", "/api/v1/namespaces/n")
    status, answer = api.request("POST", "/api/v1/namespaces/n/pods", pod("a"))
    assert (status, answer["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    api.create(PODS, pod("a"))
    assert api.request("DELETE", PODS + "/a", {"preconditions": {"uid": "other"}})[0] == 409
    assert api.request("GET", PODS + "/a")[0] == 200


@test("HTTP/2: many streams, large bodies and answers, request log")
def _():
    api = FakeApi("--max-streams", "7")
    client = Client2(api)
    assert client.get("POST", MAPS, config_map("large", text="x" * 3_000_000))[0] == 422
    assert client.h2.remote_settings.max_concurrent_streams == 7
    for number in range(20):
        assert client.get("POST", MAPS, config_map(f"m{number}", text="x" * 10_000))[0] == 201
    streams = [client.ask("GET", MAPS) for _ in range(3)]
    client.until(lambda: client.ended.issuperset(streams))
    assert all(len(json.loads(client.bodies[stream])["items"]) == 20 for stream in streams)
    log = api.requests("GET", "configmaps")
    assert [entry["stream"] for entry in log] == streams and len({entry["connection"] for entry in log}) == 1
    assert len({entry["body_sha256"] for entry in api.requests("POST", "configmaps")}) == 21


@test("TLS: HTTP/2 by ALPN, HTTP/1.1, client certificate instead of a token")
def _():
    api = FakeApi(tls=True)
    assert Client2(api).get("GET", "/version")[0] == 200
    assert api.request("GET", "/readyz") == (200, "ok")
    context = ssl.create_default_context(cafile=api.ca)
    context.load_cert_chain(f"{api.tls}/client.crt", f"{api.tls}/client.key")
    connection = http.client.HTTPSConnection("localhost", api.port, context=context, timeout=5)
    connection.request("GET", PODS)
    assert connection.getresponse().status == 200
    with open(api.kubeconfig) as file:
        cluster = json.load(file)["clusters"][0]["cluster"]
    assert cluster == {"server": api.url, "certificate-authority": api.ca}


main()
