#!/usr/bin/python3
"""A daemon whose schedule, templates and hooks are changed while it runs. The machine may be ten times slower."""

import json
import os
import re
import signal

from harness import Daemon, main, never, run_binary, temporary_folder, test, wait_for

YEARLY = {"cron": "0 0 1 1 *", "template": "pod.json"}
TICK = {"cron": "* * * * * *", "template": "pod.json", "overlap": "allow"}
SECONDS = 90


def pod(script="true"):
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [
        {"name": "main", "image": "busybox", "command": ["sh", "-c", script]}]}})


def schedule(jobs, **settings):
    """One job a line, so that a mistake's place is known."""
    lines = [f'"settings": {json.dumps({"cron_dialect": "standard", **settings})}']
    lines += [f'"{name}": {json.dumps(job)}' for name, job in jobs.items()]
    return "{" + ",\n".join(lines) + "}\n"


def start(jobs, files=None, arguments=(), **more):
    files = {"schedule.yml": schedule(jobs), "pod.json": pod(), **(files or {})}
    daemon = Daemon(["run", "--executor", "local", *arguments], files, **more)
    daemon.wait_log(r" ready ", 30)
    return daemon


def status(daemon):
    done = run_binary(["status", "--executor", "local", "--format", "json"], cwd=daemon.folder, seconds=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def command(daemon, *words):
    done = run_binary([*words, "--executor", "local"], cwd=daemon.folder, seconds=30)
    assert done.returncode == 0, done.stderr


@test("an edit is taken up and logged job by job", SECONDS)
def edit():
    daemon = start({"kept": YEARLY, "gone": YEARLY, "moved": YEARLY, "renamed": YEARLY})
    changed = {"kept": YEARLY, "moved": {**YEARLY, "cron": "0 0 2 1 *"}, "renamed": {**YEARLY, "description": "x"},
               "new": TICK}
    daemon.write("schedule.yml", schedule(changed))
    daemon.wait_log(r"reloaded added=1 cause=\"a file changed\" changed=2 jobs=4 removed=1", 30)
    for line in (r"job removed job=gone", r"job added job=new", r"job changed job=renamed what=description$",
                 r"job changed job=moved slots=\"count from now\" what=cron"):
        daemon.wait_log(line, 1)
    assert "job=kept" not in daemon.log()
    daemon.wait_log(r"run succeeded job=new", 30)


@test("a job that moved to a slot just past does not run it", SECONDS)
def counts_from_now():
    daemon = start({"a": YEARLY})
    daemon.write("schedule.yml", schedule({"a": {**TICK, "cron": "* * * * *", "catch_up": "all", "deadline": "1h"}}))
    daemon.wait_log(r"job changed job=a", 30)
    changed_at = re.search(r"^(\S+)Z info +job changed", daemon.log(), re.MULTILINE).group(1)
    daemon.kill(signal.SIGTERM)
    daemon.wait(20)
    again = Daemon(["run", "--executor", "local"], folder=daemon.folder)
    again.wait_log(r" ready ", 30)
    never(lambda: any(slot < changed_at for slot in re.findall(r"run started job=a \S+ slot=(\S+)Z", again.log())),
          2, "a slot from before the change ran")


@test("a mistake keeps the old version, says where, and SIGHUP takes up the mended one", SECONDS)
def mistake():
    daemon = start({"tick": TICK})
    daemon.write("schedule.yml", schedule({"tick": TICK, "bad": {**YEARLY, "corn": "x"}}))
    daemon.wait_log(r"error +\./schedule\.yml:3:\d+: error: unknown key 'bad\.corn' \(did you mean 'cron'\?\)", 30)
    daemon.wait_log(r"refused, the old one stays at work", 10)
    daemon.wait_log(r"alert: .*unknown key 'bad\.corn'.* kind=config_error", 10)
    refused = status(daemon)["configuration"]["refused"]
    assert refused["count"] == 1 and "schedule.yml:3:" in refused["problems"][0], refused
    runs = daemon.log().count("run succeeded job=tick")
    wait_for(lambda: daemon.log().count("run succeeded job=tick") > runs + 1, 30, "runs of the old version")
    daemon.kill(signal.SIGHUP)
    wait_for(lambda: daemon.log().count("refused, the old one") > 1, 30, "second refusal")
    assert daemon.log().count("kind=config_error") == 1, "the same mistake was alerted twice"
    daemon.write("schedule.yml", schedule({"tick": TICK, "good": YEARLY}))
    daemon.kill(signal.SIGHUP)
    daemon.wait_log(r"the configuration is good again", 30)
    wait_for(lambda: status(daemon)["configuration"].get("refused") is None, 30, "status without a refusal")


@test("a template's change is taken up, and a half-written one is not", SECONDS)
def template():
    daemon = start({"tick": TICK})
    whole = pod("echo second version")
    path = os.path.join(daemon.folder, "pod.json")
    with open(path, "w") as file:  # in place, in two pieces
        file.write(whole[:40])
        file.flush()
        daemon.wait_log(r"refused, the old one stays", 30)
        file.write(whole[40:])
    daemon.wait_log(r"job changed job=tick what=manifest", 30)
    daemon.wait_log(r"output +tick/main: second version", 30)
    assert "run failed" not in daemon.log()


@test("a ConfigMap's swap of ..data is one change", SECONDS)
def swap():
    folder = temporary_folder()

    def version(name, jobs, script):
        os.mkdir(os.path.join(folder, name))
        for file, text in (("schedule.yml", schedule(jobs)), ("pod.json", pod(script))):
            with open(os.path.join(folder, name, file), "w") as out:
                out.write(text)

    version("..1", {"tick": TICK}, "echo one")
    os.symlink("..1", os.path.join(folder, "..data"))
    for file in ("schedule.yml", "pod.json"):
        os.symlink("..data/" + file, os.path.join(folder, file))
    daemon = Daemon(["run", "--executor", "local", "--dir", folder])
    daemon.wait_log(r"output +tick/main: one", 30)
    version("..2", {"tick": TICK, "more": YEARLY}, "echo two")
    os.symlink("..2", os.path.join(folder, "..new"))
    os.rename(os.path.join(folder, "..new"), os.path.join(folder, "..data"))
    daemon.wait_log(r"reloaded added=1 .* changed=1", 30)
    daemon.wait_log(r"output +tick/main: two", 30)
    assert daemon.log().count(" reloaded ") == 1


@test("a removed job's run goes on to its end, and one that comes back knows it", SECONDS)
def removed():
    folder = temporary_folder()
    done = os.path.join(folder, "done")
    script = f"while [ ! -e {done} ]; do sleep 0.1; done; echo over"
    long = {**YEARLY, "template": "long.json"}
    daemon = start({"long": long, "other": YEARLY}, {"long.json": pod(script)})
    command(daemon, "trigger", "long")
    daemon.wait_log(r"run started job=long", 30)
    daemon.write("schedule.yml", schedule({"other": YEARLY}))
    daemon.wait_log(r"job removed job=long", 30)
    daemon.write("schedule.yml", schedule({"other": YEARLY, "long": {**long, "cron": "* * * * * *"}}))
    daemon.wait_log(r"job added job=long", 30)
    daemon.wait_log(r"slot skipped job=long .*overlap", 30)
    with open(done, "w"):
        pass
    daemon.wait_log(r"run succeeded job=long", 30)


@test("hooks are changed with it: a new file works at once, a wrong one is refused", SECONDS)
def hooks():
    daemon = start({"tick": TICK})
    daemon.write("hooks/a.lua", "function on_reload(event) print('told: ' .. event.message) end\n"
                 "function on_started(event) print('first ' .. event.job) end\n")
    daemon.wait_log(r"told: hooks", 30)
    daemon.wait_log(r"first tick", 30)
    daemon.write("hooks/a.lua", "\nfunction on_starte(event) end\n")
    daemon.wait_log(r"hooks/a\.lua:2:1: error: on_starte is not a hook; did you mean on_started\?", 30)
    before = daemon.log().count("first tick")
    wait_for(lambda: daemon.log().count("first tick") > before + 1, 30, "the old hook at work")


@test("a setting that holds from the next start on is said to", SECONDS)
def settings():
    daemon = start({"a": YEARLY})
    daemon.write("schedule.yml", schedule({"a": YEARLY}, retention="1h", history_rows=5, max_active=3))
    daemon.wait_log(r"reloaded ", 30)
    for line in (r"warning +settings changed from=\"the next start on\" what=history_rows",
                 r"warning +settings changed from=\"the next start on\" what=retention",
                 r"info +settings changed what=max_active"):
        daemon.wait_log(line, 5)


main()
