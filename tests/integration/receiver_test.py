#!/usr/bin/python3
"""The alert receiver by itself, and the checks of what it receives."""

import copy
import gzip
import http.client
import json
import zlib

import alert_checks
from harness import Receiver, main, test

NOTICE = {
    "notifier": {"name": "kube-scheduler", "url": "https://example.com", "version": "1", "language": "lua"},
    "error": {"token": "0a5b6c7d-0000-4000-8000-000000000000", "class": "KubeScheduler::JobFailed", "message": "exit 1",
              "backtrace": [{"number": "3", "file": "schedule.yml", "method": "job"}], "tags": ["a"],
              "fingerprint": "0" * 40},
    "request": {"component": "job", "context": {"pod": "p"}},
    "server": {"environment_name": "test", "hostname": "h", "time": "2026-01-02T03:04:05Z", "pid": 7},
}
NOTICE_HEADERS = {"x-api-key": "k", "content-type": "application/json", "accept": "application/json",
                  "user-agent": "kube-scheduler 1; Lua 5.4; x86_64-linux"}
EVENT = {"event_id": "a" * 32, "timestamp": "2026-01-02T03:04:05Z", "platform": "other", "level": "error",
         "tags": {"job": "j"}, "fingerprint": ["j"],
         "exception": {"values": [{"type": "JobFailed", "value": "exit\n1"}]}}
CHECK_IN = {"check_in_id": "b" * 32, "monitor_slug": "job-1", "status": "ok", "duration": 1.5,
            "monitor_config": {"schedule": {"type": "crontab", "value": "0 2 * * *"}, "max_runtime": 30,
                               "timezone": "Europe/Paris"}}
ENVELOPE_HEADERS = {"content-type": "application/x-sentry-envelope", "user-agent": "kube-scheduler/1",
                    "x-sentry-auth": "Sentry sentry_version=7, sentry_client=kube-scheduler/1, sentry_key=k"}


def changed(value, path, new):
    """A copy with the value at a path ("a.b.0") replaced, or removed when new is None."""
    value = copy.deepcopy(value)
    *way, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = value
    for key in way:
        place = place[key]
    if new is None:
        del place[last]
    else:
        place[last] = new
    return value


def notice_request(notice, **headers):
    return {"method": "POST", "path": "/v1/notices", "headers": {**NOTICE_HEADERS, **headers},
            "body": json.dumps(notice)}


def envelope(*items, header=None, separator="\n"):
    lines = [json.dumps(header or {"event_id": "a" * 32, "sent_at": "2026-01-02T03:04:05Z"})]
    for kind, payload in items:
        text = json.dumps(payload)
        lines += [json.dumps({"type": kind, "length": len(text)}), text]
    return separator.join(lines) + separator


def envelope_request(body, path="/api/42/envelope/", **headers):
    return {"method": "POST", "path": path, "headers": {**ENVELOPE_HEADERS, **headers}, "body": body}


@test("it records, unpacks, and answers as the services do")
def _():
    receiver = Receiver()
    status, answer = receiver.request("POST", "/v1/notices", gzip.compress(b"a notice"), {"content-encoding": "gzip"})
    assert status == 201 and answer["id"]
    receiver.request("POST", "/api/1/envelope/", zlib.compress(b"an envelope"), {"content-encoding": "deflate"})
    assert receiver.request("POST", "/services/T/B/x", "{}") == (200, "ok")
    assert receiver.request("POST", "/v2/enqueue", "{}")[0] == 202
    assert [entry["body"] for entry in receiver.requests("POST")] == ["a notice", "an envelope", "{}", "{}"]


@test("it fails, throttles, hangs and closes as scripted")
def _():
    receiver = Receiver()
    receiver.script_statuses("/hook", [500, 429], headers={"Retry-After": "1"})
    receiver.fault("close", path="/hook")
    receiver.fault("stall", path="/hook")
    assert [receiver.request("POST", "/hook", "{}")[0] for _ in range(2)] == [500, 429]
    for lost in (http.client.RemoteDisconnected, TimeoutError):
        try:
            receiver.request("POST", "/hook", "{}", seconds=0.3)
            raise AssertionError("it answered")
        except lost:
            pass
    assert receiver.request("POST", "/hook", "{}")[0] == 200 and len(receiver.requests()) == 5


@test("Honeybadger: a good notice has no violation, each fault of one has")
def _():
    assert alert_checks.honeybadger_notice(notice_request(NOTICE)) == []
    for path, new in [("notifier.version", None), ("error.token", "x"), ("error.class", ""), ("error.message", None),
                      ("error.backtrace", []), ("error.backtrace.0.number", 3), ("error.tags.0", "two words"),
                      ("error.fingerprint", "short"), ("request", None), ("request.context", []), ("context", {}),
                      ("server.time", "yesterday"), ("server.time", "2026-01-02T03:04:05+02:00"), ("server.pid", "7"),
                      ("request.context.pod", "x" * 65_537), ("request.context.pod", ["x" * 60_000] * 5)]:
        assert alert_checks.honeybadger_notice(notice_request(changed(NOTICE, path, new))), (path, new)
    for name in NOTICE_HEADERS:
        assert alert_checks.honeybadger_notice(notice_request(NOTICE, **{name: ""})), name
    assert alert_checks.honeybadger_notice({**notice_request(NOTICE), "body": "{"})


@test("Sentry: good envelopes have no violation, each fault of one has")
def _():
    def violations(*arguments, **more):
        return alert_checks.sentry_envelope(envelope_request(*arguments, **more))
    assert violations(envelope(("event", EVENT), ("check_in", CHECK_IN)), path="/prefix/api/1/envelope/") == []
    for path, new in [("event_id", "A" * 32), ("timestamp", None), ("platform", "lua"), ("level", "bad"),
                      ("logger", "x" * 65), ("tags.job", 1), ("tags.job", "x" * 200), ("fingerprint", "j"),
                      ("exception", None), ("exception.values.0", {}), ("extra", "x" * (1 << 20))]:
        assert violations(envelope(("event", changed(EVENT, path, new)))), path
    for path, new in [("check_in_id", "short"), ("monitor_slug", "x" * 51), ("status", "missed"), ("duration", -1),
                      ("status", "in_progress"), ("monitor_config.schedule.value", "0 0 2 * * *"),
                      ("monitor_config.schedule.type", "interval"), ("monitor_config.max_runtime", 40_321)]:
        assert violations(envelope(("check_in", changed(CHECK_IN, path, new)))), path
    good = envelope(("event", EVENT))
    for body in [good.replace("\n", "\r\n"), good.replace('"length": ', '"length": 1'), envelope(), " " + good,
                 good.replace('"length"', '"size"'), envelope(("event", EVENT), header={"event_id": "a" * 32}),
                 good.replace('"sent_at"', '"sent_at": "2026-01-02T03:04:05Z", "sent_at"'), envelope(("log", EVENT))]:
        assert violations(body), body
    assert violations(good, path="/api/42/envelope") and violations(good, path="/api/42/store/")
    for name in ENVELOPE_HEADERS:
        assert violations(good, **{name: "x"}), name
    assert alert_checks.sentry_envelope(envelope_request(good), key="other")


main()
