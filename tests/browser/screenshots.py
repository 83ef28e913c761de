#!/usr/bin/python3
"""Pictures of the dashboard, with half a year of history that is the same each time: screenshots.py FOLDER"""

import json
import os
import random
import sqlite3
import subprocess
import sys
import time

from browser import Page, PHONE
import harness
from http_client import POD, Web

DAY = 86400
SMALL = (1180, 600)  # for the README: each below 150 KB
JOBS = {
    "settings": {"cron_dialect": "standard", "history_rows": 1000},
    "billing-export": {"cron": "0 */2 * * *", "description": "invoices to the ledger"},
    "currency-rates": {"cron": "5 * * * *", "description": "of the central bank"},
    "db-backup": {"cron": "30 1 * * *", "timezone": "Europe/Berlin", "description": "the shop's database, encrypted"},
    "index-rebuild": {"cron": "15,45 * * * *", "description": "search over the catalogue"},
    "mail-digest": {"cron": "0 7 * * MON-FRI", "timezone": "America/New_York", "description": "news to customers"},
    "orders-import": {"cron": "*/10 * * * *", "description": "from the partners' feeds", "template": "orders.json"},
    "payroll": {"cron": "0 6 L * *", "timezone": "Europe/Berlin", "description": "on the last day of the month"},
    "report-weekly": {"cron": "0 8 * * MON", "timezone": "Asia/Tokyo"},
    "thumbnails": {"cron": "*/15 * * * *"},
}
# How long a run takes in seconds, and how many of a hundred fail.
WAYS = {"billing-export": (140, 3), "currency-rates": (12, 3), "db-backup": (1900, 4), "index-rebuild": (320, 1), "mail-digest": (25, 0),
        "orders-import": (45, 6), "payroll": (600, 0), "report-weekly": (240, 10), "thumbnails": (80, 2)}
OUTPUT = r"""
i=0; while [ $i -lt 400 ]; do i=$((i+1)); printf '\033[2m12:%02d\033[0m partner %d: %d orders\n' $((i/10)) $((i%7)) $((i*37%90)); done
printf '\033[31mERROR\033[0m partner 3: connection reset, tried again\n'
i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo "partner 3: page $i of 40"; done; echo done"""


def pod(script):
    return json.dumps({**POD, "spec": {"containers": [{"name": "main", "image": "shop:7", "command": ["sh", "-c", script]}]}})


def stamp(t):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))


def past_slots(job, entry, now):
    """The slots of half a year, at most so many as are kept, by the program itself."""
    command = [harness.BINARY, "next", entry["cron"], "--from", stamp(now - 180 * DAY), "--count", "30000", "--format", "json",
               "--timezone", entry.get("timezone", "UTC"), "--dialect", "standard"]
    told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return [slot["slot"] for slot in told if slot["slot"] < now - 60][-900:]


def rows(now):
    chance = random.Random(7)
    for job, (usual, bad) in WAYS.items():
        slots = past_slots(job, JOBS[job], now)
        for slot in slots:
            took = max(1, int(chance.gauss(usual, usual / 5)))
            failed = chance.random() * 100 < bad or job == "currency-rates" and slot in slots[-2:]
            yield (job, "default", f"{job}-{slot}", slot, 0, "schedule", "failed" if failed else "succeeded",
                   1 if failed else 0, "Error" if failed else "Completed", "exit code 1" if failed else None,
                   slot, slot + took, 3, slot + took)


def fill(path, now):
    base = sqlite3.connect(path)
    base.executemany('INSERT OR REPLACE INTO history (job, namespace, run, slot, attempt, "trigger", outcome, exit_code, '
                     "reason, message, started, finished, lateness_ms, at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                     sorted(rows(now), key=lambda row: row[-1]))
    base.commit()
    base.close()


def start(folder):
    jobs = {name: entry if name == "settings" else {"template": "pod.json", **entry} for name, entry in JOBS.items()}
    return Web(jobs=jobs, folder=folder, files={"orders.json": pod(OUTPUT), "pod.json": pod("sleep 60")},
               arguments=("--state-dir", os.path.join(folder, "state")))


def post(web, path, body):
    return web.post("/v1/" + path, body, {"Content-Type": "application/json"})[1]


def prepared():
    """A daemon that finds a history."""
    folder = harness.temporary_folder()
    start(folder).daemon.stop()
    base = next(os.path.join(folder, "state", name) for name in os.listdir(os.path.join(folder, "state"))
                if open(os.path.join(folder, "state", name), "rb").read(6) == b"SQLite")
    fill(base, int(time.time()))
    web = start(folder)
    post(web, "jobs/default/mail-digest/suspend", {"reason": "the provider moves", "until": "+3d"})
    run = post(web, "jobs/default/orders-import/trigger", {"reason": "a partner was late", "args": ["--partner", "3"]})["run"]
    post(web, "jobs/default/billing-export/trigger", {})
    harness.wait_for(lambda: web.get(f"/v1/runs/{run}")[1].get("state") == "finished", 60, "end of the run")
    return web, run


def main(folder):
    os.makedirs(folder, exist_ok=True)
    web, run = prepared()
    page = Page(web)

    def shot(name, view, dark=False, size=(1280, 800), then=None):
        page.size(*size)
        page.dark(dark)
        page.open(view)
        page.shows("live", "#link")
        if then:
            page.js(then)
        time.sleep(0.5)
        page.shot(os.path.join(folder, name + ".png"))

    shot("jobs", "#/jobs")
    shot("readme-jobs", "#/jobs", size=SMALL)
    shot("readme-run", f"#/runs/{run}", dark=True, size=SMALL, then="document.querySelector('#first-error').click()")
    shot("jobs-dark", "#/jobs", dark=True)
    shot("jobs-phone", "#/jobs", size=PHONE)
    shot("job", "#/jobs/default/db-backup")
    shot("run", f"#/runs/{run}", then="document.querySelector('#first-error').click()")
    shot("run-dark", f"#/runs/{run}", dark=True, then="document.querySelector('#first-error').click()")
    shot("upcoming", "#/upcoming")
    shot("runs", "#/runs")
    shot("audit", "#/audit")
    print("\n".join(os.path.join(folder, name) for name in sorted(os.listdir(folder))))


main(sys.argv[1])
