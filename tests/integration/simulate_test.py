#!/usr/bin/python3
"""kube-scheduler simulate: every slot of a window, on virtual time."""

import json
import os

from harness import BINARY, main, run_binary, temporary_folder, test

POD = """
apiVersion: v1
kind: Pod
spec:
  containers: [{name: main, image: none}]
"""


# Seconds. The sanitizers take their share.
SLOWEST = 300 if "sanitize" in BINARY else 60


def folder(schedule, hooks=None):
    path = temporary_folder()
    files = {"schedule.yml": schedule, "pod.yml": POD}
    for name, text in (hooks or {}).items():
        files["hooks/" + name] = text
    for name, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        with open(os.path.join(path, name), "w") as file:
            file.write(text)
    return path


def simulate(path, *arguments, code=0):
    done = run_binary(["simulate", "--dir", path, *arguments], seconds=SLOWEST)
    assert done.returncode == code, (done.returncode, done.stderr)
    return done.stdout if code == 0 else done.stderr


def simulate_json(path, *arguments):
    return json.loads(simulate(path, "--format", "json", *arguments))


DAY = ["--from", "2026-03-02", "--to", "+1d"]


@test("a run that lasts past the next slot makes it a skip, and one that lasts just until then does not")
def _():
    path = folder("""
exact: {cron: "* * * * *", template: pod.yml}
long: {cron: "* * * * *", template: pod.yml, expect_duration: 61s}
""")
    out = simulate_json(path, "--from", "2026-03-02", "--to", "+1h")
    assert out["jobs"]["exact"]["runs"] == 60 and out["jobs"]["exact"]["skipped"] == 0, out["jobs"]
    long = out["jobs"]["long"]
    assert long["slots"] == 60 and long["runs"] == 30 and long["skipped"] == 30, long
    [(reason, count)] = long["reasons"].items()
    assert "overlap" in reason and count == 30, long
    assert [skip["job"] for skip in out["skips"]] == ["long"] * 30


@test("--duration stands above expect_duration; a wrong one says what to write")
def _():
    path = folder('job: {cron: "* * * * *", template: pod.yml, expect_duration: 10m}')
    hour = ["--from", "2026-03-02", "--to", "+1h"]
    assert simulate_json(path, *hour)["jobs"]["job"]["runs"] == 6
    assert simulate_json(path, *hour, "--duration", "job=30s")["jobs"]["job"]["runs"] == 60
    assert "did you mean 'job'" in simulate(path, "--duration", "jab=30s", code=2)
    assert "JOB=5m" in simulate(path, "--duration", "job=soon", code=2)


