#!/usr/bin/python3
"""The fake API server by itself: Kubernetes' semantics, both protocols, every fault."""

import email.utils
import http.client
import json
import socket
import ssl
import time

import h2.config
import h2.connection
import h2.events
from hyperframe.frame import GoAwayFrame

from harness import FakeApi, main, test, wait_for

PODS = "/api/v1/namespaces/default/pods"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
MAPS = "/api/v1/namespaces/default/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
TOKEN = {"authorization": "Bearer secret-token"}
LOST = (http.client.HTTPException, ConnectionError, EOFError)


def pod(name, labels=None, annotations=None, **spec):
    return {"metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}], **spec}}


def job(name, annotations=None, **spec):
    return {"metadata": {"name": name}, "spec": {"template": pod(name, annotations=annotations), **spec}}


def config_map(name, **data):
    return {"metadata": {"name": name}, "data": data}


class Lines:
    """A streamed answer over HTTP/1.1, line by line."""

    def __init__(self, api, path, seconds=5):
        self.connection = api.connect(seconds)
        self.connection.request("GET", path, headers=TOKEN)
        self.response = self.connection.getresponse()

    def line(self):
        return self.response.readline()

    def rest(self):
        """(what is left, "whole" when the answer ends as it should or "cut" when the connection does)."""
        try:
            return self.response.read(), "whole"
        except LOST as lost:
            return getattr(lost, "partial", b""), "cut"

    def event(self):
        line = self.line()
        assert line.endswith(b"\n"), f"no whole line: {line!r}"
        value = json.loads(line)
        return value["type"], value["object"]

    def names(self, count):
        return [(kind, obj["metadata"].get("name")) for kind, obj in (self.event() for _ in range(count))]


class Client2:
    """A client of HTTP/2 that keeps what it sees: events by stream, the GOAWAY, the end."""

    def __init__(self, api):
        self.socket = socket.create_connection(("127.0.0.1", api.port), timeout=5)
        if api.tls:
            context = ssl.create_default_context(cafile=api.ca)
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
            assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        # h2 takes no frame after a GOAWAY; the older streams' answers are just what is to be seen here
        self.h2._frame_dispatch_table[GoAwayFrame] = self._on_goaway
        self.statuses, self.bodies, self.resets, self.ended = {}, {}, {}, set()
        self.goaway, self.closed = None, False

    def _on_goaway(self, frame):
        self.goaway = frame.last_stream_id
        return [], []

    def ask(self, method, path, body=None):
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "localhost"), *TOKEN.items()]
        self.h2.send_headers(stream, headers, end_stream=body is None)
        if body is not None:
            self.h2.send_data(stream, json.dumps(body).encode(), end_stream=True)
        self.socket.sendall(self.h2.data_to_send())
        return stream

    def read(self):
        data = self.socket.recv(65536)
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.statuses[event.stream_id] = int(dict(event.headers)[":status"])
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.resets[event.stream_id] = event.error_code
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
        self.socket.sendall(self.h2.data_to_send())

    def until(self, condition):
        while not condition():
            if self.closed:
                raise EOFError("the server closed the connection")
            self.read()

    def get(self, method, path, body=None):
        stream = self.ask(method, path, body)
        self.until(lambda: stream in self.ended)
        return self.statuses[stream], self.bodies.get(stream, b"")


def refused(call):
    """Whether the call ended by a lost connection."""
    try:
        call()
    except LOST:
        return True
    return False


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
            (422, JOBS, {"metadata": {"name": "a"}, "spec": {"template": {"spec": {**pod("a")["spec"], "restartPolicy": "Always"}}}}),
            (400, JOBS, {**job("a"), "kind": "Pod"}), (413, MAPS, "x" * (3 << 20) + "x"), (400, MAPS, config_map("a", k=1)),
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
    api.create(MAPS, config_map("m", a="1", b="2"))
    merge = {"content-type": "application/merge-patch+json"}
    status, patched = api.request("PATCH", MAPS + "/m", {"data": {"a": None, "c": "3"}}, merge)
    assert patched["data"] == {"b": "2", "c": "3"}
    assert api.request("PATCH", MAPS + "/m", {"data": {"c": "3"}}, merge)[1] == patched
    assert api.request("PATCH", MAPS + "/m", {}, {"content-type": "text/plain"})[0] == 415
    api.create(PODS, pod("p"))
    assert api.request("PATCH", PODS + "/p", {"status": {"phase": "Failed"}}, merge)[1]["status"]["phase"] == "Pending"
    assert api.request("PATCH", PODS + "/p/status", {"status": {"phase": "Failed"}}, merge)[1]["status"]["phase"] == "Failed"


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
    assert api.request("GET", PODS + "?labelSelector=((")[0] == 400
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
    assert [change["options"].get("propagationPolicy") for change in api.history("jobs", "DELETED")] == [None, "Background"]


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


@test("answer, delay, skip and times")
def _():
    api = FakeApi()
    api.fault("answer", method="POST", path="/pods$", times=2, skip=1, status=429, reason="TooManyRequests",
              headers={"Retry-After": 7})
    assert [api.request("POST", PODS, pod(name))[0] for name in "abcd"] == [201, 429, 429, 201]
    api.fault("answer", status=409, body="plain", commit=True, headers={"content-type": "text/plain"})
    assert api.request("POST", PODS, pod("e")) == (409, "plain") and api.request("GET", PODS + "/e")[0] == 200
    api.fault("delay", delay=0.3)
    begin = time.monotonic()
    assert api.request("GET", "/version")[0] == 200 and time.monotonic() - begin >= 0.3
    assert api.request("POST", "/_test/fault", {"action": "typo"})[0] == 400


