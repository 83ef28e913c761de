#!/usr/bin/python3
"""Alerts from a script of one's own, over TLS, to a local stand-in for Honeybadger and Sentry."""

import json
import os
import re

import alert_checks
from harness import ROOT, Receiver, main, run_binary, temporary_folder, test

KEY, PUBLIC = "hbptopsecret", "topsecretpublic"

# Sends as many events as arg[1] says, prints each one's outcome, then each pause and each route's counts.
# A second of waiting takes 10 ms.
SCRIPT = """
local alert, cjson, task = require "alert", require "cjson", require "task"
local pauses = {}
local function sleep(seconds)
  if seconds >= 1 then pauses[#pauses + 1] = seconds end
  task.sleep(seconds / 100)
end
local settings = cjson.decode(arg[2])
local sender = assert(alert.new{instance = "test", environment = "ci", settings = settings, sleep = sleep})
for i = 1, tonumber(arg[1]) do
  sender:send({kind = "failed", job = "nightly", namespace = "batch", run = "nightly-" .. i, slot_time = 60 * i,
               attempt = 1, trigger = "schedule", exit_code = 3, reason = "Error",
               log_tail = {"fine €", "bad \\xff\\0\\27[31m"}},
              function(ok) print(i, ok) end)
end
while not sender:flush(1) do end
print(cjson.encode{pauses = pauses, stats = sender.stats})
"""


class Result:
    """What a run of the script printed."""

    def __init__(self, done):
        assert done.returncode == 0, done.stderr
        *outcomes, last = done.stdout.splitlines()
        self.outcomes = [line.split("\t")[1] == "true" for line in outcomes]
        self.pauses, self.stats = (json.loads(last)[name] for name in ("pauses", "stats"))
        self.log = done.stderr
        for secret in (KEY, PUBLIC):
            assert secret not in done.stdout + done.stderr, done.stderr


def send(honeybadger=None, sentry=None, count=1, settings=None, ca=None):
    """Sends events to those receivers that are given."""
    environment = {"no_proxy": "127.0.0.1", "SSL_CERT_FILE": ca or (honeybadger or sentry).ca}
    settings = {"honeybadger": {}, **(settings or {})}
    if honeybadger:
        environment["HONEYBADGER_API_KEY"] = KEY
        settings["honeybadger"]["endpoint"] = honeybadger.url
    if sentry:
        environment["SENTRY_DSN"] = sentry.url.replace("://", f"://{PUBLIC}@") + "/prefix/42"
    path = os.path.join(temporary_folder(), "script.lua")
    with open(path, "w") as file:
        file.write(SCRIPT)
    return Result(run_binary([path, str(count), json.dumps(settings)], environment=environment))


def violations(receiver):
    checks = [(alert_checks.honeybadger_notice if entry["path"] == "/v1/notices" else alert_checks.sentry_envelope)(entry)
              for entry in receiver.requests("POST")]
    return [violation for found in checks for violation in found]


def event_id(request):
    return json.loads(request["body"].split("\n")[0])["event_id"]


@test("both services take what is sent, broken bytes in the log included")
def _():
    receiver = Receiver()
    result = send(receiver, receiver)
    assert result.outcomes == [True], result.log
    assert not violations(receiver), violations(receiver)
    bodies = {entry["path"]: entry["body"] for entry in receiver.requests("POST")}
    assert set(bodies) == {"/v1/notices", "/prefix/api/42/envelope/"}, bodies
    notice = json.loads(bodies["/v1/notices"])
    event = json.loads(bodies["/prefix/api/42/envelope/"].split("\n")[2])
    assert notice["request"]["context"]["log_tail"] == event["extra"]["log_tail"] == "fine €\nbad \ufffd\ufffd"
    assert notice["error"]["token"].replace("-", "") == event["event_id"]


@test("a certificate of unknown authorities is refused")
def _():
    receiver, other = Receiver(), Receiver()
    result = send(receiver, ca=other.ca)
    assert result.outcomes == [False], result.log
    assert not receiver.requests("POST")


@test("a route's own ca_file comes first")
def _():
    receiver, other = Receiver(), Receiver()
    result = send(receiver, ca=other.ca, settings={"honeybadger": {"ca_file": receiver.ca}})
    assert result.outcomes == [True], result.log


@test("honeybadger: 429 with Retry-After, then the same notice again")
def _():
    receiver = Receiver()
    receiver.script_statuses("/v1/notices", [429], headers={"Retry-After": "17"})
    result = send(receiver)
    first, second = receiver.requests("POST")
    assert result.outcomes == [True] and result.pauses == [17], result.log
    assert first["body"] == second["body"]


