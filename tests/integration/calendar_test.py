#!/usr/bin/python3
"""Calendars and freezes through the whole of it: what the commands show before, what a daemon does with its slots, what
becomes of a mistake, and of a backfill. Which days a calendar has: tests/lua/calendar_*_spec.lua."""

import json
import re
import time

from harness import Daemon, main, run_binary, temporary_folder, test, wait_for

POD = json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [
    {"name": "main", "image": "none", "command": ["true"]}]}})
FRIDAYS = 'return function(date) return date.weekday == "fri" and date.day > 24 end'
CALENDARS = {"holidays": ["12-25", "12-26"], "workdays": {"not": ["sat", "sun", "holidays"]}, "paydays": "paydays.lua"}
STOCKTAKING = {"from": "2027-01-04", "to": "2027-01-06", "reason": "stocktaking", "jobs": ["report"]}
ALWAYS = "mon..sun"
JOBS = {"report": {"cron": "0 7 * * *", "template": "pod.yml", "only_on": "workdays"},
        "pay": {"cron": "0 6 * * *", "template": "pod.yml", "only_on": "paydays"},
        "late": {"cron": "0 8 25 12 *", "template": "pod.yml", "only_on": "workdays", "move": "next"}}


def schedule(jobs, calendars=CALENDARS, freezes=(STOCKTAKING,)):
    return json.dumps({"settings": {"cron_dialect": "standard", "calendars": calendars, "freezes": list(freezes)}, **jobs},
                      indent=1)


def files(text):
    return {"schedule.yml": text, "pod.yml": POD, "hooks/calendars/paydays.lua": FRIDAYS}


class Folder:
    """A schedule, and the commands that read it."""

    def __init__(self, text=None):
        self.daemon = None
        self.path = temporary_folder()
        self.files = files(text or schedule(JOBS))

    def start(self):
        self.daemon = Daemon(["run", "--executor", "local"], self.files, folder=self.path)
        self.daemon.wait_log(" ready ", 30)
        return self

    def run(self, *words, code=0, text=None):
        if not self.daemon:
            self.daemon = Daemon(["version"], self.files, folder=self.path)  # writes the files
        done = run_binary([*words], cwd=self.path, input=text)
        assert done.returncode == code, f"{words}: exit code {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    def slots(self, *words):
        return [row["utc"][:16] for row in json.loads(self.run("next", *words, "--format", "json"))]


@test("next leaves dropped slots out, or shows them with the reason; moved ones have a note", seconds=60)
def _():
    folder = Folder()
    since = ["--from", "2026-12-24T12:00:00Z", "--count"]
    assert folder.slots("report", *since, "2") == ["2026-12-28T07:00", "2026-12-29T07:00"]
    assert folder.slots("pay", *since, "2") == ["2026-12-25T06:00", "2027-01-29T06:00"]
    assert folder.slots("report", "--from", "2027-01-01T08:00:00Z", "--count", "1") == ["2027-01-06T07:00"]
    lines = folder.run("next", "report", *since, "4", "--all").splitlines()
    assert [line.endswith("dropped: calendar: not in workdays") for line in lines[1:]] == [True] * 3 + [False], lines
    lines = folder.run("next", "report", "--from", "2027-01-03T12:00:00Z", "--count", "1", "--all").splitlines()
    assert lines[1] == "Mon 2027-01-04 07:00:00 UTC  dropped: freeze: stocktaking", lines
    lines = folder.run("next", "late", *since, "1").splitlines()
    assert lines[1] == "Mon 2026-12-28 08:00:00 UTC  moved from Fri 2026-12-25 08:00:00 UTC", lines


@test("explain says on which days, and which freezes are to come", seconds=60)
def _():
    folder = Folder()
    assert folder.run("explain", "pay").startswith("at 06:00, UTC, only on paydays\n")
    assert "on the 25th in December, UTC, only on workdays, else on the next such day" in folder.run("explain", "late")
    words = ["explain", "report", "--from"]
    assert ("only on workdays; frozen from 2027-01-04T00:00:00Z to 2027-01-06T00:00:00Z: stocktaking"
            in folder.run(*words, "2027-01-01"))
    assert "frozen" not in folder.run(*words, "2027-01-06")


@test("simulate lists what is skipped, and why", seconds=60)
def _():
    out = json.loads(Folder().run("simulate", "--from", "2026-12-24", "--to", "2027-01-08", "--format", "json"))
    skips = {(skip["job"], skip["reason"]) for skip in out["skips"]}
    assert skips == {("pay", "calendar: not in paydays"), ("report", "calendar: not in workdays"),
                     ("report", "freeze: stocktaking")}, skips
    runs = {job: [run["slot"] for run in out["runs"] if run["job"] == job] for job in JOBS}
    assert {job: len(slots) for job, slots in runs.items()} == {"pay": 1, "report": 8, "late": 1}, runs


@test("the REPL shows the same", seconds=60)
def _():
    out = Folder().run("repl", "--dir", ".", text='next("report", 1, "2026-12-24T12:00:00Z")[1].utc\n'
                       'next("late", 1, "2026-12-24T12:00:00Z")\nexplain("pay").description\njobs()\n')
    assert "2026-12-28T07:00:00Z" in out and "moved from Fri 2026-12-25" in out, out
    assert "at 06:00, UTC, only on paydays" in out, out
    assert re.search(r"late +0 8 25 12 \* +\w+ 20\d\d-12-2\d 08:00", out), out


