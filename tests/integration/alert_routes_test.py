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

import alert_checks
from alert_kit import FAILED, OVER, SCRIPT, post, send
from harness import HERE, Process, Receiver, main, run_binary, temporary_folder, test


def bodies(requests):
    return [json.loads(entry["body"]) for entry in requests]


def delivered(sent, count):
    assert sent.counts == {"delivered": count, "failed": 0, "dropped": 0, "retried": 0}, sent.log


@test("slack: two messages to the secret address", seconds=60)
def _():
    sent = post("slack", {"url": {"env": "SLACK_URL"}})
    delivered(sent, 2)
    assert [entry["path"] for entry in sent.requests] == ["/services/T/B/topsecret"] * 2, sent.requests
    for body in bodies(sent.requests):
        assert set(body) == {"text"} and 0 < len(body["text"]) < 3000, body
        assert not re.search(r"<|&(?!amp;|lt;|gt;)", body["text"]), body


@test("pagerduty: a trigger and a resolve of one dedup_key", seconds=60)
def _():
    sent = post("pagerduty", {"routing_key": {"env": "PD_KEY"}, "endpoint": "{url}/v2/enqueue"})
    delivered(sent, 2)
    trigger, resolve = bodies(sent.requests)
    assert trigger["event_action"] == "trigger" and resolve["event_action"] == "resolve"
    assert trigger["dedup_key"] == resolve["dedup_key"] and 0 < len(trigger["dedup_key"]) <= 255
    payload = trigger["payload"]
    assert payload["severity"] in ("critical", "error", "warning", "info") and payload["source"]
    assert 0 < len(payload["summary"]) <= 1024 and len(sent.requests[0]["body"]) <= 512_000
    assert trigger["routing_key"] == resolve["routing_key"] == "topsecretpd"


@test("opsgenie: an alert, and its close by alias", seconds=60)
def _():
    sent = post("opsgenie", {"api_key": {"env": "OG_KEY"}, "endpoint": "{url}/v2/alerts"})
    delivered(sent, 2)
    alert = json.loads(sent.requests[0]["body"])
    assert len(alert["message"]) <= 130 and len(alert["alias"]) <= 512 and len(alert["description"]) <= 15_000
    assert alert["priority"] in ("P1", "P2", "P3", "P4", "P5")
    assert all(isinstance(value, str) for value in alert["details"].values()), alert
    assert sent.requests[1]["target"] == f"/v2/alerts/{alert['alias']}/close?identifierType=alias", sent.requests[1]
    assert sent.requests[0]["headers"]["authorization"] == "GenieKey topsecretog"


@test("alertmanager: every member is told, by one set of labels, which ends", seconds=60)
def _():
    first, second = Receiver(), Receiver(tls=False)
    first.fault("answer", path="/api/v2/alerts", status=500, times=0)
    sent = post("alertmanager", {"urls": [first.url, second.url]}, receiver=first)
    delivered(sent, 2)
    (firing,), (over,) = bodies(second.requests())
    assert len(sent.requests) == 2 and firing["labels"] == over["labels"] and firing["labels"]["alertname"]
    assert all(isinstance(value, str) for value in firing["labels"].values())
    assert "run" not in firing["labels"] and over["endsAt"] < firing["endsAt"], (firing, over)


@test("webhook: signed bytes, the same id in each try", seconds=60)
def _():
    receiver = Receiver()
    receiver.script_statuses("/hook/topsecret", [502, 429])
    sent = post("webhook", {"url": {"env": "HOOK_URL"}, "secret": {"env": "HOOK_KEY"}}, [FAILED], receiver)
    assert sent.counts["delivered"] == 1 and sent.counts["retried"] == 2 and len(sent.requests) == 3, sent.counts
    for entry in sent.requests:
        headers = entry["headers"]
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{entry['body']}".encode()
        expected = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == "v1," + expected, headers
    assert len({entry["headers"]["webhook-id"] for entry in sent.requests}) == 1
    assert len(sent.requests[0]["body"]) < 20_000


@test("healthchecks: start and end of a run under one rid", seconds=60)
def _():
    started = {**FAILED, "kind": "started", "log_tail": None}
    sent = post("healthchecks", {"ping_key": {"env": "PING_KEY"}, "endpoint": "{url}/ping"},
                               [started, FAILED, {**OVER, "kind": "succeeded"}])
    delivered(sent, 3)
    paths = [entry["target"] for entry in sent.requests]
    assert [re.sub(r"rid=[0-9a-f-]{36}$", "rid", path) for path in paths] == [
        "/ping/topsecretping/nightly/start?create=1&rid", "/ping/topsecretping/nightly/fail?create=1&rid",
        "/ping/topsecretping/nightly?create=1&rid"], paths
    assert paths[0][-36:] == paths[1][-36:] != paths[2][-36:]
    assert len(sent.requests[1]["body"].encode()) <= 10_000 and sent.requests[1]["body"].endswith("\n.")