@test("honeybadger: 500 three times is the end of that alert, not of the next")
def _():
    receiver = Receiver()
    receiver.script_statuses("/v1/notices", [500, 500, 500])
    result = send(receiver, count=2)
    assert result.outcomes == [False, True], result.log
    assert len(result.pauses) == 2 and 2.5 <= result.pauses[0] <= 7.5 and 15 <= result.pauses[1] <= 45, result.pauses
    assert result.stats["honeybadger"] == {"delivered": 1, "failed": 1, "dropped": 0, "retried": 2}, result.stats
    assert result.log.count("route_error") == 1 and "nightly-1" in result.log, result.log


@test("honeybadger: 403 suspends the route, said once")
def _():
    receiver = Receiver()
    receiver.fault("answer", path="/v1/notices", status=403, body=f"no such key: {KEY}", times=0)
    result = send(receiver, count=3)
    assert result.outcomes == [False] * 3, result.log
    assert len(receiver.requests("POST")) == 1
    assert result.log.count("route_error") == 1 and "suspended" in result.log, result.log


@test("a service that hangs and then hangs up delays no other")
def _():
    receiver = Receiver()
    receiver.fault("stall", path="/v1/notices")
    receiver.fault("close", path="/v1/notices")
    result = send(receiver, receiver, count=2, settings={"honeybadger": {"timeout": 1}})
    assert result.outcomes == [True, True], result.log
    assert result.stats["honeybadger"]["retried"] == 2, result.stats
    order = [entry["path"] for entry in receiver.requests("POST")]
    assert order[:3].count("/prefix/api/42/envelope/") == 2, order


@test("sentry: an event without an answer goes again with the same id, an answered one does not", seconds=90)
def _():
    for statuses, hits, outcome in ((["close", "close"], 3, True), (["close"] * 3, 3, False), ([500], 1, False),
                                    ([413], 1, False), ([429], 1, False)):
        receiver = Receiver()
        for status in statuses:
            receiver.fault(**{"action": status} if status == "close" else {"action": "answer", "status": status})
        result = send(sentry=receiver)
        ids = [event_id(entry) for entry in receiver.requests("POST")]
        assert result.outcomes == [outcome] and len(ids) == hits and len(set(ids)) == 1, (statuses, ids, result.log)
        assert not violations(receiver), violations(receiver)


@test("sentry: a limit that comes with a success holds the next event")
def _():
    receiver = Receiver()
    receiver.fault("answer", status=200, body="{}", headers={"X-Sentry-Rate-Limits": "9:monitor:key, 23:error;default:key"})
    result = send(sentry=receiver, count=2)
    assert result.outcomes == [True, True], result.log
    assert len(result.pauses) == 1 and 22 <= result.pauses[0] <= 24, result.pauses


def documented(name):
    """The sample of that name in lua/ALERTS.md: the block that begins with a comment of it."""
    with open(os.path.join(ROOT, "lua", "ALERTS.md")) as file:
        return re.search(rf"```lua\n(-- {re.escape(name)}:.*?)```", file.read(), re.DOTALL).group(1)


@test("the documented samples do what they say")
def _():
    receiver = Receiver()
    folder = temporary_folder()
    os.makedirs(os.path.join(folder, "hooks", "alerts"))
    for name in ("send.lua", "hooks/alerts/mattermost.lua", "try-mattermost.lua"):
        with open(os.path.join(folder, name), "w") as file:
            file.write(documented(name))
    off = {"HONEYBADGER_API_KEY": "", "SENTRY_DSN": ""}
    done = run_binary(["send.lua"], environment=off, cwd=folder)
    assert done.stdout == "all routes have it\nlog delivered 1\n", done
    webhook = {**off, "MATTERMOST_WEBHOOK": receiver.url + "/hooks/topsecret", "SSL_CERT_FILE": receiver.ca,
               "no_proxy": "127.0.0.1"}
    done = run_binary(["try-mattermost.lua"], environment=webhook, cwd=folder)
    assert done.stdout == "sent\n" and "topsecret" not in done.stderr, done
    assert receiver.requests("POST")[0]["body"] == '{"text":"nightly recovered"}'
    done = run_binary(["try-mattermost.lua"], environment=off, cwd=folder)
    assert done.returncode != 0 and "mattermost: set MATTERMOST_WEBHOOK" in done.stderr, done


main()