@test("close, close-after-commit, garbage, cut-body over HTTP/1.1")
def _():
    api = FakeApi("--http1")
    for action in ("close", "cut-body", "stall"):
        api.fault(action)
    assert refused(lambda: api.request("GET", "/version"))
    assert refused(lambda: api.request("GET", "/version"))
    try:
        api.request("GET", "/version", seconds=0.2)
        raise AssertionError("a stalled request was answered")
    except TimeoutError:
        pass
    api.fault("close-after-commit")
    assert refused(lambda: api.request("POST", PODS, pod("a"))) and api.request("GET", PODS + "/a")[0] == 200
    api.fault("garbage")
    try:
        api.request("GET", "/version")
        raise AssertionError("the garbage was JSON")
    except json.JSONDecodeError:
        pass
    assert {entry["protocol"] for entry in api.requests()} == {"Http1"}


@test("a held request is carried out after its client has gone")
def _():
    api = FakeApi()
    api.fault("hold", method="POST")
    try:
        api.request("POST", PODS, pod("a"), seconds=0.2)
        raise AssertionError("a held request was answered")
    except TimeoutError:
        assert api.objects("pods") == []
    api.control("release", {})
    wait_for(lambda: api.objects("pods"), 2, "Pod of the held request")


@test("HTTP/2: many streams, large answers, request log")
def _():
    api = FakeApi()
    client = Client2(api)
    for number in range(20):
        assert client.get("POST", MAPS, config_map(f"m{number}", text="x" * 10_000))[0] == 201
    streams = [client.ask("GET", MAPS) for _ in range(3)]
    client.until(lambda: client.ended.issuperset(streams))
    assert all(len(json.loads(client.bodies[stream])["items"]) == 20 for stream in streams)
    log = api.requests("GET", "configmaps")
    assert [entry["stream"] for entry in log] == streams and len({entry["connection"] for entry in log}) == 1
    assert len({entry["body_sha256"] for entry in api.requests("POST", "configmaps")}) == 20


@test("HTTP/2: reset, goaway, refusing goaway, close")
def _():
    api = FakeApi()
    client = Client2(api)
    api.fault("reset", code=7)
    stream = client.ask("POST", PODS, pod("a"))
    client.until(lambda: stream in client.resets)
    assert client.resets[stream] == 7 and api.objects("pods") == []
    watch = client.ask("GET", PODS + "?watch=1&timeoutSeconds=1")
    client.until(lambda: watch in client.statuses)
    api.fault("goaway", method="POST")
    assert client.get("POST", PODS, pod("a"))[0] == 201
    assert client.goaway > watch and watch not in client.ended
    while not client.closed:
        client.read()
    assert watch in client.ended
    client = Client2(api)
    api.fault("goaway", refuse=True)
    stream = client.ask("POST", PODS, pod("b"))
    while not client.closed:
        client.read()
    assert client.goaway < stream and stream not in client.statuses and len(api.objects("pods")) == 1
    client = Client2(api)
    api.fault("close")
    assert refused(lambda: client.get("GET", "/version"))


@test("watch faults: cut in a line, 410, garbage, stalled, ended, cut while open")
def _():
    api = FakeApi()
    api.fault("cut-watch-mid-line", path="watch=1", after=1)
    watch = Lines(api, MAPS + "?watch=1")
    api.create(MAPS, config_map("a"))
    api.create(MAPS, config_map("b"))
    assert watch.names(1) == [("ADDED", "a")]
    half, end = watch.rest()
    assert half.startswith(b'{"type"') and not half.endswith(b"\n") and end == "cut"
    for action, check in [("watch-expired", lambda watch: watch.event()[1]["code"] == 410 and watch.rest() == (b"", "whole")),
                          ("watch-garbage", lambda watch: watch.line() == b'{"kind":"Status",]\n')]:
        api.fault(action, path="watch=1")
        assert check(Lines(api, MAPS + "?watch=1")), action
    for action, end in [("end", "whole"), ("close", "cut")]:
        watch = Lines(api, MAPS + "?watch=1&resourceVersion=999999")
        assert api.fault(action, path="watch=1", in_flight=True) == 1
        assert watch.rest() == (b"", end), action
    watch = Lines(api, MAPS + "?watch=1&resourceVersion=999999", seconds=0.3)
    assert api.fault("freeze", path="watch=1", in_flight=True) == 1
    api.create(MAPS, config_map("c"))
    try:
        raise AssertionError(f"a frozen watch sent {watch.line()}")
    except TimeoutError:
        pass


@test("down, clock skew, reset")
def _():
    api = FakeApi()
    api.create(MAPS, config_map("a"))
    api.control("down", {"seconds": 0.5})
    time.sleep(0.1)
    assert refused(lambda: api.request("GET", "/version"))
    wait_for(lambda: not refused(lambda: api.request("GET", "/version")), 3, "server")
    api.control("clock-skew", {"seconds": 3600})
    connection = api.connect()
    connection.request("GET", "/version", headers=TOKEN)
    date = connection.getresponse().headers["date"]
    assert 3500 < email.utils.parsedate_to_datetime(date).timestamp() - time.time() < 3700
    api.control("reset", {})
    assert api.objects("configmaps") == [] and api.requests() == []


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
