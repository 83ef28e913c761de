#!/usr/bin/python3
"""Hooks in a running daemon: each is told of what it is for, what they keep lasts, and none of those that misbehave costs
a slot. The machine may be ten times slower."""

import calendar
import json
import os
import re
import signal
import time

from harness import ROOT, Daemon, FakeApi, main, run_binary, temporary_folder, test, wait_for

SECONDS = 120
LOCAL = ["run", "--executor", "local", "--state-dir", "state"]
POD = json.dumps({"apiVersion": "v1", "kind": "Pod",
                  "spec": {"containers": [{"name": "main", "image": "none", "command": ["sh", "-c"], "args": ["true"]}]}})
TICK = {"cron": "* * * * * *", "template": "pod.yml", "overlap": "allow", "catch_up": "all"}
COUNTER = """
function before_run(event)
  store.set("runs", (store.get "runs" or 0) + 1)
  print("count " .. store.get "runs")
end
"""


def schedule(jobs, **settings):
    return json.dumps({"settings": {"cron_dialect": "standard", **settings}, **jobs})


def counts(daemon):
    return [int(number) for number in re.findall(r" count (\d+)", daemon.log())]


def count_on(files, arguments, api=None):
    """A daemon that counts its runs, ended by SIGTERM, and another that must go on counting."""
    first = Daemon(arguments, files, api=api)
    wait_for(lambda: len(counts(first)) >= 3, SECONDS, "three runs")
    assert first.stop(30) == 0
    seen = counts(first)
    assert seen == list(range(1, len(seen) + 1)), seen
    second = Daemon(arguments, folder=first.folder, api=api)
    wait_for(lambda: len(counts(second)) >= 2, SECONDS, "two more runs")
    assert counts(second)[0] == seen[-1] + 1, (seen, counts(second))


FILES = {"schedule.yml": schedule({"tick": TICK}), "pod.yml": POD, "hooks/counter.lua": COUNTER}


@test("what hooks keep outlives the daemon: in SQLite", SECONDS)
def _():
    count_on(FILES, LOCAL)


@test("what hooks keep outlives the daemon: in a ConfigMap", SECONDS)
def _():
    api = FakeApi()
    api.control("hollow", {"run_seconds": 0.1})
    count_on(FILES, ["run", "--executor", "kubernetes"], api)
    [state] = [obj for obj in api.objects("configmaps") if obj["metadata"]["name"] == "kube-scheduler-state"]
    assert int(json.loads(state["data"]["hooks"])["runs"]) >= 3, state


# --- each hook is called for what lua/HOOKS.md says, and is told what it says ---

MANUAL = open(os.path.join(ROOT, "lua/HOOKS.md")).read()
NAMES = re.findall(r"^\| `(\w+)\(event\)` \|", MANUAL, re.M)
ALWAYS = {"hook", "kind", "id"}
RUN = ALWAYS | {"job", "namespace", "run", "slot", "slot_time", "lateness", "attempt", "trigger", "schedule", "file", "line",
                "history"}
OVER = RUN | {"outcome", "log_tail"}
FIELDS = {"on_leader": ALWAYS | {"slot", "slot_time", "message"}, "on_reload": ALWAYS | {"slot", "slot_time", "message"},
          "before_run": RUN, "before_create": RUN | {"manifest"}, "on_started": RUN | {"started"},
          "on_late": RUN | {"message"}, "on_overrun": RUN | {"message", "started"}, "on_slow": RUN | {"message", "started"},
          "on_succeeded": OVER | {"started", "finished", "exit_code"},
          "on_recovered": OVER | {"started", "finished", "exit_code"}, "on_failed": OVER | {"reason"},
          "on_attempt_failed": OVER | {"started", "finished", "exit_code", "retry_at", "manifest"},
          "on_start_failed": OVER | {"reason"}, "on_skipped": RUN | {"reason"},
          "on_missed": RUN | {"missed", "missed_from"}}


def documented_types():
    """{field: type} of the manual's table."""
    section = MANUAL.split("\n## The event\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \| ([^|]+) \|", section, re.M)
    types = {}
    for names, kinds in rows:
        names, kinds = re.findall(r"`(\w+)`", names), kinds.split(", ")
        types.update(zip(names, kinds if len(kinds) == len(names) else kinds * len(names)))
    return types


KINDS = {"text": (str,), "integer": (int,), "number": (int, float), "list of texts": (list, dict), "table": (dict,)}


def check_event(event):
    types = documented_types()
    missing = FIELDS[event["hook"]] - set(event)
    assert not missing, (missing, event)
    for field, value in event.items():
        assert isinstance(value, KINDS[types[field]]) and not isinstance(value, bool), (field, value, types[field])


