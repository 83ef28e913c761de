#!/usr/bin/python3
"""The API under /v1: lists in pages, runs, orders, events with replay, and what it says of mistakes."""

import json
import re
import socket
import time

from harness import FakeApi, main, test, wait_for
from http_client import POD, Web

JSON = {"Content-Type": "application/json"}
MANY = {f"job-{number:02}": {"cron": "0 0 1 1 *", "template": "pod.json"} for number in range(25)}
SLOW = json.dumps({**POD, "spec": {"containers": [{
    "name": "main", "image": "x", "command": ["sh", "-c", "echo first; sleep 2; echo last"]}]}})
PI = "/v1/jobs/default/pi"


def post(web, path, body=None, **headers):
    return web.request("POST", path, body if body is not None else {}, {**JSON, **headers})


def ran(web, run, seconds=30):
    """The run, once it is over."""
    def over():
        status, answer = web.get(f"/v1/runs/{run}")
        return status == 200 and answer["state"] == "finished" and answer
    return wait_for(over, seconds, f"end of {run}")


class Events:
    """A stream of events, read as it comes."""

    def __init__(self, web, last=None):
        self.socket = socket.create_connection(("127.0.0.1", web.port), 30)
        header = f"Last-Event-ID: {last}\r\n" if last else ""
        self.socket.sendall(f"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n{header}\r\n".encode())
        self.socket.settimeout(0.2)
        self.text = ""

    def read(self):
        try:
            self.text += self.socket.recv(65536).decode()
        except TimeoutError:
            pass
        return re.findall(r"id: (\S+)\nevent: (\w+)\ndata: (.*)\n", self.text)

    def wait(self, name, seconds=30):
        """All events up to the first of that name."""
        return wait_for(lambda: any(event == name for _, event, _ in self.read()) and self.read(), seconds, f"event {name}")


@test("jobs come in pages that neither repeat nor leave out one", seconds=60)
def _():
    web = Web(jobs=MANY)
    seen, token = [], ""
    while token is not None:
        status, page = web.get("/v1/jobs?limit=10" + (f"&continue={token}" if token else ""))
        assert status == 200 and page["kind"] == "JobList"
        seen += [job["name"] for job in page["items"]]
        token = page["metadata"].get("continue")
    assert seen == sorted(MANY), seen
    assert [job["name"] for job in web.get("/v1/jobs?sort=-name&limit=2")[1]["items"]] == ["job-24", "job-23"]
    assert [job["name"] for job in web.get("/v1/jobs?q=B-07")[1]["items"]] == ["job-07"]
    for query, field in (("limit=0", "limit"), ("limit=x", "limit"), ("sort=age", "sort"), ("continue=x", "continue")):
        status, answer = web.get("/v1/jobs?" + query)
        assert status == 400 and answer["details"]["causes"][0]["field"] == field, (query, answer)


@test("a job says when it runs next, in its zone and in unix seconds", seconds=60)
def _():
    web = Web()
    status, job = web.get("/v1/jobs/default/report")
    assert status == 200 and job["timezone"] == "Europe/Berlin" and job["words"]
    assert re.search(r"T09:30:00\+0[12]:00$", job["next"]["time"]) and job["next"]["unix"] > time.time()
    status, slots = web.get("/v1/jobs/default/report/next?count=3&from=2026-03-28T12:00:00Z")
    assert [slot["utc"] for slot in slots["items"]] == \
        ["2026-03-29T07:30:00Z", "2026-03-30T07:30:00Z", "2026-03-31T07:30:00Z"], slots
    status, manifest = web.get("/v1/jobs/default/pi/manifest?slot=1767225600")
    assert status == 200 and manifest["metadata"]["name"].endswith("-1767225600"), manifest
    status, answer = web.get("/v1/jobs/default/pi/explain?slot=2026-02-02T00:00:00Z")
    assert status == 200 and answer["verdict"] == "never", answer


@test("what is not there is 404 with what was meant", seconds=60)
def _():
    web = Web()
    status, answer = web.get("/v1/jobs/default/reprot")
    assert status == 404 and "did you mean 'report'" in answer["message"] and answer["details"]["name"] == "reprot"
    assert web.get("/v1/jobs/elsewhere/pi")[0] == 404 and web.get("/v1/runs/none")[0] == 404


@test("a trigger makes one run for each Idempotency-Key, whose log can be read", seconds=60)
def _():
    web = Web()
    response = web.response("POST", PI + "/trigger", json.dumps({"args": ["you"], "reason": "a test"}),
                            {**JSON, "Idempotency-Key": "Any text at all"})
    answer = json.loads(response.text)
    assert response.status == 202 and response.headers["Location"] == "/v1/runs/" + answer["run"]
    status, again = post(web, PI + "/trigger", {"args": ["you"]}, **{"Idempotency-Key": "Any text at all"})
    assert status == 202 and again["run"] == answer["run"] and again["again"] is True
    run = ran(web, answer["run"])
    assert run["outcome"] == "succeeded" and run["trigger"] == "manual" and "HTTP" in run["by"], run
    assert web.get(f"/v1/runs/{answer['run']}/log") == (200, "hello you\n")
    assert [each["id"] for each in web.get(PI + "/runs")[1]["items"]] == [answer["run"]]
    assert web.get("/v1/runs?outcome=failed")[1]["items"] == []


