#!/usr/bin/python3
"""What /metrics says, by Prometheus' own tools, and the alert rules over it."""

import json
import os
import re
import subprocess

from harness import ROOT, FakeApi, main, test, wait_for
from http_client import POD, Web

TICK = {"cron": "* * * * * *", "template": "pod.json", "overlap": "allow"}
FAILS = {"cron": "* * * * * *", "template": "bad.json", "overlap": "allow"}
BAD_POD = json.dumps({**POD, "spec": {"containers": [{"name": "main", "image": "x", "command": ["false"]}]}})
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def promtool(*words, text=None):
    done = subprocess.run(["promtool", *words], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"promtool {words}: {done.stdout}{done.stderr}"


def value(text, series):
    """Of one series, named as it is written; None when it is not there."""
    found = re.search("^" + re.escape("kubescheduler_" + series) + " (\\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else None


def scrape(web, accept="text/plain"):
    response = web.response("GET", "/metrics", headers={"Accept": accept})
    assert response.status == 200
    return response.text


@test("promtool finds nothing to say about it", seconds=60)
def _():
    web = Web(jobs={"tick": TICK}, arguments=["--metrics-jobs", "full"])
    web.daemon.wait_log("run succeeded", 30)
    promtool("check", "metrics", text=scrape(web))


@test("those that ask for OpenMetrics get it", seconds=60)
def _():
    web = Web()
    response = web.response("GET", "/metrics", headers={"Accept": OPENMETRICS})
    assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert response.text.endswith("\n# EOF\n") and "# TYPE kubescheduler_slots counter\n" in response.text
    response = web.response("GET", "/metrics")
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4") and "# EOF" not in response.text


@test("runs, failures and slots are counted, from zero on", seconds=90)
def _():
    web = Web()
    text = scrape(web)
    assert value(text, 'runs_total{outcome="failed",trigger="schedule"}') == 0
    assert value(text, 'job_consecutive_failures{namespace="default",job_name="pi"}') == 0
    web = Web(jobs={"bad": FAILS, "good": TICK}, files={"bad.json": BAD_POD})

    def counted():
        text = scrape(web)
        return value(text, 'job_consecutive_failures{namespace="default",job_name="bad"}') >= 2 and \
            value(text, 'runs_total{outcome="succeeded",trigger="schedule"}') >= 1 and text
    text = wait_for(counted, 40, "two failures and a success")
    assert value(text, 'slots_total{decision="run"}') >= 3
    assert value(text, "slot_lateness_seconds_count") >= 3 and value(text, "run_pending_seconds_count") >= 1
    assert value(text, 'job_last_success_timestamp_seconds{namespace="default",job_name="good"}') > 1e9
    assert value(text, 'job_last_success_timestamp_seconds{namespace="default",job_name="bad"}') is None
    assert value(text, "leader") == 1 and value(text, "watermark_timestamp_seconds") > 1e9
    assert value(text, 'http_requests_total{route="/metrics",code="200"}') >= 1


@test("what a job did survives a restart", seconds=90)
def _():
    web = Web(jobs={"good": TICK})
    web.daemon.wait_log("run succeeded", 30)
    folder = web.daemon.folder
    web.daemon.stop()
    web = Web(folder=folder, jobs={"good": {**TICK, "cron": "0 0 1 1 *"}})
    assert value(scrape(web), 'job_last_success_timestamp_seconds{namespace="default",job_name="good"}') > 1e9


@test("a standby says nothing of jobs: sums must not count them twice", seconds=60)
def _():
    api = FakeApi()
    leader = Web(api=api)
    standby = Web(api=api, ready=False)
    standby.daemon.wait_log("another scheduler leads", 30)
    assert 'job_name="pi"' in scrape(leader) and value(scrape(leader), "leader") == 1
    assert "job_name=" not in scrape(standby) and value(scrape(standby), "leader") == 0


@test("a refused change of the schedule is measured, and its end", seconds=90)
def _():
    web = Web()
    successful = "config_last_reload_successful"
    assert value(scrape(web), successful) == 1
    web.daemon.write("schedule.yml", "pi: {cron: never}")
    wait_for(lambda: value(scrape(web), successful) == 0, 40, "the mistake")
    web.daemon.write("schedule.yml", json.dumps({"other": TICK}))
    text = wait_for(lambda: value(scrape(web), successful) == 1 and scrape(web), 40, "the good version")
    assert 'job_name="other"' in text and 'job_name="pi"' not in text


@test("--metrics-jobs off leaves jobs out", seconds=60)
def _():
    text = scrape(Web(arguments=["--metrics-jobs", "off"]))
    assert "job_name=" not in text and value(text, 'jobs{state="enabled"}') == 2


@test("every alert rule is good, and fires when it should", seconds=60)
def _():
    rules = os.path.join(ROOT, "scripts", "deploy")
    promtool("check", "rules", os.path.join(rules, "chart/files/alerts.yml"))
    promtool("test", "rules", os.path.join(rules, "alerts_test.yml"))


@test("each alert has its paragraph of what to do", seconds=60)
def _():
    with open(os.path.join(ROOT, "scripts", "deploy", "chart", "files", "alerts.yml")) as file:
        links = re.findall("- alert: (\\w+)(?:.*\\n)+?.*runbook_url: (\\S+)", file.read())
    with open(os.path.join(ROOT, "scripts", "OPERATIONS.md")) as file:
        headings = re.findall("^### (\\w+)$", file.read(), re.MULTILINE)
    assert len(links) >= 10 and {name for name, _ in links} == set(headings), (links, headings)
    assert all(link == f"scripts/OPERATIONS.md#{name.lower()}" for name, link in links), links


@test("alert rules, the dashboard and documentation name only what is measured", seconds=60)
def _():
    text = scrape(Web(arguments=["--metrics-jobs", "full"]), OPENMETRICS)
    known = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    for name in ("scripts/deploy/chart/files/alerts.yml", "scripts/deploy/chart/files/dashboard.json", "lua/HTTP.md"):
        with open(os.path.join(ROOT, name)) as file:
            for word in re.findall(r"kubescheduler_\w+", file.read()):
                base = re.sub("_(total|info|bucket|sum|count)$", "", word)
                assert base in known or word in known, f"{name}: {word}"


main()
