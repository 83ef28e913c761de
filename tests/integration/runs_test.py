#!/usr/bin/python3
"""How a job's runs go (lua/SCHEDULE.md): retries, queues, replacing, upstreams; with real processes. Each job has a
few slots in the seconds to come, and its runs write what they do into a file."""

import json
import os
import re
import time

from harness import Daemon, main, never, test, wait_for

RUN = ["run", "--executor", "local", "--state-dir", "state"]
POD = json.dumps({"apiVersion": "v1", "kind": "Pod",
                  "spec": {"containers": [{"name": "main", "image": "none", "command": ["sh", "-c"]}]}})
LATE = "1h"  # however slow the machine is, no slot comes too late


def utc(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def slots(count, command, apart=1, **rules):
    """A job with so many slots, so many seconds apart, the first in a moment."""
    first = (int(time.time()) + 4 + apart) // apart * apart
    return {"cron": f"*/{apart} * * * * *", "start": utc(first), "end": utc(first + (count - 1) * apart),
            "template": "pod.yml", "args": [command], "catch_up": "all", "deadline": LATE, **rules}


def note(word):
    return f'echo "{word} $KUBE_SCHEDULER_JOB $KUBE_SCHEDULER_SLOT" >>notes'


def start(jobs, folder=None):
    schedule = json.dumps({"settings": {"cron_dialect": "standard"}, **jobs})
    files = {} if folder else {"schedule.yml": schedule, "pod.yml": POD}
    return Daemon(RUN, files, folder=folder)


def notes(daemon):
    path = os.path.join(daemon.folder, "notes")
    return open(path).read().splitlines() if os.path.exists(path) else []


def wait_notes(daemon, count, seconds=40):
    wait_for(lambda: len(notes(daemon)) >= count, seconds, f"{count} notes")
    return [line.split() for line in notes(daemon)]


@test("a failed run is tried again exactly once, by the next daemon when the first is killed; its failure is told once",
      seconds=90)
def _():
    jobs = {"flaky": slots(1, note("ran") + "; exit 3", retries={"max": 1, "delay": "3s"})}
    first = start(jobs)
    first.wait_log(r"attempt failed job=flaky .*retry_at=", 40)
    first.kill()
    first.wait()
    said = first.log()  # the next one's goes into the same file
    second = start(jobs, folder=first.folder)
    second.wait_log(r"run failed job=flaky run=\S+-r1 ", 40)
    never(lambda: len(notes(second)) > 2, 3, "a third attempt")
    said += second.log()
    assert len(wait_notes(second, 2)) == 2
    assert len(re.findall(r"alert: flaky failed: exit code 3; all 2 attempts failed", said)) == 1, said


@test("queued slots run one after the other, each with its own time", seconds=90)
def _():
    work = note("begin") + "; sleep 1.5; " + note("end")
    daemon = start({"queued": slots(3, work, overlap="enqueue")})
    seen = wait_notes(daemon, 6, 60)
    assert [line[0] for line in seen] == ["begin", "end"] * 3, seen
    times = [line[2] for line in seen[::2]]
    assert times == sorted(set(times)), seen
    daemon.wait_log(r'run waits job=queued .*why="overlap: a run is still active"')


@test("a newer slot replaces a run, and nobody is alerted", seconds=90)
def _():
    daemon = start({"slow": slots(2, note("begin") + "; sleep 300", apart=3, overlap="replace")})
    daemon.wait_log(r"run replaced job=slow .*outcome=deleted reason=Replaced", 40)
    seen = wait_notes(daemon, 2)
    assert seen[0][2] < seen[1][2], seen
    assert "alert:" not in daemon.log(), daemon.log()


@test("a job that comes after another waits for the run of the same slot", seconds=90)
def _():
    first = slots(1, "sleep 1; " + note("end"))
    daemon = start({"up": first, "down": {**first, "args": [note("begin")], "after": "up"}})
    seen = wait_notes(daemon, 2)
    assert [line[:2] for line in seen] == [["end", "up"], ["begin", "down"]], seen
    assert seen[0][2] == seen[1][2], seen


@test("a run that takes too long is stopped", seconds=60)
def _():
    daemon = start({"long": slots(1, "sleep 300", timeout="1s")})
    daemon.wait_log(r"run failed job=long .*outcome=timeout reason=Timeout", 40)


main()
