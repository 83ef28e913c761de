#!/usr/bin/python3
"""import and export: what comes from and goes to other schedulers."""

import json
import os
import re

import yaml

from harness import main, run_binary, temporary_folder, test


def run(*words, cwd=None, code=0):
    done = run_binary(words, cwd=cwd)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done


def imported(text, *options, code=0):
    """The jobs that are made of a file, their templates by file name, and what is said of it."""
    folder = temporary_folder()
    path = os.path.join(folder, "given")
    with open(path, "w") as file:
        file.write(text)
    said = run("import", "given", "--out", "out", *options, cwd=folder, code=code).stderr
    files = {}
    for name in os.listdir(os.path.join(folder, "out")):
        with open(os.path.join(folder, "out", name)) as file:
            files[name] = yaml.safe_load(file)
    jobs = files.pop("schedule.yml")
    jobs.pop("settings")
    return jobs, files, said, os.path.join(folder, "out")


CRON_JOB = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "payroll", "namespace": "pay"}, "spec": {
    "schedule": "0 3 * * *", "timeZone": "Europe/Paris", "concurrencyPolicy": "Forbid", "startingDeadlineSeconds": 600,
    "suspend": False, "successfulJobsHistoryLimit": 2, "failedJobsHistoryLimit": 4,
    "jobTemplate": {"metadata": {"labels": {"team": "pay"}}, "spec": {"backoffLimit": 0, "template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox:1", "args": ["a"]}]}}}}}}


@test("a CronJob keeps its rules, its defaults are written out, and jobs that differ in image or args share a template")
def _():
    other = json.loads(json.dumps(CRON_JOB))
    other["metadata"]["name"] = "other"
    other["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox:2"
    for key in ("timeZone", "concurrencyPolicy", "startingDeadlineSeconds", "successfulJobsHistoryLimit"):
        del other["spec"][key]
    jobs, templates, said, _ = imported(json.dumps(CRON_JOB) + "\n---\n" + json.dumps(other))
    assert jobs["payroll"] == {
        "cron": "0 3 * * *", "timezone": "Europe/Paris", "overlap": "forbid", "catch_up": "latest", "deadline": "600s",
        "namespace": "pay", "image": "busybox:1", "args": ["a"], "history": {"succeeded": 2, "failed": 4},
        "template": "payroll.yml"}, jobs["payroll"]
    assert jobs["other"]["overlap"] == "allow" and jobs["other"]["history"]["succeeded"] == 3
    assert jobs["other"]["template"] == "payroll.yml" and list(templates) == ["payroll.yml"]
    assert templates["payroll.yml"]["metadata"]["labels"] == {"team": "pay"}
    assert "pay/other: it names no time zone" in said and "pay/payroll" not in said, said


@test("a step of days means what it meant, in a crontab and in a schedule of another dialect")
def _():
    jobs, _, _, _ = imported("0 0 */2 * 1 odd\n0 0 1 * 1 plain\n*/5 * * * * often\n", "--kind", "crontab")
    assert [jobs[name].get("cron_dialect") for name in ("odd", "plain", "often")] == ["cronie", None, None], jobs
    folder = temporary_folder()
    with open(os.path.join(folder, "pod.yml"), "w") as file:
        file.write("{apiVersion: v1, kind: Pod, spec: {containers: [{name: main, image: busybox}]}}\n")
    with open(os.path.join(folder, "schedule.yml"), "w") as file:
        file.write("""\
daily: {cron: "0 30 5 * *", cron_dialect: robfig-v1, template: pod.yml}
second: {cron: "10 30 5 * *", cron_dialect: robfig-v1, template: pod.yml}
odd: {cron: "0 0 */2 * 1", cron_dialect: cronie, template: pod.yml}
either: {cron: "0 0 */2 * 1", cron_dialect: standard, template: pod.yml}
""")
    done = run("export", "--lossy", cwd=folder)
    found = {each["metadata"]["name"]: each["spec"]["schedule"] for each in yaml.safe_load_all(done.stdout)}
    assert found == {"daily": "30 5 * * *", "either": "0 0 */2 * 1"}, found
    assert "odd: a CronJob cannot say" in done.stderr and "second: a CronJob cannot say" in done.stderr, done.stderr


@test("what is exported is imported as it was")
def _():
    jobs, _, _, out = imported(json.dumps(CRON_JOB))
    text = run("export", "--dir", out).stdout
    again, _, _, _ = imported(text)
    assert again == jobs, (jobs, again)
    assert yaml.safe_load(text)["spec"]["timeZone"] == "Europe/Paris"


@test("what a CronJob cannot say is told job by job; --lossy prints the rest")
def _():
    folder = temporary_folder()
    files = {"pod.yml": "{apiVersion: v1, kind: Pod, spec: {containers: [{name: main, image: busybox}]}}", "schedule.yml": """
settings: {cron_dialect: standard}
plain: {cron: ["0 3 * * *", "0 0 5 * * *"], template: pod.yml}
seconds: {cron: "*/5 * * * * *", template: pod.yml}
last: {cron: "0 0 L * *", template: pod.yml}
queued: {cron: "0 3 * * *", template: pod.yml, overlap: enqueue, retries: {max: 3}}
zone: {cron: "0 3 * * *", template: pod.yml, timezone: Europe/Paris}
"""}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    done = run("export", cwd=folder, code=1)
    objects = list(yaml.safe_load_all(done.stdout))
    assert [each["metadata"]["name"] for each in objects] == ["plain", "plain-2", "zone"], objects
    assert objects[1]["spec"]["schedule"] == "0 5 * * *"
    for what in ("seconds: .*five fields", "last: .*five fields", "queued: .*overlap: enqueue", "queued: .*retries"):
        assert re.search(what, done.stderr), done.stderr
    lossy = run("export", "queued", "--lossy", cwd=folder)
    assert yaml.safe_load(lossy.stdout)["spec"]["concurrencyPolicy"] == "Forbid"
    assert "zone: a CronJob cannot say timezone" in run(
        "export", "zone", "--api-version", "batch/v1beta1", cwd=folder, code=1).stderr
    assert "no good job 'nothing'" in run("export", "nothing", cwd=folder, code=1).stderr


@test("a crontab: variables for what follows, zone, %, @reboot, mail, names from comments")
def _():
    jobs, templates, said, _ = imported("""
CRON_TZ=Europe/Berlin
# nightly report
30 2 * * MON-FRI /usr/bin/report --full
FOO="a b"
MAILTO=ops@example.com
*/5 * * * * cd /srv && ./tick
@daily date +\\%F > /tmp/day
0 1 * * * date +%F
@reboot echo up
61 nonsense
""", "--image", "debian:12", code=1)
    assert {name: job["cron"] for name, job in jobs.items()} == {
        "nightly report": "30 2 * * MON-FRI", "cd-srv-tick": "*/5 * * * *", "date-F-tmp": "@daily"}, jobs
    assert jobs["nightly report"]["timezone"] == "Europe/Berlin" and jobs["nightly report"]["overlap"] == "allow"
    assert jobs["date-F-tmp"]["args"] == ["date +%F > /tmp/day"]
    container = templates[jobs["cd-srv-tick"]["template"]]["spec"]["containers"][0]
    assert container["env"] == [{"name": "FOO", "value": "a b"}] and container["command"] == ["/bin/sh", "-c"]
    assert "env" not in templates[jobs["nightly report"]["template"]]["spec"]["containers"][0]
    assert container["image"] == "debian:12"
    for what in ("given:6: MAILTO", "given:9: it has a %", "given:10: @reboot", "given:11: not read"):
        assert what in said, said


@test("supercronic: the year stands last of six, variables hold for the whole file, runs do not overlap")
def _():
    jobs, templates, said, _ = imported(
        "0 3 1 1 * 2031 once\n*/5 * * * * * * often\n5 4 * * * plain\nFOO=bar\n", "--kind", "supercronic")
    assert {name: job["cron"] for name, job in jobs.items()} == {
        "once": "0 0 3 1 1 * 2031", "often": "*/5 * * * * * *", "plain": "5 4 * * *"}, jobs
    assert {job["overlap"] for job in jobs.values()} == {"forbid"}
    assert templates["once.yml"]["spec"]["containers"][0]["env"] == [{"name": "FOO", "value": "bar"}]
    assert "follows its machine's time zone" in said


@test("Argo: one container becomes a Pod, a DAG is refused, what is left out is said")
def _():
    def workflow(name, template, **spec):
        return {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "metadata": {"name": name}, "spec": {
            "schedules": ["0 3 * * *", "0 4 * * *"], "timezone": "Asia/Tokyo", **spec,
            "workflowSpec": {"entrypoint": "go", "templates": [{"name": "go", **template}]}}}
    items = [workflow("good", {"container": {"image": "busybox", "args": ["x"]}}, when="x > 1"), workflow("dag", {"dag": {}})]
    jobs, templates, said, _ = imported(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), code=1)
    assert jobs["good"]["cron"] == ["0 3 * * *", "0 4 * * *"] and jobs["good"]["timezone"] == "Asia/Tokyo"
    assert jobs["good"]["catch_up"] == "none" and jobs["good"]["overlap"] == "allow"
    assert templates["good.yml"]["kind"] == "Pod"
    assert "CronWorkflow default/dag: its entrypoint is a dag" in said and "`when: x > 1` is left out" in said, said


