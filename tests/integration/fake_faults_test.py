#!/usr/bin/python3
"""Every fault that the fake API server can be told to have."""

import email.utils
import json
import time

from fake_clients import MAPS, PODS, TOKEN, Client2, Lines, config_map, pod, refused
from harness import FakeApi, main, test, wait_for


@test("answer, delay, skip and times")
def _():
    api = FakeApi()
    api.fault("answer", method="POST", path="/pods$", times=2, skip=1, status=429, reason="TooManyRequests",
              headers={"Retry-After": 7})
    assert [api.request("POST", PODS, pod(name))[0] for name in "abcd"] == [201, 429, 429, 201]
    api.fault("answer", status=409, body="plain", commit=True, headers={"content-type": "text/plain"})
    assert api.request("POST", PODS, pod("e")) == (409, "plain") and api.request("GET", PODS + "/e")[0] == 200
    api.fault("delay", seconds=0.3)
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
    api.fault("watch-expired", path="watch=1")
    watch = Lines(api, MAPS + "?watch=1")
    assert watch.event()[1]["code"] == 410 and watch.rest() == (b"", "whole")
    api.fault("watch-garbage", path="watch=1")
    assert Lines(api, MAPS + "?watch=1").line() == b'{"kind":"Status",]\n'
    for action, end in [("end", "whole"), ("close", "cut")]:
        watch = Lines(api, MAPS + "?watch=1&resourceVersion=999999")
        assert api.fault(action, path="watch=1", in_flight=True) == 1
        assert watch.rest() == (b"", end), action
    watch = Lines(api, MAPS + "?watch=1&resourceVersion=999999")
    assert api.fault("watch-expired", path="watch=1", in_flight=True) == 1
    assert watch.event()[1]["code"] == 410 and watch.rest() == (b"", "whole")
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


main()