@test("honeybadger and sentry: a notice, an event; their end is not told", seconds=60)
def _():
    sent = post("honeybadger", {"api_key": {"env": "HB_KEY"}, "endpoint": "{url}"})
    assert len(sent.requests) == 1 and not alert_checks.honeybadger_notice(sent.requests[0])
    sent = post("sentry", {"dsn": {"env": "DSN"}})
    assert len(sent.requests) == 1 and not alert_checks.sentry_envelope(sent.requests[0], "topsecretpublic")


@test("sentry_checkins: start and end of a run under one id, with the monitor's schedule", seconds=60)
def _():
    monitor = {"schedule": "0 5 * * *", "timezone": "Europe/Berlin", "timeout": 5400, "deadline": 300, "jitter": 0}
    events = [{**FAILED, "kind": "started", "monitor": monitor}, {**FAILED, "started": 100, "finished": 160},
              {**OVER, "job": "Nightly " + "x" * 60, "kind": "succeeded", "monitor": {"schedule": "0 0 5 * * *"}}]
    sent = post("sentry_checkins", {"dsn": {"env": "DSN"}}, events)
    delivered(sent, 3)
    assert not [alert_checks.sentry_envelope(entry, "topsecretpublic") for entry in sent.requests if
                alert_checks.sentry_envelope(entry, "topsecretpublic")], sent.requests
    start, end, other = [json.loads(entry["body"].split("\n")[2]) for entry in sent.requests]
    assert [start["status"], end["status"], other["status"]] == ["in_progress", "error", "ok"]
    assert start["check_in_id"] == end["check_in_id"] != other["check_in_id"] and end["duration"] == 60
    assert start["monitor_config"]["schedule"] == {"type": "crontab", "value": "0 5 * * *"}, start
    assert "monitor_config" not in other, other  # six fields are no crontab


@test("dead_man: a GET of the secret address, and nothing more", seconds=60)
def _():
    sent = post("dead_man", {"url": {"env": "LIFE_URL"}}, [{"kind": "alive", "job": "kube-scheduler"}])
    delivered(sent, 1)
    entry, = sent.requests
    assert (entry["method"], entry["target"], entry["body"]) == ("GET", "/life/topsecret", ""), entry


@test("a service that hangs, closes and throttles gets it in the end; one that refuses the key is left alone", seconds=60)
def _():
    receiver = Receiver()
    receiver.fault("stall", path="/services")
    receiver.fault("close", path="/services")
    sent = post("slack", {"url": {"env": "SLACK_URL"}, "timeout": 1}, [FAILED], receiver)
    assert sent.counts["delivered"] == 1 and sent.counts["retried"] == 2, sent.counts
    receiver.fault("answer", path="/services", status=403, body="invalid_token topsecret", times=0)
    sent = post("slack", {"url": {"env": "SLACK_URL"}}, [FAILED, OVER], receiver)
    assert sent.counts["failed"] == 2 and sent.log.count("suspended") == 1, (sent.counts, sent.log)


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
    sent = mail(server, [{**FAILED, "reason": "Größe"}, OVER], to=["ops@example.org", "x@refused.example"])
    assert sent.counts["delivered"] == 2, sent.log
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


@test("email: with TLS from the first byte, by a server that is vouched for", seconds=60)
def _():
    server, other = MailServer("implicit"), MailServer("implicit")
    sent = mail(server, tls="implicit")
    assert sent.counts["delivered"] == 1 and server.mails()[0]["known"], sent.log
    sent = mail(server, tls="starttls", timeout=1)  # it says nothing to who speaks first in the clear
    assert sent.counts["failed"] == 1, sent.log
    server.ca = other.ca
    sent = mail(server, tls="implicit")
    assert sent.counts["failed"] == 1 and len(server.mails()) == 1, sent.log


@test("email: nothing leaves in the clear, or to a server that nobody vouches for", seconds=60)
def _():
    server = MailServer("clear")
    sent = mail(server)
    assert sent.counts["failed"] == 1 and "suspended" in sent.log and not server.mails(), sent.log
    server, other = MailServer(), MailServer()
    server.ca = other.ca
    sent = mail(server)
    assert sent.counts["failed"] == 1 and not server.mails(), sent.log


@test("email: a wrong password suspends, a refusal is final, `later` is tried again, and so is silence", seconds=90)
def _():
    sent = mail(MailServer(), [FAILED, OVER], username="you")
    assert sent.counts["failed"] == 2 and sent.log.count("suspended") == 1, sent.log
    sent = mail(MailServer("refuses"))
    assert sent.counts == {"delivered": 0, "failed": 1, "dropped": 0, "retried": 0}, sent.log
    sent = mail(MailServer("busy"))
    assert sent.counts["delivered"] == 1 and sent.counts["retried"] == 2, sent.log
    for mode in ("hangs", "closes"):
        sent = mail(MailServer(mode), timeout=1)
        assert sent.counts["failed"] == 1 and sent.counts["retried"] == 2, (mode, sent.log)


main()
