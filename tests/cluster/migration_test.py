#!/usr/bin/python3
"""From a CronJob of the real controller to a job of ours, at work: each minute has exactly one object."""

import collections
import datetime
import json
import os
import time

from kubectl import kubectl, new_name
from harness import Daemon, main, run_binary, temporary_folder, test, wait_for

# completions 0: it is over at once, without a node.
JOB_TEMPLATE = {"spec": {"completions": 0, "template": {"spec": {
    "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}}}}


def version():
    """The API in which the cluster has CronJobs."""
    served = kubectl("api-versions").split()
    known = kubectl("api-resources", "--api-group", "batch", "--no-headers")
    return "batch/v1beta1" if "batch/v1beta1" in served and "batch/v1beta1" in known else "batch/v1"


def cron_job(where):
    text = json.dumps({"apiVersion": version(), "kind": "CronJob", "metadata": {"name": "tick", "namespace": where}, "spec": {
        "schedule": "* * * * *", "successfulJobsHistoryLimit": 100, "jobTemplate": JOB_TEMPLATE}})
    kubectl("-n", where, "create", "-f", "-", stdin=text)


def slots(where):
    """How many objects each minute has, of theirs and of ours."""
    count = collections.Counter()
    for job in json.loads(kubectl("-n", where, "get", "jobs", "-o", "json"))["items"]:
        ours = job["metadata"].get("annotations", {}).get("kube-scheduler/slot")
        at = datetime.datetime.fromisoformat((ours or job["metadata"]["creationTimestamp"]).replace("Z", "+00:00"))
        count[int(at.timestamp()) // 60 * 60] += 1
    return count


def command(folder, where, *words, code=0):
    done = run_binary([*words, "--namespace", where, "--instance", where], cwd=folder,
                      environment={"KUBECONFIG": os.environ["KUBECONFIG"]}, seconds=150)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stderr


@test("a cut-over from a CronJob neither loses nor doubles a slot", seconds=420)
def _():
    where, folder = new_name(), temporary_folder()
    kubectl("create", "namespace", where)
    cron_job(where)
    wait_for(lambda: slots(where), 100, "a Job of the CronJob")
    begin = min(slots(where))
    done = run_binary(["import", "--live", "--namespace", where, "--cut-over", "--out", "schedule"], cwd=folder,
                      environment={"KUBECONFIG": os.environ["KUBECONFIG"]})
    assert done.returncode == 0 and "1 job in" in done.stderr, done
    folder = os.path.join(folder, "schedule")
    daemon = Daemon(["run", "--executor", "kubernetes", "--namespace", where, "--instance", where], {}, folder=folder)
    daemon.wait_log(r" ready .*jobs=1", 30)
    daemon.wait_log(r"slot skipped job=tick .*suspended by the schedule", 100)
    said = command(folder, where, "cut-over", "tick")
    assert "run as a backfill" in said, said
    since = time.time()
    assert "is suspended" in command(folder, where, "cut-over", "tick"), "again: nothing more to do"
    wait_for(lambda: any(slot > since for slot in slots(where)), 100, "a slot of ours after it")
    found = slots(where)
    wanted = set(range(begin, max(found) + 1, 60))
    assert set(found) == wanted and set(found.values()) == {1}, (begin, dict(found))


main()
