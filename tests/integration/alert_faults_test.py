#!/usr/bin/python3
"""Each alert route against a service that throttles, fails, hangs, hangs up and refuses: what is tried again, with the
same bytes, after how long, and what is given up. What a route sends when all is well: alert_routes_test.py."""

import re

from alert_kit import FAILED, post
from harness import Receiver, main, test

# {route: (settings, path of its requests)}
REPEATING = {
    "honeybadger": ({"api_key": {"env": "HB_KEY"}, "endpoint": "{url}"}, "/v1/notices"),
    "slack": ({"url": {"env": "SLACK_URL"}}, "/services/"),
    "pagerduty": ({"routing_key": {"env": "PD_KEY"}, "endpoint": "{url}/v2/enqueue"}, "/v2/enqueue"),
    "opsgenie": ({"api_key": {"env": "OG_KEY"}, "endpoint": "{url}/v2/alerts"}, "/v2/alerts"),
    "alertmanager": ({"urls": ["{url}"]}, "/api/v2/alerts"),
    "webhook": ({"url": {"env": "HOOK_URL"}, "secret": {"env": "HOOK_KEY"}}, "/hook/"),
    "healthchecks": ({"ping_key": {"env": "PING_KEY"}, "endpoint": "{url}/ping"}, "/ping/"),
}
# Sentry asks its clients not to repeat what it has answered.
ONCE_ANSWERED = {
    "sentry": ({"dsn": {"env": "DSN"}}, "/envelope/"),
    "sentry_checkins": ({"dsn": {"env": "DSN"}}, "/envelope/"),
}
DEAD_MAN = ({"url": {"env": "LIFE_URL"}}, "/life/")
THROTTLED = {"action": "answer", "status": 429, "body": "slow down", "headers": {"Retry-After": "17"}}
BROKEN = {"action": "answer", "status": 500, "body": "oh no"}
REFUSED = {"action": "answer", "status": 400, "body": "not understood"}
HANGS, CLOSES, WORKS = {"action": "stall"}, {"action": "close"}, {"action": "delay"}


def through(name, route, count, faults, event=FAILED):
    """Sends so many events, one after the other; the first requests meet these faults, one each."""
    settings, path = route
    receiver = Receiver()
    for fault in faults:
        receiver.fault(path=path, **fault)
    events = [{**event, "run": f"nightly-{number}"} for number in range(1, count + 1)]
    sent = post(name, {**settings, "timeout": 1}, events, receiver)
    assert all(re.search(path, entry["path"]) for entry in sent.requests), sent.requests
    return sent


def same(requests):
    return len({(entry["target"], entry["body"]) for entry in requests}) == 1


def counts(**given):
    return {"delivered": 0, "failed": 0, "dropped": 0, "retried": 0, **given}


def repeats(name, route):
    @test(f"{name}: throttled, failed, hung and cut it arrives with the same bytes; refused it is given up", seconds=60)
    def _():
        sent = through(name, route, 4, [THROTTLED, BROKEN, WORKS, HANGS, CLOSES, WORKS, REFUSED])
        assert sent.counts == counts(delivered=3, failed=1, retried=4), sent.log
        assert len(sent.requests) == 8, sent.requests
        assert same(sent.requests[:3]) and same(sent.requests[3:6]), sent.requests
        assert sent.pauses[0] == 17 and 15 <= sent.pauses[1] <= 45, sent.pauses  # Retry-After; else 30 s, half jittered
        assert sent.log.count("kind=route_error") == 1 and "nightly-3" in sent.log, sent.log


def answered_once(name, route):
    @test(f"{name}: hung and cut it arrives with the same bytes, answered it is not repeated; 429 asks for silence",
          seconds=60)
    def _():
        sent = through(name, route, 4, [HANGS, CLOSES, WORKS, BROKEN, THROTTLED])
        assert sent.counts == counts(delivered=2, failed=2, retried=2), sent.log
        assert len(sent.requests) == 6 and same(sent.requests[:3]), sent.requests
        assert len(sent.pauses) == 3 and 15 <= sent.pauses[2] <= 17, sent.pauses


for case in REPEATING.items():
    repeats(*case)
for case in ONCE_ANSWERED.items():
    answered_once(*case)


@test("dead_man: nothing is repeated, the next sign of life comes in a minute; 429 asks for silence", seconds=60)
def _():
    alive = {"kind": "alive", "job": "kube-scheduler"}
    sent = through("dead_man", DEAD_MAN, 5, [BROKEN, HANGS, CLOSES, THROTTLED], alive)
    assert sent.counts == counts(delivered=1, failed=4), sent.log
    assert len(sent.requests) == 5 and len(sent.pauses) == 1 and 15 <= sent.pauses[0] <= 17, sent.pauses


main()
