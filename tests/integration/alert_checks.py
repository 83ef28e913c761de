"""Whether a recorded request is one that Sentry or Honeybadger would take: each check returns a list of violations.

A request is an entry of harness.Receiver.requests(). The rules are those of the services' public documents:
Honeybadger's "Reporting exceptions" API, Sentry's envelope, event payload and check-in developer documents.
"""

import datetime
import json
import re

NOTICE_LIMIT = 262_144  # bytes
STRING_LIMIT, DEPTH_LIMIT = 65_536, 20  # Honeybadger's own clients cut there
EVENT_LIMIT, CHECK_IN_LIMIT = 1 << 20, 100 << 10  # bytes of a Sentry item
HEX32 = re.compile(r"[0-9a-f]{32}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LEVELS = ("fatal", "error", "warning", "info", "debug")
UNITS = ("year", "month", "week", "day", "hour", "minute")
EVENT_STRINGS = {"logger": 64, "server_name": 256, "release": 200, "environment": 64, "transaction": 200}
MONITOR_NUMBERS = {"checkin_margin": 40_320, "max_runtime": 40_320, "failure_issue_threshold": 720,
                   "recovery_threshold": 720}
NOTICE_KEYS = {"notifier", "error", "request", "server", "details", "breadcrumbs", "correlation_context"}


class Checker:
    def __init__(self):
        self.violations = []

    def need(self, condition, violation):
        """Notes the violation unless the condition holds; returns whether it does."""
        if not condition:
            self.violations.append(violation)
        return bool(condition)

    def need_match(self, pattern, value, name):
        return self.need(isinstance(value, str) and re.fullmatch(pattern, value), f"{name}: {value!r}")

    def need_type(self, value, kind, name):
        return self.need(isinstance(value, kind) and not (kind is int and isinstance(value, bool)),
                         f"{name} is no {kind.__name__}: {value!r}")

    def json_object(self, text, name):
        """The decoded object, or None when it is none."""
        def unique(pairs):
            keys = [key for key, _ in pairs]
            self.need(len(keys) == len(set(keys)), f"{name} has a key twice: {keys}")
            return dict(pairs)
        try:
            value = json.loads(text, object_pairs_hook=unique)
        except ValueError as error:
            self.need(False, f"{name} is no JSON: {error}")
            return None
        return value if self.need_type(value, dict, name) else None

    def need_time(self, value, name):
        if self.need_type(value, str, name):
            try:
                moment = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
                self.need(moment.utcoffset() == datetime.timedelta(0), f"{name} is not UTC: {value}")
            except ValueError:
                self.need(False, f"{name} is no RFC 3339 time: {value}")

    def need_header(self, request, name, pattern):
        self.need_match(pattern, request["headers"].get(name), f"header {name}")


# Honeybadger

def honeybadger_notice(request):
    check = Checker()
    check.need(request["method"] == "POST" and request["path"] == "/v1/notices",
               f"{request['method']} {request['path']} instead of POST /v1/notices")
    check.need_header(request, "x-api-key", r"\S+")
    check.need_header(request, "content-type", r"application/json(;.*)?")
    check.need_header(request, "accept", r"application/json")
    check.need_header(request, "user-agent", r"\S+ [^;]+;.*|\S+/\S+.*")
    check.need(len(request["body"].encode()) <= NOTICE_LIMIT, f"the body is over {NOTICE_LIMIT} bytes")
    notice = check.json_object(request["body"], "notice")
    if notice is not None:
        check.need(set(notice) <= NOTICE_KEYS, f"unknown keys: {sorted(set(notice) - NOTICE_KEYS)}")
        _notifier(check, notice.get("notifier"))
        _notice_error(check, notice.get("error"))
        if check.need_type(notice.get("request"), dict, "request"):
            check.need_type(notice["request"].get("context", {}), dict, "request.context")
        _notice_server(check, notice.get("server"))
        _bounds(check, notice, "notice", 0)
    return check.violations


def _notifier(check, notifier):
    if check.need_type(notifier, dict, "notifier"):
        for key in ("name", "version", "language"):
            check.need_match(r".+", notifier.get(key), f"notifier.{key}")


def _notice_error(check, error):
    if not check.need_type(error, dict, "error"):
        return
    check.need_match(UUID, error.get("token"), "error.token")
    check.need_match(r"\S+", error.get("class"), "error.class")
    check.need_match(r"(?s).+", error.get("message"), "error.message")
    if "fingerprint" in error:
        check.need_match(r"[0-9a-f]{40}", error["fingerprint"], "error.fingerprint")
    check.need_type(error.get("causes", []), list, "error.causes")
    if check.need_type(error.get("tags", []), list, "error.tags"):
        for tag in error.get("tags", []):
            check.need_match(r"[^\s,]+", tag, "error.tags")
    if check.need_type(error.get("backtrace"), list, "error.backtrace"):
        check.need(error["backtrace"], "error.backtrace is empty: notices are grouped by it")
        for frame in error["backtrace"]:
            for key in ("number", "file", "method"):
                check.need_match(r".+", frame.get(key), f"error.backtrace.{key}")


def _notice_server(check, server):
    if check.need_type(server, dict, "server"):
        for key in ("environment_name", "hostname"):
            check.need_match(r".+", server.get(key), f"server.{key}")
        check.need_time(server.get("time"), "server.time")
        check.need_type(server.get("pid"), int, "server.pid")


def _bounds(check, value, name, depth):
    if not check.need(depth <= DEPTH_LIMIT, f"{name} is deeper than {DEPTH_LIMIT}"):
        return
    if isinstance(value, str):
        check.need(len(value.encode()) <= STRING_LIMIT, f"{name} is longer than {STRING_LIMIT} bytes")
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        _bounds(check, child, f"{name}.{key}", depth + 1)


# Sentry

def sentry_envelope(request, key=None):
    """key: the public key of the DSN, when it is to be compared."""
    check = Checker()
    check.need(request["method"] == "POST", f"{request['method']} instead of POST")
    check.need_match(r"(/[^/]+)*/api/[^/]+/envelope/", request["path"], "path")
    check.need_header(request, "content-type", r"application/x-sentry-envelope")
    check.need_header(request, "user-agent", r"\S+/\S+.*")
    check.need_header(request, "x-sentry-auth", r"Sentry sentry_version=7, sentry_client=[^ ,/]+/[^ ,]+, "
                      rf"sentry_key={re.escape(key) if key else '[^ ,]+'}(, sentry_secret=[^ ,]+)?")
    body = request["body"].encode()
    check.need(b"\r\n" not in body, "lines end with CR LF instead of LF")
    head, _, rest = body.partition(b"\n")
    header = _envelope_header(check, head)
    items = _items(check, rest)
    check.need(items, "no item")
    for kind, payload in items:
        _item(check, header, kind, payload)
    return check.violations


def _envelope_header(check, line):
    check.need(line == line.strip(), "padding around the envelope header")
    header = check.json_object(line, "envelope header") or {}
    check.need_time(header.get("sent_at"), "sent_at")
    check.need("dsn" not in header, "a dsn in the envelope header")
    if "event_id" in header:
        check.need_match(HEX32, header["event_id"], "event_id of the envelope")
    return header


def _items(check, data):
    """[(type, payload)], as far as the lengths lead."""
    items = []
    while data:
        line, _, data = data.partition(b"\n")
        header = check.json_object(line, "item header")
        if header is None or not check.need_type(header.get("length"), int, "length of an item"):
            break
        payload, data = data[:header["length"]], data[header["length"]:]
        if not check.need(len(payload) == header["length"], f"length {header['length']} is past the end"):
            break
        if not check.need(data[:1] in (b"", b"\n"), f"length {header['length']} ends before its payload"):
            break
        items.append((header.get("type"), payload))
        data = data[1:]
    return items


def _item(check, envelope, kind, payload):
    limits = {"event": EVENT_LIMIT, "check_in": CHECK_IN_LIMIT}
    if not check.need(kind in limits, f"unknown item type {kind!r}"):
        return
    check.need(len(payload) <= limits[kind], f"the {kind} item is over {limits[kind]} bytes")
    value = check.json_object(payload, kind)
    if value is not None:
        (_event if kind == "event" else _check_in)(check, envelope, value)


def _event(check, envelope, event):
    check.need_match(HEX32, event.get("event_id"), "event_id")
    check.need(event.get("event_id") == envelope.get("event_id"), "event_id differs from the envelope's")
    if not isinstance(event.get("timestamp"), (int, float)):
        check.need_time(event.get("timestamp"), "timestamp")
    check.need(event.get("platform") in ("other", "native"), f"platform: {event.get('platform')!r}")
    check.need(event.get("level", "error") in LEVELS, f"level: {event.get('level')!r}")
    for name, limit in EVENT_STRINGS.items():
        value = event.get(name, "")
        check.need(isinstance(value, str) and len(value) <= limit, f"{name} is no string of at most {limit}")
    if check.need_type(event.get("tags", {}), dict, "tags"):
        for name, value in event.get("tags", {}).items():
            check.need(isinstance(value, str) and len(value) < 200, f"tag {name} is no string under 200: {value!r}")
    fingerprint = event.get("fingerprint", [])
    check.need(isinstance(fingerprint, list) and all(isinstance(part, str) for part in fingerprint),
               f"fingerprint is no list of strings: {fingerprint!r}")
    _exceptions(check, event)


def _exceptions(check, event):
    check.need(any(key in event for key in ("exception", "logentry", "message")), "neither exception nor message")
    values = event.get("exception", {}).get("values", [])
    if check.need_type(values, list, "exception.values"):
        for value in values:
            check.need(value.get("type") or value.get("value"), "an exception without type and value")
            check.need_type(value.get("value", ""), str, "exception value")


def _check_in(check, envelope, value):
    check.need_match(HEX32, value.get("check_in_id"), "check_in_id")
    check.need_match(r"[a-z0-9_-]{1,50}", value.get("monitor_slug"), "monitor_slug")
    status = value.get("status")
    check.need(status in ("in_progress", "ok", "error"), f"status: {status!r}")
    if "duration" in value:
        check.need(status in ("ok", "error"), f"duration with status {status}")
        check.need(isinstance(value["duration"], (int, float)) and value["duration"] >= 0,
                   f"duration: {value['duration']!r}")
    if "monitor_config" in value and check.need_type(value["monitor_config"], dict, "monitor_config"):
        _monitor(check, value["monitor_config"])


def _monitor(check, config):
    schedule = config.get("schedule", {})
    if schedule.get("type") == "interval":
        check.need_type(schedule.get("value"), int, "value of the interval")
        check.need(schedule.get("unit") in UNITS, f"unit of the interval: {schedule.get('unit')!r}")
    else:
        check.need(schedule.get("type") == "crontab", f"type of the schedule: {schedule.get('type')!r}")
        check.need_match(r"@\w+|\S+( \S+){4}", schedule.get("value"), "crontab")
    for name, limit in MONITOR_NUMBERS.items():
        if name in config and check.need_type(config[name], int, name):
            check.need(1 <= config[name] <= limit, f"{name} is not within 1 to {limit}: {config[name]}")
    check.need_type(config.get("timezone", "UTC"), str, "timezone")
