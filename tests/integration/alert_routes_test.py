#!/usr/bin/python3
"""The alert routes for real: over TLS to a stand-in for the services, and by SMTP to a mail server, which fail, throttle,
hang and close. What each service takes is checked by the rules of its public documents."""

import base64
import email
import email.policy
import hashlib
import hmac
import json
import os
import re

from harness import HERE, Process, Receiver, main, run_binary, temporary_folder, test

KEY = base64.b64encode(b"k" * 32).decode()
SECRETS = {"SLACK_URL": "{url}/services/T/B/topsecret", "PD_KEY": "topsecretpd", "OG_KEY": "topsecretog",
           "HOOK_URL": "{url}/hook/topsecret", "HOOK_KEY": "whsec_" + KEY, "PING_KEY": "topsecretping",
           "MAIL_PASSWORD": "secret"}

# Sends what arg[2] lists, one after the other, to the route arg[1]; a second of waiting takes 10 ms.
SCRIPT = """
local alert, cjson, task = require "alert", require "cjson", require "task"
local settings, events = cjson.decode(arg[1]), cjson.decode(arg[2])
local name = next(settings)
local sender, err = alert.new{instance = "test", environment = "ci", settings = settings, routes = {name},
  sleep = function(seconds) task.sleep(seconds / 100) end}
if not sender then print("refused: " .. err) return 1 end
for _, e in ipairs(events) do sender:send(e) end
while not sender:flush(1) do end
print(cjson.encode(sender.stats[name]))
"""

FAILED = {"kind": "failed", "job": "nightly", "namespace": "batch", "run": "nightly-1", "slot_time": 60, "exit_code": 3,
          "incident": "failing", "since": 60, "log_tail": ["fine €", "<bad> & .", "."]}
OVER = {"kind": "recovered", "job": "nightly", "namespace": "batch", "run": "nightly-2", "incident": "failing", "since": 60}


def send(name, settings, events, url="", ca=None):
    """(counts of the route, what it logged)"""
    path = os.path.join(temporary_folder(), "script.lua")
    with open(path, "w") as file:
        file.write(SCRIPT)
    environment = {"no_proxy": "127.0.0.1", "SSL_CERT_FILE": ca or ""}
    environment.update({key: value.replace("{url}", url) for key, value in SECRETS.items()})
    done = run_binary([path, json.dumps({name: settings}), json.dumps(events)], environment=environment, seconds=60)
    said = done.stdout + done.stderr
    for secret in ("topsecret", KEY):
        assert secret not in said, said
    assert done.returncode == 0, said
    return json.loads(done.stdout.splitlines()[-1]), said


def post(name, settings, events=(FAILED, OVER), receiver=None):
    """(counts, requests, log)"""
    receiver = receiver or Receiver()
    settings = {key: value.replace("{url}", receiver.url) if isinstance(value, str) else value
                for key, value in settings.items()}
    counts, said = send(name, settings, events, receiver.url, receiver.ca)
    return counts, receiver.requests(), said


def bodies(requests):
    return [json.loads(entry["body"]) for entry in requests]


def delivered(counts, count):
    assert counts == {"delivered": count, "failed": 0, "dropped": 0, "retried": 0}, counts


@test("slack: two messages to the secret address", seconds=60)
def _():
    counts, requests, _ = post("slack", {"url": {"env": "SLACK_URL"}})
    delivered(counts, 2)
    assert [entry["path"] for entry in requests] == ["/services/T/B/topsecret"] * 2, requests
    for body in bodies(requests):
        assert set(body) == {"text"} and 0 < len(body["text"]) < 3000, body
        assert not re.search(r"<|&(?!amp;|lt;|gt;)", body["text"]), body