@test("a log can be followed to the end of its run", seconds=60)
def _():
    web = Web(jobs={"pi": {"cron": "0 0 1 1 *", "template": "slow.json"}}, files={"slow.json": SLOW})
    _, answer = post(web, PI + "/trigger")
    wait_for(lambda: web.get(f"/v1/runs/{answer['run']}/log")[1] == "first\n", 20, "the first line")
    assert web.get(f"/v1/runs/{answer['run']}/log?follow") == (200, "first\nlast\n")


@test("suspend, pause and backfill do what the commands do", seconds=60)
def _():
    web = Web()
    assert post(web, PI + "/suspend", {"reason": "repairs", "until": "+1h"})[0] == 200
    job = web.get(PI)[1]
    assert job["state"] == "suspended" and job["suspended"]["reason"] == "repairs"
    assert [each["name"] for each in web.get("/v1/jobs?state=suspended")[1]["items"]] == ["pi"]
    assert post(web, PI + "/resume")[0] == 200 and web.get(PI)[1]["state"] == "enabled"
    assert post(web, "/v1/pause")[0] == 422  # without an end
    assert post(web, "/v1/pause", {"until": "+1h"})[0] == 200 and web.get(PI)[1]["state"] == "suspended"
    assert post(web, "/v1/unpause")[0] == 200
    status, answer = post(web, PI + "/backfill", {"from": "2024-06-01", "to": "2026-06-01", "dryRun": True})
    assert status == 200 and answer["total"] == 2, answer


@test("mistakes are told with the field, and change nothing", seconds=60)
def _():
    web = Web()
    for path, body, headers, status in ((PI + "/trigger", "{}", {"Content-Type": "text/plain"}, 415),
                                        (PI + "/trigger", "[1]", JSON, 400), (PI + "/trigger", "{", JSON, 400),
                                        (PI + "/trigger", '{"args":"x"}', JSON, 422),
                                        (PI + "/suspend", '{"until":"soon"}', JSON, 422),
                                        (PI + "/suspend", '{"until":"2020-01-01"}', JSON, 422)):
        got, answer = web.request("POST", path, body, headers)
        assert got == status and answer["kind"] == "Status", (path, body, got, answer)
    assert web.get("/v1/runs")[1]["items"] == [] and web.get(PI)[1]["state"] == "enabled"
    status, answer = web.request("POST", "/v1/check", 'a: {cron: "61 * * * *", template: pod.json}')
    assert status == 422 and "schedule.yml:1:" in answer["details"]["causes"][0]["field"], answer
    assert web.request("POST", "/v1/check", 'a: {cron: "1 * * * *", template: pod.json}')[1]["jobs"] == 1


@test("an unchanged answer is 304", seconds=60)
def _():
    web = Web()
    tag = web.response("GET", PI).headers["ETag"]
    assert web.response("GET", PI, headers={"If-None-Match": tag}).status == 304
    post(web, PI + "/suspend", {"until": "+1h"})
    assert web.response("GET", PI, headers={"If-None-Match": tag}).status == 200


@test("events come as they happen, and those missed are replayed", seconds=90)
def _():
    web = Web()
    events = Events(web)
    assert [event for _, event, _ in events.wait("reset")] == ["reset"]
    post(web, PI + "/trigger")
    seen = events.wait("finished")
    names = [event for _, event, _ in seen]
    assert "created" in names and "command" in names and json.loads(seen[-1][2])["outcome"] == "succeeded", seen
    events.socket.close()
    post(web, PI + "/suspend", {"until": "+1h"})
    again = Events(web, last=seen[-1][0])
    missed = again.wait("command")
    assert [json.loads(data)["command"] for _, _, data in missed] == ["suspend"], missed
    assert Events(web, last="ffffffff-1").wait("reset")
    wait_for(lambda: 'kubescheduler_event_stream_clients 2' in web.get("/metrics")[1], 40, "the listeners to be counted")
    web.daemon.kill(15)
    wait_for(lambda: again.read() is not None and "event: bye" in again.text, 20, "goodbye")


@test("too old an id is told to start anew", seconds=90)
def _():
    web = Web()
    events = Events(web)
    first = events.wait("reset")[0][0]
    for number in range(1001):
        post(web, PI + "/suspend", {"until": "+1h", "reason": str(number)})
    assert Events(web, last=first).wait("reset")


@test("a standby sends clients to who leads", seconds=60)
def _():
    api = FakeApi()
    leader = Web(api=api)
    standby = Web(api=api, ready=False)
    standby.daemon.wait_log("another scheduler leads", 30)
    response = standby.response("GET", "/v1/jobs")
    assert response.status == 503 and response.headers["Retry-After"] and leader.get("/v1/jobs")[0] == 200


@test("the description names every path, and each answers", seconds=60)
def _():
    web = Web()
    status, document = web.get("/v1/openapi.json")
    assert status == 200 and document["openapi"].startswith("3.1")
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids)) >= 18, ids
    for path, operations in document["paths"].items():
        if "get" in operations and path != "/v1/events":
            real = path.format(namespace="default", job="pi", id="none") + "?slot=0"
            assert web.get(real)[0] in (200, 404), real


main()