@test("Dkron: seconds first, a child comes after its parent, what is no shell command is refused")
def _():
    shell = {"executor": "shell", "executor_config": {"command": "echo a", "shell": "true", "env": "A=1,B=2"}}
    jobs, templates, said, _ = imported(json.dumps([
        {"name": "parent", "schedule": "0 30 * * * *", "timezone": "UTC", "concurrency": "forbid", "retries": 2, **shell},
        {"name": "child", "schedule": "", "parent_job": "parent", "timezone": "UTC", "disabled": True, **shell},
        {"name": "web", "schedule": "@every 1m", "executor": "http", "executor_config": {}}]), code=1)
    assert jobs["parent"]["cron"] == "0 30 * * * *" and jobs["parent"]["retries"] == {"max": 2}
    assert jobs["child"]["after"] == "parent" and jobs["child"]["suspend"] and jobs["child"]["overlap"] == "allow"
    assert templates["parent.yml"]["spec"]["containers"][0]["env"][1] == {"name": "B", "value": "2"}
    assert "Dkron job web: its executor is 'http'" in said


@test("nothing is overwritten, and what is no file of jobs is said")
def _():
    _, _, _, out = imported(json.dumps(CRON_JOB))
    again = run("import", "given", "--out", "out", cwd=os.path.dirname(out), code=1)
    assert "is there already" in again.stderr
    os.remove(os.path.join(out, "schedule.yml"))
    run("import", "given", "--out", "out", cwd=os.path.dirname(out), code=1)
    assert os.listdir(out) == ["payroll.yml"], "nothing is written beside what is there"
    assert "a Deployment is no CronJob" in imported("kind: Deployment", "--kind", "cronjob", code=1)[2]
    assert "name files, or give --live" in run("import", code=2).stderr


main()
