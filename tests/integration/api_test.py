#!/usr/bin/python3
"""The API under /v1: lists in pages, runs, orders, events with replay, and what it says of mistakes."""

import json
import re
import socket
import time

from harness import FakeApi, main, run_binary, temporary_folder, test, wait_for
from http_client import POD, Web

JSON = {"Content-Type": "application/json"}
MANY = {f"job-{number:02}": {"cron": "0 0 1 1 *", "template": "pod.json"} for number in range(25)}
SLOW = json.dumps({**POD, "spec": {"containers": [{
    "name": "main", "image": "x", "command": ["sh", "-c", "echo first; sleep 2; echo last"]}]}})
BAD = json.dumps({**POD, "metadata": {"labels": {"team": "x"}}, "spec": {"containers": [{
    "name": "main", "image": "x", "command": ["false"]}]}})
LINES = json.dumps({**POD, "spec": {"containers": [{
    "name": "main", "image": "x", "command": ["sh", "-c", "for i in $(seq 100); do echo line $i; done"]}]}})
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


@test("a list says of each job what a table shows, and finds jobs by what they did", seconds=90)
def _():
    jobs = {"bad": {"cron": "0 0 1 1 *", "template": "bad.json"}, "good": {"cron": "0 0 1 1 *", "template": "pod.json"}}
    web = Web(jobs=jobs, files={"bad.json": BAD})
    for name in jobs:
        ran(web, post(web, f"/v1/jobs/default/{name}/trigger")[1]["run"])
    rows = {job["name"]: job for job in web.get("/v1/jobs")[1]["items"]}
    assert rows["bad"]["state"] == "failing" and rows["bad"]["failures"] == 1 and rows["bad"]["words"], rows
    assert [bar["outcome"] for bar in rows["bad"]["recent"]] == ["failed"] and rows["good"]["recent"][0]["seconds"] >= 0
    for query, names in (("failed=true", ["bad"]), ("state=enabled", ["good"]), ("label=team%3Dx", ["bad"]),
                         ("label=!team", ["good"]), ("failed_since=-1h", ["bad"]), ("failed_since=%2B1h", []),
                         ("active", [])):
        page = web.get("/v1/jobs?" + query)[1]
        assert [job["name"] for job in page["items"]] == names and page["metadata"]["total"] == len(names), (query, page)
    for query, field in (("label=a%20b", "label"), ("state=odd", "state"), ("failed_since=x", "failed_since")):
        status, answer = web.get("/v1/jobs?" + query)
        assert status == 400 and answer["details"]["causes"][0]["field"] == field, (query, answer)


@test("runs come in pages, by outcome, and with slots that did not run", seconds=90)
def _():
    web = Web(jobs={"tick": {"cron": "* * * * * *", "template": "pod.json", "overlap": "allow"}})
    tick = "/v1/jobs/default/tick"
    wait_for(lambda: len(web.get(tick + "/runs?outcome=succeeded")[1]["items"]) >= 3, 40, "three runs")
    post(web, tick + "/suspend", {"reason": "enough"})
    skipped = wait_for(lambda: web.get(tick + "/runs?outcome=skipped,missed")[1]["items"], 20, "a slot that was skipped")
    assert "enough" in skipped[0]["reason"], skipped
    seen, token = [], ""
    while token is not None:
        page = web.get(f"/v1/runs?state=over&outcome=succeeded&limit=2{token}")[1]
        seen += [run["id"] for run in page["items"]]
        token = page.get("metadata", {}).get("continue")
        token = token and "&continue=" + token
    assert len(seen) == len(set(seen)) >= 3 and seen == sorted(seen, reverse=True), seen
    assert web.get("/v1/runs?until=2020-01-01")[1]["items"] == [] and web.get("/v1/runs?since=-1h")[1]["items"]
    assert web.get("/v1/runs?state=odd")[0] == 400


@test("a run's log can be cut and searched", seconds=60)
def _():
    web = Web(jobs={"pi": {"cron": "0 0 1 1 *", "template": "lines.json"}}, files={"lines.json": LINES})
    run = ran(web, post(web, PI + "/trigger", {"reason": "to see"})[1]["run"])
    assert run["note"] == "to see"
    log = f"/v1/runs/{run['id']}/log"
    assert web.get(log + "?tail=2")[1] == "line 99\nline 100\n"
    assert web.get(log + "?grep=7&tail=20")[1] == "".join(f"line {n}\n" for n in range(81, 101) if "7" in str(n))
    assert web.get(log + "?tail=0")[0] == 400 and web.get(log + "?since=-1h")[0] == 400


@test("slots to come are in order, without those that a calendar drops; a heat map counts them", seconds=60)
def _():
    web = Web(jobs={"a": {"cron": "0 12 * * *", "template": "pod.json", "skip_on": "sat"},
                    "b": {"cron": "30 11 * * *", "template": "pod.json"}, "off": {"cron": "", "template": "pod.json"},
                    "c": {"cron": "30 11 * * *", "template": "pod.json", "timezone": "UTC"}})
    span = "from=2026-11-27&to=2026-11-29"  # a Friday and a Saturday
    status, answer = web.get("/v1/upcoming?" + span)
    assert status == 200 and answer["complete"] is True, answer
    assert [(slot["job"], slot["slot"]["time"][8:16]) for slot in answer["items"]] == \
        [("b", "27T11:30"), ("c", "27T11:30"), ("a", "27T12:00"), ("b", "28T11:30"), ("c", "28T11:30")], answer
    assert web.get(f"/v1/upcoming?{span}&limit=2")[1]["complete"] is False
    heat = web.get(f"/v1/heatmap?{span}&step=86400")[1]
    assert heat["buckets"] == [3, 2] and heat["most"] == 3 and heat["complete"] is True, heat
    assert heat["peaks"][0]["starts"] == 2 and heat["peaks"][0]["jobs"] == ["b", "c"], heat
    assert web.get("/v1/heatmap?step=60")[0] == 400 and web.get("/v1/upcoming?from=now&to=-1h")[0] == 400