@test("enqueue, replace, timeout and retries go as in the daemon")
def _():
    path = folder("""
enqueue: {cron: "*/10 * * * *", template: pod.yml, overlap: enqueue, deadline: 1h, expect_duration: 15m}
replace: {cron: "*/10 * * * *", template: pod.yml, overlap: replace, expect_duration: 15m}
retry: {cron: "0 * * * *", template: pod.yml, timeout: 5m, expect_duration: 8m, retries: {max: 1, delay: 10s}}
""")
    hour = ["--from", "2026-03-02", "--to", "+1h"]
    out = simulate_json(path, *hour)
    runs = {name: [run for run in out["runs"] if run["job"] == name] for name in out["jobs"]}
    starts = [(run["started"] - run["slot"]) // 60 for run in runs["enqueue"]]
    assert starts == [0, 5, 10, 15], starts
    assert [run["outcome"] for run in runs["replace"]] == ["deleted"] * 5 + [None], runs["replace"]
    assert out["jobs"]["replace"]["failed"] == 0, out["jobs"]
    assert [(run["attempt"], run["outcome"]) for run in runs["retry"]] == [(0, "timeout"), (1, "timeout")], runs["retry"]
    assert out["jobs"]["retry"]["slots"] == 1 and out["jobs"]["retry"]["failed"] == 2, out["jobs"]
    text = simulate(path, *hour, "--all")
    assert "00:15:00 UTC  enqueue  runs, slot 2026-03-02T00:10:00Z" in text and "retry  runs, attempt 2" in text, text
    assert "replace  replaced" in text, text


@test("the day without a 02:30 runs it once, at 03:00")
def _():
    path = folder('job: {cron: "30 2 * * *", timezone: America/New_York, template: pod.yml}')
    out = simulate_json(path, "--from", "2026-03-07T00:00:00-05:00", "--to", "2026-03-10T00:00:00-04:00")
    assert [run["utc"] for run in out["runs"]] == ["2026-03-07T07:30:00Z", "2026-03-08T07:00:00Z",
                                                   "2026-03-09T06:30:00Z"], out["runs"]


@test("the window begins with --from and ends before --to")
def _():
    path = folder('job: {cron: "0 * * * *", template: pod.yml}')
    out = simulate_json(path, "--from", "2026-03-02T10:00:00Z", "--to", "2026-03-02T12:00:00Z")
    assert [run["utc"][11:13] for run in out["runs"]] == ["10", "11"], out["runs"]
    assert "--to must be later" in simulate(path, "--from", "2026-03-02", "--to", "2026-03-01", code=2)
    assert "is not a time" in simulate(path, "--from", "soon", code=2)


@test("JSON has runs, skips, jobs, peak, collisions and the heat map")
def _():
    path = folder("""
a: {cron: "0 6 * * *", template: pod.yml}
b: {cron: "0 6 * * *", template: pod.yml, expect_duration: 2h}
c: {cron: "0 7 * * *", template: pod.yml}
""")
    out = simulate_json(path, "--from", "2026-03-02", "--to", "+7d")
    assert set(out) == {"from", "to", "runs", "skips", "jobs", "peak", "collisions", "heat", "zone", "effects"}, out.keys()
    assert (out["from"], out["to"], out["zone"]) == ("2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z", "UTC")
    assert set(out["runs"][0]) == {"job", "slot", "utc", "attempt", "trigger", "started", "finished", "outcome"}
    assert len(out["runs"]) == 21 and out["skips"] == [] and out["effects"] == []
    assert out["peak"]["runs"] == 2, out["peak"]
    assert out["collisions"] == [{"time": 6 * 3600, "starts": 2, "first": 1772431200, "times": 7}], out["collisions"]
    assert [[row[6], row[7]] for row in out["heat"]] == [[2, 1]] * 7, out["heat"]
    assert out["jobs"]["b"]["busy"] == 7 * 7200


@test("what still runs at the end is told as such")
def _():
    path = folder('job: {cron: "59 23 * * *", template: pod.yml, expect_duration: 2m}')
    [run] = simulate_json(path, *DAY)["runs"]
    assert run["finished"] is None and run["outcome"] is None, run


@test("the same question has the same answer")
def _():
    path = folder("""
a: {cron: "*/7 * * * *", template: pod.yml, expect_duration: 10m}
b: {cron: "H * * * *", template: pod.yml}
c: {cron: "0 0 1 1 *", template: pod.yml}
""", {"any.lua": 'function on_succeeded(event) if event.job == "b" then trigger "a" trigger "c" end end'})
    first, second = (simulate(path, *DAY, "--all") for _ in range(2))
    assert first == second and "triggered" in first
    assert simulate(path, *DAY, "--format", "json") == simulate(path, *DAY, "--format", "json")


@test("a hook's veto is the reason of the skip; alerts and posts are shown and not sent")
def _():
    path = folder('job: {cron: "0 */6 * * *", template: pod.yml}', {"any.lua": """
function before_run(event)
  if os.date("!%H", event.slot) == "06" then return false, "not in the morning" end
  local answer, message = http.request{url = "http://127.0.0.1:1/"}
  if message ~= "nothing is sent in a simulation" then return false, "asked: " .. tostring(message) end
end
function on_skipped(event) alert{title = "skipped at " .. event.slot_time} end
function on_succeeded() http.post{url = "http://127.0.0.1:1/done", json = {}} end
"""})
    out = simulate_json(path, *DAY)
    assert out["jobs"]["job"]["reasons"] == {"before_run: not in the morning": 1}, out["jobs"]
    assert [one["what"] for one in out["effects"] if one["kind"] == "alert"] == ["skipped at 2026-03-02T06:00:00Z"]
    assert [one["what"] for one in out["effects"] if one["kind"] == "http.post"] == ["http://127.0.0.1:1/done"] * 3
    text = simulate(path, *DAY)
    assert "not in the morning (1)" in text and "Hooks asked for http.post: 3 times" in text, text


@test("a hook that hangs is ended, and its slot is decided at its own time")
def _():
    path = folder('job: {cron: "0 */6 * * *", template: pod.yml, on_hook_error: skip}',
                  {"any.lua": "function before_run() while true do end end"})
    out = simulate_json(path, *DAY)
    assert out["jobs"]["job"]["skipped"] == 4 and out["effects"][0]["kind"] == "alert", out


@test("the table: jobs, skips, the peak, and a heat map without colour in a pipe")
def _():
    path = folder('job: {cron: "* * * * *", template: pod.yml, expect_duration: 90s}')
    out = simulate(path, "--from", "2026-03-02", "--to", "+1h")
    assert "30 runs, 0 failed, 30 skipped" in out and "Peak: 1 at once" in out and "Mon  ██" in out, out
    assert "\x1b" not in out and "and 10 more: --all" in out, out
    assert len(simulate(path, "--from", "2026-03-02", "--to", "+1h", "--all").split("skipped: ")) == 31


@test("--diff tells the slots that another file adds and removes")
def _():
    path = folder("""
same: {cron: "0 1 * * *", template: pod.yml}
moved: {cron: "0 2 * * *", template: pod.yml}
gone: {cron: "0 3 * * *", template: pod.yml}
""")
    with open(os.path.join(path, "other.yml"), "w") as file:
        file.write("""
same: {cron: "0 1 * * *", template: pod.yml}
moved: {cron: "0 2,4 * * *", template: pod.yml}
new: {cron: "@daily", template: pod.yml}
""")
    other = ["--diff", os.path.join(path, "other.yml")]
    out = json.loads(simulate(path, *DAY, *other, "--format", "json"))
    assert [(c["job"], c["added"], c["removed"]) for c in out["changes"]] == [
        ("gone", 0, 1), ("moved", 1, 0), ("new", 1, 0)], out
    assert out["changes"][1]["slots"] == [{"change": "added", "slot": 1772424000}], out
    text = simulate(path, *DAY, *other)
    assert "+ Mon 2026-03-02 04:00:00 UTC  moved" in text and "- Mon 2026-03-02 03:00:00 UTC  gone" in text, text
    assert simulate(path, *DAY, "--diff", os.path.join(path, "schedule.yml")) == "No slot changes.\n"


@test("a thousand jobs over thirty days", seconds=SLOWEST + 20)
def _():
    lines = []
    for i in range(1000):
        hour = "*/4" if i % 2 else i % 24
        lines.append(f'job-{i}: {{cron: "{i % 60} {hour} * * *", template: pod.yml}}')
    path = folder("\n".join(lines))
    out = simulate(path, "--from", "2026-03-02", "--to", "+30d")  # within SLOWEST
    assert "1000 jobs, 105000 runs, 0 failed, 0 skipped" in out, out.split("\n")[0]


main()
