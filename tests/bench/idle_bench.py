#!/usr/bin/python3
"""The daemon with 100,000 jobs that are not due: how often its thread wakes in half a minute. Without a cluster
nothing renews a lease, but the watermark is written as often. Prints "figure value unit"."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("BUILD", "build") / "kube-scheduler"
JOBS, SECONDS = 100000, 30


def write_schedule(folder):
    (folder / "pod.yml").write_text("apiVersion: v1\nkind: Pod\nspec: {containers: [{name: main, image: busybox}]}\n")
    month = (time.gmtime().tm_mon + 5) % 12 + 1  # half a year from now
    jobs = [f"job-{i}: {{cron: '{i % 60} {i % 24} 1 {month} *', template: pod.yml}}\n" for i in range(JOBS)]
    (folder / "schedule.yml").write_text("settings: {cron_dialect: standard}\n" + "".join(jobs))


def wait_ready(log, child):
    end = time.monotonic() + 300
    while " ready " not in log.read_text():
        if child.poll() is not None or time.monotonic() > end:
            sys.exit("idle: the daemon did not get ready: " + log.read_text()[-500:])
        time.sleep(0.2)
    time.sleep(3)


def wakeups(pid):
    """Of the main thread: how often it slept."""
    with open(f"/proc/{pid}/task/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt_switches"))


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_schedule(folder)
        log = folder / "log"
        with open(log, "w") as out:
            child = subprocess.Popen([BINARY, "run", "--executor", "local"], cwd=folder, stdout=out, stderr=out)
        try:
            wait_ready(log, child)
            before = wakeups(child.pid)
            time.sleep(SECONDS)
            print(f"idle.wakeups {(wakeups(child.pid) - before) / SECONDS:.2f} /s")
        finally:
            child.terminate()
            child.wait(30)


main()