@test("pagerduty: a trigger and a resolve of one dedup_key", seconds=60)
def _():
    counts, requests, _ = post("pagerduty", {"routing_key": {"env": "PD_KEY"}, "endpoint": "{url}/v2/enqueue"})
    delivered(counts, 2)
    trigger, resolve = bodies(requests)
    assert trigger["event_action"] == "trigger" and resolve["event_action"] == "resolve"
    assert trigger["dedup_key"] == resolve["dedup_key"] and 0 < len(trigger["dedup_key"]) <= 255
    payload = trigger["payload"]
    assert payload["severity"] in ("critical", "error", "warning", "info") and payload["source"]
    assert 0 < len(payload["summary"]) <= 1024 and len(requests[0]["body"]) <= 512_000
    assert trigger["routing_key"] == resolve["routing_key"] == "topsecretpd"


@test("opsgenie: an alert, and its close by alias", seconds=60)
def _():
    counts, requests, _ = post("opsgenie", {"api_key": {"env": "OG_KEY"}, "endpoint": "{url}/v2/alerts"})
    delivered(counts, 2)
    alert = json.loads(requests[0]["body"])
    assert len(alert["message"]) <= 130 and len(alert["alias"]) <= 512 and len(alert["description"]) <= 15_000
    assert alert["priority"] in ("P1", "P2", "P3", "P4", "P5")
    assert all(isinstance(value, str) for value in alert["details"].values()), alert
    assert requests[1]["target"] == f"/v2/alerts/{alert['alias']}/close?identifierType=alias", requests[1]
    assert requests[0]["headers"]["authorization"] == "GenieKey topsecretog"


@test("alertmanager: every member is told, by one set of labels, which ends", seconds=60)
def _():
    first, second = Receiver(), Receiver(tls=False)
    first.fault("answer", path="/api/v2/alerts", status=500, times=0)
    counts, requests, _ = post("alertmanager", {"urls": [first.url, second.url]}, receiver=first)
    delivered(counts, 2)
    (firing,), (over,) = bodies(second.requests())
    assert len(requests) == 2 and firing["labels"] == over["labels"] and firing["labels"]["alertname"]
    assert all(isinstance(value, str) for value in firing["labels"].values())
    assert "run" not in firing["labels"] and over["endsAt"] < firing["endsAt"], (firing, over)


@test("webhook: signed bytes, the same id in each try", seconds=60)
def _():
    receiver = Receiver()
    receiver.script_statuses("/hook/topsecret", [502, 429])
    counts, requests, _ = post("webhook", {"url": {"env": "HOOK_URL"}, "secret": {"env": "HOOK_KEY"}}, [FAILED], receiver)
    assert counts["delivered"] == 1 and counts["retried"] == 2 and len(requests) == 3, counts
    for entry in requests:
        headers = entry["headers"]
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{entry['body']}".encode()
        expected = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == "v1," + expected, headers
    assert len({entry["headers"]["webhook-id"] for entry in requests}) == 1
    assert len(requests[0]["body"]) < 20_000


@test("healthchecks: start and end of a run under one rid", seconds=60)
def _():
    started = {**FAILED, "kind": "started", "log_tail": None}
    counts, requests, _ = post("healthchecks", {"ping_key": {"env": "PING_KEY"}, "endpoint": "{url}/ping"},
                               [started, FAILED, {**OVER, "kind": "succeeded"}])
    delivered(counts, 3)
    paths = [entry["target"] for entry in requests]
    assert [re.sub(r"rid=[0-9a-f-]{36}$", "rid", path) for path in paths] == [
        "/ping/topsecretping/nightly/start?create=1&rid", "/ping/topsecretping/nightly/fail?create=1&rid",
        "/ping/topsecretping/nightly?create=1&rid"], paths
    assert paths[0][-36:] == paths[1][-36:] != paths[2][-36:]
    assert len(requests[1]["body"].encode()) <= 10_000 and requests[1]["body"].endswith("\n.")