@test("one order for many jobs does nothing when others are meant than were seen", seconds=60)
def _():
    web = Web(jobs=MANY)
    order = {"action": "suspend", "filter": {"q": "job-1"}, "reason": "works", "until": "+1h"}
    assert post(web, "/v1/bulk", {**order, "dryRun": True})[1]["count"] == 10
    assert post(web, "/v1/bulk", {**order, "expect": 9})[0] == 409
    assert web.get("/v1/jobs?state=suspended")[1]["items"] == []
    assert post(web, "/v1/bulk", {**order, "expect": 10})[1] == {"action": "suspend", "count": 10, "failed": []}
    assert len(web.get("/v1/jobs?state=suspended")[1]["items"]) == 10
    assert post(web, "/v1/bulk", {"action": "resume", "jobs": ["default/job-11"]})[0] == 200
    assert len(web.get("/v1/jobs?state=suspended")[1]["items"]) == 9
    assert post(web, "/v1/bulk", {"action": "trigger", "jobs": ["default/job-00", "default/job-01"]})[1]["count"] == 2
    wait_for(lambda: len(web.get("/v1/runs?state=over&trigger=manual")[1]["items"]) == 2, 30, "two runs")
    for wrong in ({"action": "explode", "jobs": []}, {"action": "resume"}, {"action": "resume", "jobs": ["other/job-00"]},
                  {"action": "resume", "filter": {"state": "odd"}}):
        assert post(web, "/v1/bulk", wrong)[0] == 400, wrong


@test("what was ordered is in the audit, also after a restart", seconds=90)
def _():
    web = Web()
    post(web, PI + "/suspend", {"reason": "repairs", "until": "+1h"})
    post(web, PI + "/silence", {"reason": "known", "until": "+1h"})
    assert web.get(PI)[1]["silenced"]["reason"] == "known"
    post(web, PI + "/resume")
    folder = web.daemon.folder
    web.daemon.stop()
    web = Web(folder=folder)
    acts = web.get("/v1/audit")[1]["items"]
    assert [act["command"] for act in acts] == ["resume", "silence", "suspend"], acts
    assert acts[2]["reason"] == "repairs" and "HTTP from 127.0.0.1" in acts[2]["by"] and acts[2]["detail"]["until"]
    page = web.get("/v1/audit?limit=2")[1]
    rest = web.get("/v1/audit?limit=2&continue=" + page["metadata"]["continue"])[1]
    assert [act["command"] for act in rest["items"]] == ["suspend"] and "metadata" not in rest, rest
    assert web.get("/v1/audit?job=other")[1]["items"] == []


@test("a change is refused when the job is not as it was seen", seconds=60)
def _():
    web = Web()
    tag = web.response("GET", PI).headers["ETag"]
    assert post(web, PI + "/suspend", {"until": "+1h"}, **{"If-Match": tag})[0] == 200
    status, answer = post(web, PI + "/resume", {}, **{"If-Match": tag})
    assert status == 412 and web.get(PI)[1]["state"] == "suspended", answer


@test("a backfill can be cancelled, and a draft is compared with what is at work", seconds=60)
def _():
    web = Web(jobs={"slow": {"cron": "0 0 * * *", "template": "slow.json"}}, files={"slow.json": SLOW})
    answer = post(web, "/v1/jobs/default/slow/backfill", {"from": "2026-06-01", "to": "2026-06-09"})[1]
    assert [each["id"] for each in web.get("/v1/backfills")[1]["items"]] == [answer["id"]]
    assert web.request("DELETE", "/v1/backfills/" + answer["id"])[1]["cancelled"] is True
    assert web.request("DELETE", "/v1/backfills/" + answer["id"])[0] == 404
    status, changes = web.request("POST", "/v1/diff", 'new: {cron: "1 * * * *", template: slow.json}')
    assert status == 200 and [(job["name"], job["what"]) for job in changes["jobs"]] == \
        [("new", "added"), ("slow", "removed")], changes


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


@test("commands ask by HTTP with --server", seconds=60)
def _():
    web = Web(jobs={"slow": {"cron": "0 0 1 1 *", "template": "slow.json"}}, files={"slow.json": SLOW})
    environment = {"KUBE_SCHEDULER_SERVER": f"http://127.0.0.1:{web.port}"}

    def command(*words, code=0, **more):
        done = run_binary(words, cwd=temporary_folder(), environment={**environment, **more})
        assert done.returncode == code, (words, done)
        return done.stdout if code == 0 else done.stderr
    assert "slow" in command("jobs") and command("jobs", "-o", "name").split() == ["slow"]
    assert command("trigger", "slow", "--wait") == "first\nlast\n"
    run = json.loads(command("history", "slow", "-o", "json"))[0]["run"]
    assert command("logs", run) == command("logs", "slow") == "first\nlast\n"
    assert "did you mean 'slow'" in command("suspend", "solw", code=1)
    assert "no run or job 'nothing'" in command("logs", "nothing", code=1)
    assert "127.0.0.1:1" in command("status", code=1, KUBE_SCHEDULER_SERVER="http://127.0.0.1:1")
    assert web.request("POST", "/v1/commands", {"command": "explode"}, JSON)[0] == 422


main()
