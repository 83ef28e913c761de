#!/usr/bin/python3
"""Alerts of a daemon that is killed: nobody is paged twice, and what had to be said is said by the next one. With real
processes and the state on disk; the services are stand-ins over TLS."""

import json
import os
import time

import alert_checks
from harness import Daemon, Receiver, main, never, test, wait_for

RUN = ["run", "--executor", "local", "--state-dir", "state"]
POD = json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [
    {"name": "main", "image": "none", "command": ["test", "-e", "well"]}]}})  # fails until the file is there
QUEUE = "/v2/enqueue"


class World:
    """A job that fails each second, its daemons one after the other, and what the services got."""

    def __init__(self, routes=None, **alerts):
        self.receiver = Receiver()
        url = self.receiver.url
        routes = routes or {"pagerduty": {"routing_key": {"env": "PD_KEY"}, "endpoint": url + QUEUE, "timeout": 2}}
        settings = {"cron_dialect": "standard", "alerts": {"group_wait": 0, "group_interval": 1, **alerts, **routes}}
        self.schedule = {"settings": settings, "tick": {"cron": "* * * * * *", "template": "pod.yml"}}
        self.daemon = None

    def start(self):
        environment = {"PD_KEY": "topsecretpd", "SSL_CERT_FILE": self.receiver.ca, "no_proxy": "127.0.0.1",
                       "DSN": self.receiver.url.replace("://", "://topsecretpublic@") + "/42",
                       "LIFE_URL": self.receiver.url + "/life/topsecret"}
        folder = self.daemon.folder if self.daemon else None
        files = {} if folder else {"schedule.yml": json.dumps(self.schedule), "pod.yml": POD}
        self.daemon = Daemon(RUN, files, environment=environment, folder=folder)
        self.daemon.wait_log(r" ready ", 30)

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    def mend(self):
        with open(os.path.join(self.daemon.folder, "well"), "w"):
            pass

    def pages(self):
        """["trigger", "resolve", …], as they came."""
        return [json.loads(entry["body"])["event_action"] for entry in self.receiver.requests("POST", QUEUE)]

    def wait_pages(self, expected):
        wait_for(lambda: self.pages() == expected, 40, f"{expected}, but {self.pages()}")

    def wait_runs(self, what, count):
        """So many more runs of this daemon end; what was told before is in its state by then."""
        before = self.daemon.log().count(what)
        wait_for(lambda: self.daemon.log().count(what) >= before + count, 40, f"{count} times {what!r}")


@test("killed while a job fails: the next daemons page nobody again, and resolve it once, by the same key", seconds=180)
def _():
    world = World()
    world.start()
    world.wait_pages(["trigger"])
    for _ in range(2):
        world.wait_runs("run failed", 3)
        world.kill()
        world.start()
    world.wait_runs("run failed", 3)
    assert world.pages() == ["trigger"], world.pages()
    world.kill()
    world.mend()
    world.start()
    world.wait_pages(["trigger", "resolve"])
    world.wait_runs("run succeeded", 3)
    world.kill()
    world.start()
    world.wait_runs("run succeeded", 3)
    assert world.pages() == ["trigger", "resolve"], world.pages()
    keys = {json.loads(entry["body"])["dedup_key"] for entry in world.receiver.requests("POST", QUEUE)}
    assert len(keys) == 1, keys


@test("killed while the service does not answer: the next daemon tells the trigger, and in the same way the end",
      seconds=180)
def _():
    world = World()
    expected = []
    for action, over in (("trigger", "run failed"), ("resolve", "run succeeded")):
        world.receiver.fault("stall", path=QUEUE)
        world.start()
        expected.append(action)
        world.wait_pages(expected)  # and no answer to it
        world.wait_runs(over, 2)
        world.kill()
        time.sleep(1)
        world.start()
        expected.append(action)
        world.wait_pages(expected)
        world.wait_runs(over, 3)
        assert world.pages() == expected, world.pages()
        world.kill()
        world.mend()


@test("a reload while a job fails: nobody is paged again, and the end is told", seconds=120)
def _():
    world = World()
    world.start()
    world.wait_pages(["trigger"])
    world.schedule["settings"]["alerts"]["repeat"] = "8h"
    world.schedule["tick"]["description"] = "changed"
    world.daemon.write("schedule.yml", json.dumps(world.schedule))
    world.daemon.wait_log("reloaded", 30)
    world.wait_runs("run failed", 3)
    assert world.pages() == ["trigger"], world.pages()
    world.mend()
    world.wait_pages(["trigger", "resolve"])


@test("the daemon tells check-ins and signs of life what it does; a page that the service refuses goes to the fallback",
      seconds=90)
def _():
    world = World({"sentry_checkins": {"dsn": {"env": "DSN"}}, "dead_man": {"url": {"env": "LIFE_URL"}}})
    url = world.receiver.url
    world.schedule["settings"]["alerts"].update({
        "pagerduty": {"routing_key": {"env": "PD_KEY"}, "endpoint": url + QUEUE}, "fallback": "slack",
        "slack": {"url": {"env": "LIFE_URL"}}})
    world.receiver.fault("answer", path=QUEUE, status=403, body="no such key", times=0)
    world.receiver.fault("answer", method="POST", path="/life/", status=200, body="ok", times=0)
    world.start()
    told = wait_for(lambda: world.receiver.requests("POST", "/life/"), 40, "a message to the fallback")
    assert "(the route pagerduty did not take this)" in told[0]["body"], told
    wait_for(lambda: world.receiver.requests("GET", "/life/"), 40, "a sign of life")
    wait_for(lambda: len(world.receiver.requests("POST", "/envelope/")) >= 2, 40, "check-ins")
    entries = world.receiver.requests("POST", "/envelope/")
    assert not [found for entry in entries for found in alert_checks.sentry_envelope(entry, "topsecretpublic")]
    start, end = [json.loads(entry["body"].split("\n")[2]) for entry in entries[:2]]
    assert (start["status"], end["status"]) == ("in_progress", "error"), (start, end)
    assert start["check_in_id"] == end["check_in_id"] and start["monitor_slug"] == "tick"
    never(lambda: len(world.receiver.requests("POST", "/life/")) > 1, 2, "a second message")


main()
