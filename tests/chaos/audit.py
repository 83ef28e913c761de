#!/usr/bin/python3
"""The auditor of tests/chaos/run: reads every revision of etcd and counts what was ever created. It shares no
code with the scheduler; it knows its schedule, the annotations it promises, and its own arithmetic.

    audit.py --etcd URL --namespace NS --from T --to T SCHEDULE

A slot is a job's scheduled instant. Of a job with `catch_up: all` and `overlap: allow` each slot in (from, to]
must have been created exactly once; of any other job and time, no slot twice. Needs an API server that stores
JSON and never compacts (--storage-media-type=application/json --etcd-compaction-interval=0), and at the end of
the history a Pod and a Job named audit-end. Exit 1 and a report when something is lost or doubled."""

import argparse
import base64
import collections
import datetime
import http.client
import json
import re
import sys
import urllib.parse

END = "audit-end"
SHOWN = 20  # lines of a report's list

Creation = collections.namedtuple("Creation", "job slot name revision")


def encode(text):
    return base64.b64encode(text.encode()).decode()


def events(etcd, prefix):
    """Every change of every key under the prefix since the beginning: (name, version, value, revision)."""
    url = urllib.parse.urlsplit(etcd)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    beyond = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    connection.request("POST", "/v3/watch", json.dumps({"create_request": {
        "key": encode(prefix), "range_end": encode(beyond), "start_revision": "1"}}))
    response = connection.getresponse()
    for line in iter(response.readline, b""):
        result = json.loads(line).get("result")
        if not result or result.get("canceled"):
            sys.exit(f"audit: etcd does not tell its history: {line[:300]!r}")
        for event in result.get("events", []):
            pair = event["kv"]
            name = base64.b64decode(pair["key"]).decode()[len(prefix):]
            yield name, int(pair.get("version", 0)), pair.get("value"), int(pair["mod_revision"])


def creations(etcd, namespace, resource):
    """Every object that was ever created; a name that was deleted and made again is there twice."""
    for name, version, value, revision in events(etcd, f"/registry/{resource}/{namespace}/"):
        if version != 1:
            continue
        if name == END:
            return
        annotations = json.loads(base64.b64decode(value))["metadata"].get("annotations", {})
        slot = datetime.datetime.fromisoformat(annotations["kube-scheduler/slot"].replace("Z", "+00:00"))
        yield Creation(annotations["kube-scheduler/job-name"], int(slot.timestamp()), name, revision)
    sys.exit(f"audit: the history of {resource} ended before {END}")


def expected_slots(job, begin, end):
    """The slots in (begin, end] of a job that runs every N seconds."""
    step = int(re.fullmatch(r"\*/(\d+) \* \* \* \* \*", job["cron"]).group(1))
    first = begin // 60 * 60
    return {slot for slot in range(first, end + 1) if begin < slot and slot % 60 % step == 0}


def is_exact(job):
    return job.get("catch_up") == "all" and job.get("overlap") == "allow"


def clock(slot):
    return datetime.datetime.fromtimestamp(slot, datetime.timezone.utc).strftime("%H:%M:%S")


def audit(schedule, made, begin, end):
    """(lost, doubled, alien): lists of what to tell."""
    found = collections.defaultdict(list)
    for creation in made:
        found[creation.job, creation.slot].append(creation)
    doubled = [f"{job} {clock(slot)}: " + ", ".join(f"{c.name} at revision {c.revision}" for c in all_of_it)
               for (job, slot), all_of_it in sorted(found.items()) if len(all_of_it) > 1]
    lost = [f"{name} {clock(slot)} ({slot})" for name, job in sorted(schedule.items()) if is_exact(job)
            for slot in sorted(expected_slots(job, begin, end)) if (name, slot) not in found]
    alien = [f"{c.name}: {c.job} has no slot at {clock(c.slot)}" for c in made
             if c.job not in schedule or not expected_slots(schedule[c.job], c.slot - 1, c.slot)]
    return lost, doubled, alien


def report(what, items):
    print(f"{len(items)} {what}")
    for item in items[:SHOWN]:
        print(f"  {item}")
    if len(items) > SHOWN:
        print(f"  … and {len(items) - SHOWN} more")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etcd", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--from", type=int, required=True, dest="begin")
    parser.add_argument("--to", type=int, required=True, dest="end")
    parser.add_argument("schedule", help="schedule.yml, in its JSON form")
    options = parser.parse_args()
    with open(options.schedule) as file:
        schedule = {name: job for name, job in json.load(file).items() if name != "settings"}
    made = [c for resource in ("pods", "jobs") for c in creations(options.etcd, options.namespace, resource)]
    exact = [job for job in schedule.values() if is_exact(job)]
    owed = sum(len(expected_slots(job, options.begin, options.end)) for job in exact)
    print(f"{len(made)} objects were created; {owed} slots of {len(exact)} of {len(schedule)} jobs had to be, from "
          f"{clock(options.begin)} to {clock(options.end)}")
    if not owed:
        sys.exit("audit: there is nothing to audit")
    findings = audit(schedule, made, options.begin, options.end)
    for what, items in zip(("slots lost", "slots doubled", "objects without a slot"), findings):
        report(what, items)
    sys.exit(1 if any(findings) else 0)


if __name__ == "__main__":
    main()