@test("a service that hangs, closes and throttles gets it in the end; one that refuses the key is left alone", seconds=60)
def _():
    receiver = Receiver()
    receiver.fault("stall", path="/services")
    receiver.fault("close", path="/services")
    counts, _, _ = post("slack", {"url": {"env": "SLACK_URL"}, "timeout": 1}, [FAILED], receiver)
    assert counts["delivered"] == 1 and counts["retried"] == 2, counts
    receiver.fault("answer", path="/services", status=403, body="invalid_token topsecret", times=0)
    counts, _, said = post("slack", {"url": {"env": "SLACK_URL"}}, [FAILED, OVER], receiver)
    assert counts["failed"] == 2 and said.count("suspended") == 1, (counts, said)


@test("a secret that is not set stops the start, by its name", seconds=60)
def _():
    path = os.path.join(temporary_folder(), "script.lua")
    with open(path, "w") as file:
        file.write(SCRIPT)
    done = run_binary([path, json.dumps({"slack": {"url": {"env": "NOT_THERE"}}}), "[]"])
    assert done.stdout == "refused: alerts: slack.url: the environment variable NOT_THERE is not set\n", done


class MailServer(Process):
    def __init__(self, mode="good"):
        self.folder = temporary_folder()
        tls = os.path.join(self.folder, "tls")
        super().__init__(["/usr/bin/python3", os.path.join(HERE, "smtp_server.py"), mode, "--tls", tls], self.folder, "mail")
        self.port, self.ca = int(self.wait_log(r"^listening (\d+)", 60).group(1)), os.path.join(tls, "ca.crt")

    def mails(self):
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]


def mail(server, events=(FAILED,), **settings):
    given = {"host": "127.0.0.1", "port": server.port, "from": "ks@example.org", "to": ["ops@example.org"],
             "username": "me", "password": {"env": "MAIL_PASSWORD"}, **settings}
    return send("email", given, events, ca=server.ca)


@test("email: one message by STARTTLS and AUTH, whole, with every line as it was", seconds=60)
def _():
    server = MailServer()
    counts, said = mail(server, [{**FAILED, "reason": "Größe"}, OVER], to=["ops@example.org", "x@refused.example"])
    assert counts["delivered"] == 2, said
    first, second = server.mails()
    assert first["known"] and "<ks@example.org>" in first["sender"], first
    assert len(first["recipients"]) == 1 and "<ops@example.org>" in first["recipients"][0], first
    assert not re.search(r"[^\r]\n|\r[^\n]", first["text"]) and first["text"].isascii()
    assert max(map(len, first["text"].split("\r\n"))) <= 78
    message = email.message_from_string(first["text"], policy=email.policy.default)
    assert message["subject"] == "nightly failed: exit code 3, Größe", message["subject"]
    assert message["from"].addresses[0].addr_spec == "ks@example.org" and message["date"].datetime.year == 2026
    assert message.get_content().replace("\r\n", "\n").endswith("fine €\n<bad> & .\n.\n"), message.get_content()
    again = email.message_from_string(second["text"], policy=email.policy.default)
    assert again["references"] == message["references"] and again["message-id"] != message["message-id"]


@test("email: nothing leaves in the clear, or to a server that nobody vouches for", seconds=60)
def _():
    server = MailServer("clear")
    counts, said = mail(server)
    assert counts["failed"] == 1 and "suspended" in said and not server.mails(), said
    server, other = MailServer(), MailServer()
    server.ca = other.ca
    counts, said = mail(server)
    assert counts["failed"] == 1 and not server.mails(), said


@test("email: a wrong password suspends, a refusal is final, `later` is tried again, and so is silence", seconds=90)
def _():
    counts, said = mail(MailServer(), [FAILED, OVER], username="you")
    assert counts["failed"] == 2 and said.count("suspended") == 1, said
    counts, said = mail(MailServer("refuses"))
    assert counts == {"delivered": 0, "failed": 1, "dropped": 0, "retried": 0}, said
    counts, said = mail(MailServer("busy"))
    assert counts["delivered"] == 1 and counts["retried"] == 2, said
    for mode in ("hangs", "closes"):
        counts, said = mail(MailServer(mode), timeout=1)
        assert counts["failed"] == 1 and counts["retried"] == 2, (mode, said)


main()
