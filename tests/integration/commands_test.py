#!/usr/bin/python3
"""Commands to a running daemon: over its socket, and through ConfigMaps of the fake API server."""

import json
import os
import re
import signal
import subprocess
import time

from fake_clients import MAPS
from harness import BINARY, Daemon, FakeApi, main, never, run_binary, temporary_folder, test, wait_for

ECHO = 'echo "hello $@"; sleep ${SECONDS_TO_RUN:-0}'
TICK = {"cron": "* * * * * *", "template": "pod.json", "overlap": "allow"}
HOURLY = {"cron": "0 * * * *", "template": "pod.json", "overlap": "allow"}
YEARLY = {"cron": "0 0 1 1 *", "template": "pod.json"}


def pod(script=ECHO, seconds=0):
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{
        "name": "main", "image": "busybox", "command": ["sh", "-c", script, "sh"],
        "env": [{"name": "SECONDS_TO_RUN", "value": str(seconds)}]}]}})


def files(seconds=0, **jobs):
    return {"schedule.yml": json.dumps({"settings": {"cron_dialect": "standard"}, **jobs}), "pod.json": pod(ECHO, seconds)}


def instant(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Scheduler:
    """A daemon and the commands that reach it."""

    def __init__(self, api=None, seconds=0, more=None, **jobs):
        self.api, self.folder, self.files = api, temporary_folder(), {**files(seconds, **jobs), **(more or {})}
        self.start()

    def start(self):
        where = "kubernetes" if self.api else "local"
        self.daemon = Daemon(["run", "--executor", where], self.files, folder=self.folder, api=self.api)
        self.daemon.wait_log(r" ready ", 20)
        return self.daemon

    def command(self, *words, code=0, rest=(), **options):
        """Its stdout, and what it complains of; the code is checked."""
        environment = {"KUBECONFIG": self.api.kubeconfig} if self.api else {}
        where = "kubernetes" if self.api else "local"
        done = run_binary([*words, "--executor", where, *(["--", *rest] if rest else [])], cwd=self.folder,
                          environment=environment, **options)
        assert done.returncode == code, f"{words}: exit code {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def json(self, *words):
        return json.loads(self.command(*words, "--format", "json"))

    def history(self, job, count=1, seconds=20):
        """The job's records, newest first, once there are so many."""
        def look():
            rows = self.json("history", job, "--limit", "1000")
            return rows if len(rows) >= count else None
        return wait_for(look, seconds, f"{count} records of {job}")


@test("trigger runs a job once for each id, with its arguments, and tells who asked", seconds=60)
def _():
    s = Scheduler(yearly=YEARLY)
    s.command("trigger", "yearly", "--id", "abc", "--reason", "why not", rest=["one", "two"])
    s.daemon.wait_log("hello one two", 20)
    again = s.json("trigger", "yearly", "--id", "abc")
    assert again["again"], again
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    s.daemon.wait_log(rf"command job=yearly by={user} command=trigger reason=.why not. request=abc", 5)
    rows = s.history("yearly")
    assert [(row["trigger"], row["outcome"], row["by"]) for row in rows] == [("manual", "succeeded", user)], rows


@test("a job that is not there: the nearest name, exit code 1", seconds=40)
def _():
    s = Scheduler(yearly=YEARLY)
    for words in (["trigger", "yaerly"], ["suspend", "yaerly"], ["history", "yaerly"], ["explain", "yaerly", "now"],
                  ["backfill", "yaerly", "-2h", "now"]):
        assert "did you mean 'yearly'?" in s.command(*words, code=1), words
    assert "which job?" in s.command("trigger", code=2)
    assert "--id takes" in s.command("trigger", "yearly", "--id", "Not/good", code=2)


@test("a suspended job's slots are skipped with the reason, also after a restart, until it is resumed", seconds=90)
def _():
    s = Scheduler(tick=TICK)
    s.command("suspend", "tick", "--until", "+1h", "--reason", "release")
    s.daemon.wait_log(r"slot skipped job=tick .*reason=.suspended by .* until .*: release", 20)
    s.daemon.kill()
    s.daemon.wait()
    s.start().wait_log(r"slot skipped job=tick .*: release", 20)
    assert "run started" not in s.daemon.log()
    assert s.json("jobs", "tick")[0]["suspended"]["reason"] == "release"
    assert "it did not run: suspended" in s.command("explain", "tick", instant(s.history("tick")[0]["slot"]))
    s.command("resume", "tick")
    s.daemon.wait_log("run started job=tick", 20)
    assert "was not suspended" in s.command("resume", "tick")


@test("suspend: true in the schedule holds until somebody resumes it, also after a restart", seconds=90)
def _():
    s = Scheduler(tick={**TICK, "suspend": True})
    s.daemon.wait_log(r"slot skipped job=tick .*reason=.suspended by the schedule", 20)
    assert "which has no end" in s.command("suspend", "tick", "--until", "+1h", code=1)
    s.command("resume", "tick")
    s.daemon.wait_log("run started job=tick", 20)
    s.daemon.kill()
    s.daemon.wait()
    s.start().wait_log("run started job=tick", 20)
    s.command("suspend", "tick")
    s.daemon.wait_log(r"(?s)command=suspend.*slot skipped job=tick", 20)
    assert s.json("jobs", "tick")[0]["suspended"]["by"] == "the schedule"


@test("a pause of all jobs needs an end, is over at it, and a past end is refused", seconds=60)
def _():
    s = Scheduler(tick=TICK)
    assert "needs an end" in s.command("suspend", code=1)
    assert re.search(r"--until \S+ is past: it is \S+ now", s.command("suspend", "--until", "-1h", code=1))
    assert "is not a time" in s.command("suspend", "--until", "tomorrowish", code=2)
    s.command("suspend", "--until", "+5s")
    assert s.json("status")["paused"]["by"]
    s.daemon.wait_log(r"slot skipped .*reason=.paused", 20)
    s.daemon.wait_log(r"(?s)reason=.paused.*run started", 20)
    s.command("suspend", "--until", "+1h")
    assert "the pause is over" in s.command("resume")
    assert "there was no pause" in s.command("resume")


@test("backfill lists, refuses what is too much or makes no sense, and runs the slots oldest first", seconds=60)
def _():
    s = Scheduler(hourly=HOURLY)
    span = ["2026-01-01T00:00:00Z", "2026-01-01T04:00:00Z"]
    slots = [f"2026-01-01T0{hour}:00:00Z" for hour in range(1, 5)]
    assert s.command("backfill", "hourly", *span, "--dry-run").split() == slots
    assert "more than 1000 slots" in s.command("backfill", "hourly", "2025-01-01", "2026-01-01", code=1)
    assert "FROM must be before TO" in s.command("backfill", "hourly", *reversed(span), code=1)
    assert "still to come" in s.command("backfill", "hourly", "now", "+2h", code=1)
    assert s.json("backfill", "hourly", *span, "--id", "b1")["total"] == 4
    s.daemon.wait_log("backfill finished .*done=4 failed=0", 30)
    rows = s.history("hourly", 4)
    assert [instant(row["slot"]) for row in reversed(rows)] == slots
    assert {row["trigger"] for row in rows} == {"backfill"}
    assert not s.json("status")["backfills"]


@test("a daemon killed in the middle of a backfill: the next goes on, and each slot runs once", seconds=120)
def _():
    s = Scheduler(seconds=1, hourly=HOURLY)
    s.command("backfill", "hourly", "2026-01-01T00:00:00Z", "2026-01-01T10:00:00Z", "--parallel", "3")
    s.daemon.wait_log(r"(?s)(run succeeded job=hourly.*){3}", 30)
    s.daemon.kill()
    s.daemon.wait()
    s.start().wait_log(r"backfill goes on .*total=10", 20)
    s.daemon.wait_log(r"backfill finished .*done=10 ", 60)
    rows = s.history("hourly", 10)
    assert len({row["slot"] for row in rows}) == len(rows) == 10, rows
    # one that was killed between noting a run and starting it cannot know whether it began: it is not run again
    assert {row["outcome"] for row in rows} <= {"succeeded", "unknown"}, rows
    started = subprocess.run(["grep", "-c", "hello", "-r", "--include=output", "state/runs"], cwd=s.folder,
                             capture_output=True, text=True, check=False).stdout
    assert not re.search(r":[^01]", started), f"a run printed twice: {started}"


@test("a cancelled backfill starts no more slots", seconds=60)
def _():
    s = Scheduler(seconds=2, hourly=HOURLY)
    s.command("backfill", "hourly", "2026-01-01T00:00:00Z", "2026-01-01T10:00:00Z", "--id", "b1")
    s.daemon.wait_log("run started job=hourly", 20)
    assert "is cancelled" in s.command("backfill", "--cancel", "b1")
    s.daemon.wait_log("run succeeded job=hourly", 20)
    count = s.daemon.log().count("run started")
    never(lambda: s.daemon.log().count("run started") > count, 1, "another slot was started")
    assert "there is no backfill 'b1'" in s.command("backfill", "--cancel", "b1", code=1)


@test("history, explain and logs tell what became of runs", seconds=60)
def _():
    s = Scheduler(tick=TICK, hourly=HOURLY)
    row = s.history("tick")[0]
    assert row["outcome"] == "succeeded" and row["exit_code"] == 0 and row["log_tail"] == ["hello "], row
    assert s.command("logs", row["run"]) == "hello \n"
    assert s.command("logs", "tick", "-f") == "hello \n"
    assert "no output of a run or job 'none'" in s.command("logs", "none", code=1)
    assert "it ran (schedule), and succeeded" in s.command("explain", "tick", instant(row["slot"]))
    assert "it is no slot of this schedule" in s.command("explain", "hourly", "2026-01-01T00:30:00Z")
    assert "slots before that run by `backfill` only" in s.command("explain", "hourly", "2026-01-01T00:00:00Z")
    assert "still to come" in s.command("explain", "hourly", "2099-01-01T00:00:00Z")


@test("without a daemon jobs reads the file and says so; status fails and says what to check", seconds=30)
def _():
    s = Scheduler(yearly=YEARLY)
    s.daemon.kill()  # its socket stays
    s.daemon.wait()
    done = run_binary(["jobs", "--executor", "local", "--format", "json"], cwd=s.folder)
    assert done.returncode == 0 and json.loads(done.stdout)[0]["name"] == "yearly", done
    assert "this is what ./schedule.yml says" in done.stderr
    assert "is it running, and with the same --state-dir?" in s.command("status", code=1)


@test("another user's command is refused, with what to do", seconds=30)
def _():
    s = Scheduler(yearly=YEARLY)
    socket = os.path.join(s.folder, "state", "control.sock")
    if os.getuid() == 0:
        os.chmod(s.folder, 0o755)
        complaint = s.command("status", code=1, user=65534)
    else:
        os.chmod(socket, 0)
        complaint = s.command("status", code=1)
    assert "run this as the user of the daemon" in complaint, complaint
    assert os.stat(socket).st_mode & 0o077 == 0


def requests(api):
    return [each for each in api.objects("configmaps") if "-request-" in each["metadata"]["name"]]


def cluster(**jobs):
    api = FakeApi()
    api.control("hollow", {"run_seconds": 0.1, "log": "hello"})
    return Scheduler(api, **jobs)


@test("in a cluster a request is a ConfigMap that goes when it was answered", seconds=60)
def _():
    s = cluster(yearly=YEARLY, hourly=HOURLY)
    s.command("trigger", "yearly", "--id", "abc")
    s.daemon.wait_log("run succeeded job=yearly .*-mabc", 20)
    assert s.json("trigger", "yearly", "--id", "abc")["again"]
    assert len(s.api.history("pods")) == 1
    s.command("suspend", "yearly", "--reason", "r")
    assert s.json("jobs", "yearly")[0]["suspended"]["reason"] == "r"
    assert s.json("status")["leader"]["lease"] == "kube-scheduler-jobs"
    assert s.history("yearly")[0]["outcome"] == "succeeded"
    assert s.command("logs", "yearly") == "hello\n"
    assert "did you mean 'yearly'?" in s.command("trigger", "yaerly", code=1)
    assert not requests(s.api), "a request was left over"
    made = [each["name"] for each in s.api.history("configmaps") if "-request-" in each["name"]]
    assert "kube-scheduler-request-abc" in made and len(made) == len(set(made)) + 1, made


@test("orders hold and a backfill goes on after a failover", seconds=120)
def _():
    s = cluster(tick=TICK, hourly=HOURLY)
    s.command("suspend", "tick")
    s.command("backfill", "hourly", "2026-01-01T00:00:00Z", "2026-01-01T20:00:00Z")
    s.daemon.wait_log(r"(?s)(run succeeded job=hourly.*){3}", 30)
    s.daemon.kill(signal.SIGTERM)
    s.daemon.wait()
    s.start().wait_log(r"backfill finished .*done=20 failed=0", 60)
    assert "run started job=tick" not in s.daemon.log()
    names = [each["name"] for each in s.api.history("pods") if each["name"].startswith("hourly")]
    assert len(names) == len(set(names)) == 20, names


@test("a request whose asker died long ago is not acted on", seconds=60)
def _():
    api = FakeApi()
    api.control("clock-skew", {"seconds": -100})
    request = {"command": "trigger", "job": "yearly", "id": "old", "by": "dead"}
    api.create(MAPS, {"metadata": {"name": "kube-scheduler-request-old", "labels": {
        "kube-scheduler/instance": "kube-scheduler", "kube-scheduler/request": "pending"}},
        "data": {"request": json.dumps(request)}})
    api.control("clock-skew", {"seconds": 0})
    s = Scheduler(api, yearly=YEARLY)
    answered = wait_for(lambda: [each for each in requests(api) if "answer" in each["data"]], 20, "answer")[0]
    assert "nobody waits for it any more" in json.loads(answered["data"]["answer"])["error"]
    assert answered["metadata"]["annotations"]["kube-scheduler/answered"]
    never(lambda: api.history("pods"), 1, "it was acted on")
    assert "run asked for" not in s.daemon.log()


@test("a request that nobody can read is answered so, and harms nothing", seconds=60)
def _():
    s = cluster(yearly=YEARLY)
    for number, text in enumerate(("", "[]", "{", '{"id": 5}', '{"id": "x", "command": "explode"}')):
        s.api.create(MAPS, {"metadata": {"name": f"kube-scheduler-request-bad{number}", "labels": {
            "kube-scheduler/instance": "kube-scheduler", "kube-scheduler/request": "pending"}},
            "data": {"request": text}})
    wait_for(lambda: len([each for each in requests(s.api) if "error" in each["data"].get("answer", "")]) == 5, 20,
             "answers")
    s.command("trigger", "yearly")


@test("no answer: who leads is said, and nothing is left to be acted on later", seconds=60)
def _():
    s = cluster(yearly=YEARLY)
    s.daemon.kill(signal.SIGTERM)
    s.daemon.wait()
    complaint = s.command("trigger", "yearly", "--timeout", "1s", code=1)
    assert "no answer within 1 s; nobody leads" in complaint, complaint
    assert not requests(s.api)
    complaint = s.command("trigger", "yearly", "--timeout", "1s", "--instance", "other", code=1)
    assert "there is no Lease default/other-jobs" in complaint, complaint


@test("--format, or -o: a table, a wider one, JSON, YAML, names only", seconds=60)
def _():
    s = Scheduler(yearly=YEARLY)
    assert s.command("jobs", "-o", "name") == "yearly\n"
    assert "0 0 1 1 *" not in s.command("jobs") and "0 0 1 1 *" in s.command("jobs", "-o", "wide")
    assert s.json("jobs")[0]["cron"] == ["0 0 1 1 *"]
    assert "name: yearly" in s.command("jobs", "--format=yaml")
    assert s.command("jobs", "--format", "text") == s.command("jobs", "--format", "table")
    assert "one of table, wide, json, yaml, name" in s.command("jobs", "-o", "xml", code=2)
    run = s.command("trigger", "yearly", "-o", "name").strip()
    assert [row["run"] for row in s.history("yearly")] == [run]
    assert s.command("history", "-o", "name").split() == [run]
    assert s.command("status", "-o", "name") == "kube-scheduler\n"


@test("trigger --wait copies the output and ends as the run does; with retries it is the last attempt", seconds=90)
def _():
    fails = {**YEARLY, "template": "fails.json"}
    s = Scheduler(yearly=YEARLY, fails=fails, retried={**fails, "retries": {"max": 1, "delay": "1s"}},
                  more={"fails.json": pod("echo so; exit 3")})
    assert s.command("trigger", "yearly", "--wait", rest=["you"]) == "hello you\n"
    assert "failed, exit code 3" in s.command("trigger", "fails", "--wait", code=1)
    waited = subprocess.run([BINARY, "trigger", "retried", "--wait", "--executor", "local"], cwd=s.folder,
                            capture_output=True, text=True, timeout=60)
    assert waited.returncode == 1 and re.search(r"-r1 failed, exit code 3", waited.stderr), waited
    assert waited.stdout.endswith("so\n") and waited.stdout.count("so\n") <= 2, waited


@test("backfill --wait ends when the last run is over, and fails when one did", seconds=60)
def _():
    s = Scheduler(hourly=HOURLY, seldom={**HOURLY, "template": "fails.json"}, more={"fails.json": pod("exit 3")})
    span = ["2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z", "--parallel", "3", "--wait"]
    assert s.command("backfill", "hourly", *span) == ""
    assert len(s.history("hourly", 3)) == 3
    assert "3 slots, 3 not well" in s.command("backfill", "seldom", *span, code=1)


@test("jobs without a daemon and without a schedule says so and fails", seconds=30)
def _():
    done = run_binary(["jobs", "--executor", "local"], cwd=temporary_folder())
    assert done.returncode == 1 and not done.stdout and "the schedule cannot be read" in done.stderr, done


@test("--watch prints again what has changed", seconds=60)
def _():
    s = Scheduler(yearly=YEARLY)
    watch = subprocess.Popen([BINARY, "history", "--watch", "--executor", "local", "-o", "name"], cwd=s.folder,
                             stdout=subprocess.PIPE, text=True)
    try:
        run = s.command("trigger", "yearly", "-o", "name").strip()
        first = watch.stdout.readline().strip()
        assert first == run, (first, run, watch.poll())
        other = s.command("trigger", "yearly", "-o", "name").strip()
        assert [watch.stdout.readline().strip() for _ in range(3)] == ["", other, run]
    finally:
        watch.kill()


main()