def told(daemon, hook, job=None):
    """The events that the hook was told of, as it saw them."""
    whole = daemon.log().rpartition("\n")[0].splitlines()
    messages = [json.loads(line).get("message", "") for line in whole if "told {" in line]
    events = [json.loads(message[5:]) for message in messages]
    return [event for event in events if event["hook"] == hook and job in (None, event.get("job"))]


def told_hooks():
    """Hooks that print all they are told."""
    lines = [f"function {name}(event)\n  print('told ' .. json.encode(event))\n"
             + ("  if event.job == 'vetoed' then return false, 'not wanted' end\n" if name == "before_run" else "")
             + "end\n" for name in NAMES]
    return "".join(lines)


def command(text, **rules):
    return {**TICK, "args": [text], **rules}


JOBS = {
    "good": command("echo hello"),
    "flaky": command("exit 3", retries={"max": 1, "delay": "1s"}),
    "nostart": {**TICK, "template": "nostart.yml"},
    "vetoed": TICK,
    "recovers": command("test -e flag || { touch flag; exit 1; }", overlap="enqueue"),
    "long": command("sleep 60", overlap="forbid", expect_duration="1s"),
    "slows": command("echo >>count; test $(wc -l <count) -lt 25 || sleep 60", overlap="enqueue"),
    "misses": {**TICK, "catch_up": "none"},
}
NOSTART = POD.replace('"sh", "-c"', '"/nowhere"')


@test("every hook is called, with the event that is documented", 240)
def _():
    arguments = [*LOCAL, "--log-format", "json"]
    daemon = Daemon(arguments, {"schedule.yml": schedule(JOBS), "pod.yml": POD, "nostart.yml": NOSTART,
                                "hooks/all.lua": told_hooks()})
    wait_for(lambda: told(daemon, "on_slow", "slows"), 150, "a slow run")
    daemon.write("schedule.yml", schedule({**JOBS, "vetoed": {**TICK, "description": "changed"}}))
    wait_for(lambda: told(daemon, "on_reload"), 30, "the reload")
    seen = {name: told(daemon, name) for name in NAMES}
    daemon.kill()
    daemon.wait()
    time.sleep(12)
    daemon = Daemon(arguments, folder=daemon.folder)
    for name in ("on_late", "on_missed"):
        seen[name] = wait_for(lambda name=name: told(daemon, name), 60, name)
    for name in NAMES:
        assert seen[name], f"{name} was not called"
        check_event(seen[name][0])
    [long] = [event for event in seen["on_overrun"] if event["job"] == "long"]
    assert "more than 1 s" in long["message"], long
    assert {event["job"] for event in seen["on_recovered"]} == {"recovers"}, seen["on_recovered"]
    assert "not wanted" in [event for event in seen["on_skipped"] if event["job"] == "vetoed"][0]["reason"]
    assert [event["attempt"] for event in seen["on_failed"] if event["job"] == "flaky"][0] == 1
    assert seen["on_attempt_failed"][0]["exit_code"] == 3 and seen["on_missed"][0]["missed"] > 5
    assert {event["job"] for event in seen["on_start_failed"]} == {"nostart"}, seen["on_start_failed"]
    good = [event for event in seen["on_succeeded"] if event["job"] == "good"][0]
    assert good["log_tail"] == ["hello"] and good["exit_code"] == 0, good
    assert [event for event in seen["on_slow"]][0]["history"]["p95"] < 60, seen["on_slow"]


@test("an event names the node that its Pod is on", SECONDS)
def _():
    api = FakeApi()
    api.control("hollow", {"run_seconds": 0.1})
    hooks = "".join(f"function {name}(event) print('{name} on ' .. event.node) end\n"
                    for name in ("on_started", "on_succeeded"))
    daemon = Daemon(["run", "--executor", "kubernetes"], {**FILES, "hooks/counter.lua": hooks}, api=api)
    for name in ("on_started", "on_succeeded"):
        daemon.wait_log(f"{name} on node-1", SECONDS)


# --- bad hooks ---

BAD_HOOKS = {  # what before_run does for the job of that name, and what the log must say
    "loop": ("while true do end", r"^loop\.lua:3: ran longer than its deadline of 100 ms"),
    "protected": ("while true do pcall(function() while true do end end) end", r"^protected\.lua:3: ran longer"),
    "wrapped": ("while true do pcall(coroutine.wrap(function() while true do pcall(error) end end)) end",
                r"^wrapped\.lua:3: ran longer"),
    "pattern": ("string.find(('a'):rep(20000), '.-.-.-.-b$')",
                r"^before_run in pattern\.lua: the hook host was killed: past its deadline"),
    "memory": ("return false, ('x'):rep(1 << 30)", r"(?s)^not enough memory.*memory\.lua:3:"),
    "finalizer": ("setmetatable({}, {__gc = function() while true do end end})",
                  r"^finalizer\.lua:3: __gc is not available"),
    "exit": ("os.exit(1)", r"^exit\.lua:3: attempt to call a nil value \(field 'exit'\)"),
}