@test("a daemon drops such slots, alerts nobody, and tells why in history and by `explain JOB SLOT`", seconds=90)
def _():
    tick = {"cron": "* * * * * *", "template": "pod.yml"}
    year = {"from": "2026-01-01", "to": "2199-01-01", "reason": "for ever", "jobs": ["froz*"]}
    folder = Folder(schedule({"tick": {**tick, "skip_on": "always"}, "frozen": tick}, {"always": ALWAYS}, [year])).start()
    log = folder.daemon
    log.wait_log(r"slot skipped job=tick .*reason=\"calendar: in always\"", 20)
    log.wait_log(r"slot skipped job=frozen .*reason=\"freeze: for ever\"", 20)
    assert "run started" not in log.log() and "alert:" not in log.log(), log.log()
    for job, reason in (("tick", "calendar: in always"), ("frozen", "freeze: for ever")):
        row = wait_for(lambda job=job: json.loads(folder.run("history", job, "--format", "json")), 20, "history")[0]
        assert (row["outcome"], row["reason"]) == ("skipped", reason), row
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["slot"]))
        assert reason in folder.run("explain", job, at)
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["slot"] + 86400))
        assert f"it will be skipped: {reason}" in folder.run("explain", job, later)


MISTAKES = {
    "schedule.yml:8:24: error: 'tomorow' is not a time": ({**STOCKTAKING, "to": "tomorow"}, FRIDAYS),
    "hooks/calendars/paydays.lua:1:1: error: a date has no field 'wekday'; did you mean weekday?":
        (STOCKTAKING, "return function(date) return date.wekday end"),
}


def with_mistake(freeze):
    """A schedule that a person could have written, so that places mean something."""
    return (f"settings:\n  cron_dialect: standard\n  calendars:\n    paydays: paydays.lua\n  freezes:\n  - jobs: [report]\n"
            f"    from: {freeze['from']}\n    reason: x\n    to: {freeze['to']}\n"
            "report: {cron: '0 7 * * *', template: pod.yml, skip_on: paydays}\n")


@test("a mistake in a freeze or a calendar: `check` has its place, and a reload keeps the old version", seconds=90)
def _():
    folder = Folder(with_mistake(STOCKTAKING)).start()
    assert folder.run("check") == ""
    for expected, (freeze, calendar) in MISTAKES.items():
        folder.daemon.write("hooks/calendars/paydays.lua", calendar)
        folder.daemon.write("schedule.yml", with_mistake(freeze))
        place, message = expected.split(": error: ")
        assert message in folder.run("check", code=1) and place.split(":")[0] in folder.run("check", code=1)
        folder.daemon.wait_log(re.escape(message), 30)
        refused = wait_for(lambda: json.loads(folder.run("status", "--format", "json"))["configuration"].get("refused"), 20,
                           "a refusal in status")
        assert message in refused["problems"][0], refused
        folder.daemon.write("hooks/calendars/paydays.lua", FRIDAYS)
        folder.daemon.write("schedule.yml", with_mistake(STOCKTAKING))
        wait_for(lambda: not json.loads(folder.run("status", "--format", "json"))["configuration"].get("refused"), 30,
                 "the end of the refusal")
    assert "job changed" not in folder.daemon.log(), folder.daemon.log()


@test("a changed function is other days at the next reload", seconds=60)
def _():
    folder = Folder().start()
    row = {"pay": None}
    for day in ("mon", "tue"):
        folder.daemon.write("hooks/calendars/paydays.lua", f'return function(date) return date.weekday == "{day}" end')

        def next_day():
            row["pay"] = next(job for job in json.loads(folder.run("jobs", "--format", "json")) if job["name"] == "pay")
            return time.strftime("%a", time.gmtime(row["pay"]["next"])).lower() == day
        wait_for(next_day, 30, f"a slot on {day}")


@test("a backfill leaves out what is dropped, says so before, and waits while a freeze holds", seconds=90)
def _():
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 20))
    freeze = {"from": "2026-11-01", "to": until, "reason": "moving", "jobs": ["froz*"]}
    old = {"from": "2026-01-05", "to": "2026-01-06", "reason": "old", "jobs": "all"}
    daily = {"cron": "0 7 * * *", "template": "pod.yml"}
    folder = Folder(schedule({"report": {**daily, "only_on": "workdays"}, "frozen": daily}, freezes=[freeze, old])).start()
    out = folder.run("backfill", "frozen", "2026-01-06T12:00:00Z", "2026-01-07T12:00:00Z")
    assert f"it waits: freeze: moving, until {until}" in out, out
    folder.daemon.wait_log("the backfill waits .*job=frozen", 10)
    span = ["2026-01-01T12:00:00Z", "2026-01-06T12:00:00Z"]
    assert folder.run("backfill", "report", *span, "--dry-run").splitlines() == [
        "2026-01-02T07:00:00Z", "2026-01-03T07:00:00Z  dropped: calendar: not in workdays",
        "2026-01-04T07:00:00Z  dropped: calendar: not in workdays", "2026-01-05T07:00:00Z  dropped: freeze: old",
        "2026-01-06T07:00:00Z"]
    assert "of 2 slots (3 are dropped)" in folder.run("backfill", "report", *span)
    folder.daemon.wait_log("backfill finished job=report .*done=2 failed=0", 30)
    out = folder.run("backfill", "report", "2026-01-03", "2026-01-04", "--dry-run")
    assert out == "2026-01-03T07:00:00Z  dropped: calendar: not in workdays\n", out
    assert folder.run("backfill", "report", "2026-01-03", "2026-01-04") == (
        "report: there is no slot in that span, but for 1 that are dropped\n")
    folder.daemon.wait_log("backfill finished job=frozen .*done=1 failed=0", 60)
    started = re.search(r"^(\S+)Z .*run started job=frozen", folder.daemon.log(), re.MULTILINE).group(1)
    assert started[:19] + "Z" >= until, started


main()