def hosts_of(daemon):
    """The process ids of its hook hosts."""
    with open(f"/proc/{daemon.child.pid}/task/{daemon.child.pid}/children") as file:
        children = file.read().split()
    return [int(pid) for pid in children if comm(pid) == "hook-host"]


def comm(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return None


def failed_hooks(daemon):
    """{(hook, file): [error, …]} as the log has them."""
    found = {}
    for text in daemon.log().rpartition("\n")[0].splitlines():
        if '"hook failed"' in text:
            line = json.loads(text)
            found.setdefault((line["hook"], os.path.basename(line["file"])), []).append(line["error"])
    return found


def assert_each_slot_ran(daemon, job, least):
    """No second between the job's first and last run is without one, and none has two."""
    slots = [json.loads(text)["slot"] for text in daemon.log().splitlines()
             if '"run started"' in text and f'"job":"{job}"' in text]
    seconds = [calendar.timegm(time.strptime(slot, "%Y-%m-%dT%H:%M:%SZ")) for slot in slots]
    assert len(seconds) >= least and sorted(seconds) == list(range(min(seconds), max(seconds) + 1)), seconds


def bad_daemon(jobs, hooks):
    return Daemon([*LOCAL, "--log-format", "json"],
                  {"schedule.yml": schedule(jobs, hooks={"decision": "100ms", "event": "100ms"}), "pod.yml": POD, **hooks})


@test("whatever a hook does, each slot runs, and the hook is named with its file and line", SECONDS)
def _():
    hooks = {f"hooks/{name}.lua": f"function before_run(event)\n  if event.job ~= '{name}' then return end\n{body}\nend"
             for name, (body, _) in BAD_HOOKS.items()}
    jobs = {name: TICK for name in ("good", *BAD_HOOKS)}
    daemon = bad_daemon(jobs, hooks)
    wanted = {("before_run", f"{name}.lua") for name in BAD_HOOKS}
    wait_for(lambda: wanted <= set(failed_hooks(daemon)), 60, "a failure of each hook")
    time.sleep(3)
    daemon.stop(30)
    said = failed_hooks(daemon)
    assert set(said) == wanted, said
    for name, (_, pattern) in BAD_HOOKS.items():
        assert re.search(pattern, said["before_run", f"{name}.lua"][0]), (name, said["before_run", f"{name}.lua"][0])
    for name in jobs:
        assert_each_slot_ran(daemon, name, 3)


@test("a hook host that crashes or is killed at random costs no slot", SECONDS)
def _():
    hook = "function {}(event)\n  for _ = 1, 100000 do math.sqrt(2) end\nend\n"
    daemon = bad_daemon({"a": TICK, "b": TICK}, {"hooks/busy.lua": "".join(map(hook.format, ("before_run", "on_started")))})
    for number in [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT] * 4:
        pid = wait_for(lambda: hosts_of(daemon), 20, "a hook host")[0]
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        wait_for(lambda pid=pid: pid not in hosts_of(daemon), 20, "the end of the host")
        time.sleep(0.37)
    before = daemon.log().count('"run succeeded"')
    wait_for(lambda: daemon.log().count('"run succeeded"') > before + 3, 30, "further runs")
    daemon.stop(30)
    for job in ("a", "b"):
        assert_each_slot_ran(daemon, job, 5)
    said = [error for errors in failed_hooks(daemon).values() for error in errors]
    # with sanitizers a SIGSEGV is a report and an exit
    ends = "ended by SIG|ended with exit code|did not load again"
    assert all("busy.lua" in error and re.search(ends, error) for error in said), said


# --- hooks tried offline ---


def folder(files):
    path = temporary_folder()
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        with open(os.path.join(path, name), "w") as file:
            file.write(text)
    return path


@test("test runs the samples' tests", 60)
def _():
    done = run_binary(["test", os.path.join(ROOT, "scripts/hooks-samples")], 50)
    assert done.returncode == 0 and not done.stderr, done
    samples = {name.split("_")[0] for name in os.listdir(os.path.join(ROOT, "scripts/hooks-samples"))}
    for name in samples:
        assert re.search(rf"^ok \d+ - {name.removesuffix('.lua')}_test\.lua: ", done.stdout, re.M), (name, done.stdout)


TESTED = """
local url = os.getenv "HOOK_URL"
function on_failed(event)
  if event.job == "broken" then error "on purpose" end
  local answer = http.request{url = url}
  alert{title = event.job .. " failed", message = os.date("!%F %T") .. " " .. (answer and answer.body or "no answer")}
  store.set("told", event.id)
end
"""
GOOD = """
environment{HOOK_URL = "http://gate/"}
test("good", function()
  clock.set "2026-12-24T08:00:00Z"
  clock.advance(1)
  answers(function(request) return {status = 200, headers = {}, body = request.url} end)
  fire{hook = "on_failed", job = "a"}
  equal(effects(), {{kind = "alert", title = "a failed", message = "2026-12-24 08:00:01 http://gate/"}})
  equal(store.get "told", "default/a-1798099201/failed")
  equal(effects(), {})
end)
test("anew", function() equal(store.get "told", nil) end)
"""
BAD = """
environment{HOOK_URL = "http://gate/"}
test("differs", function()
  fire{hook = "on_failed", job = "a"}
  equal(effects(), {{kind = "alert", title = "b failed", message = "2026-01-01 00:00:00 no answer"}})
end)
test("fails", function() fire{hook = "on_failed", job = "broken"} end)
test("misspelt", function() fire{hook = "on_fialed"} end)
test("field", function()
  fire{hook = "on_failed", jbo = "a"}
end)
"""


@test("test shows what differs and what failed, at its place", 60)
def _():
    done = run_binary(["test"], 50, cwd=folder({"hooks/a.lua": TESTED, "hooks/a_test.lua": GOOD, "hooks/z_test.lua": BAD,
                                                "hooks/y_test.lua": "test(", "hooks/b.lua": "x = 1"}))
    assert done.returncode == 1, done
    for wanted in (r"^ok 1 - a_test\.lua: good$", r"^ok 2 - a_test\.lua: anew$",
                   r"^not ok 3 - y_test\.lua: loads\n# hooks/y_test\.lua:1: ", r"^not ok 4 - z_test\.lua: differs$",
                   r"^# b\.lua:1: 'x' is not declared", r"^1\.\.7$"):
        assert re.search(wanted, done.stdout, re.M), (wanted, done.stdout)
    done = run_binary(["test", "."], 50, cwd=folder({"./a.lua": TESTED, "./a_test.lua": BAD}))
    assert done.returncode == 1, done
    for wanted in (r'^# \./a_test\.lua:5: \[1\]\.title is "a failed" and not "b failed"$', r"^# a\.lua:4: on purpose$",
                   r"^# .*there is no hook 'on_fialed'; did you mean on_failed\?$",
                   r"^# \./a_test\.lua:10: an event has no field 'jbo'; did you mean job\?$"):
        assert re.search(wanted, done.stdout, re.M), (wanted, done.stdout)
    empty = run_binary(["test", "."], 50, cwd=folder({"./a.lua": ""}))
    assert empty.returncode == 1 and "no test" in empty.stderr, empty


@test("what a daemon records goes through hooks again, and nothing is done", SECONDS)
def _():
    files = {"schedule.yml": schedule({"tick": TICK}), "pod.yml": POD}
    daemon = Daemon([*LOCAL, "--record", "events"], files)
    wait_for(lambda: daemon.log().count("run succeeded") >= 2, SECONDS, "two runs")
    daemon.stop(30)
    records = [json.loads(line) for line in open(os.path.join(daemon.folder, "events"))]
    told = {record["hook"] for record in records}
    assert told >= {"on_leader", "before_run", "before_create", "on_started", "on_succeeded"}, told
    hooks = """
    function before_run(event) return false, "at " .. os.time() - event.slot end
    function on_succeeded(event) alert{title = event.job .. " " .. event.exit_code} error_for = nil end
    function on_started(event) alert{title = "started " .. event.trigger} store.set("n", 1) end
    """
    daemon.write("later/a.lua", hooks.replace("error_for = nil", ""))
    done = run_binary(["replay", "events", "--hooks", "later"], 60, cwd=daemon.folder)
    assert done.returncode == 0, done
    for wanted in (r"^\S+Z before_run tick\n  answer: .*at [0-9]", r'on_succeeded tick\n  \{kind = "alert", title = "tick 0"\}',
                   r'kind = "alert", title = "started schedule"', r'key = "n", kind = "store.set", text = "1"'):
        assert re.search(wanted, done.stdout, re.M), (wanted, done.stdout)
    daemon.write("later/a.lua", hooks)
    done = run_binary(["replay", "events", "--hooks", "later"], 60, cwd=daemon.folder)
    assert done.returncode == 1 and re.search(r"^  failed: .*a\.lua:3: .*error_for", done.stdout, re.M), done


@test("a record on a full disk costs a log line", SECONDS)
def _():
    daemon = Daemon([*LOCAL, "--record", "/dev/full"], {"schedule.yml": schedule({"tick": TICK}), "pod.yml": POD})
    daemon.wait_log(r"events are recorded no more error=.*No space left.* file=/dev/full", SECONDS)
    wait_for(lambda: daemon.log().count("run succeeded") >= 2, SECONDS, "two runs")
    assert daemon.log().count("recorded no more") == 1


main()
