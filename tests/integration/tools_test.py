#!/usr/bin/python3
"""The time tools as operators type them: next, explain, check."""

import json
import os
import pty
import random
import re
import subprocess
import textwrap

from harness import BINARY, ROOT, main, run_binary, temporary_folder, test

POD = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {name: main, image: busybox, args: [a]}\n"
SCHEDULE = """settings: {cron_dialect: standard}
nightly: {cron: "30 2 * * *", timezone: America/New_York, dst: skip, template: pod.yml}
twice: {cron: ["0 6 * * *", "0 18 * * *"], template: pod.yml}
off: {cron: "", template: pod.yml}
ends: {cron: "0 0 * * *", end: 2027-01-02T00:00:00Z, template: pod.yml}
broken: {cron: "0 25 * * *", template: pod.yml}
spread: {cron: "H 4 * * *", template: pod.yml}
"""


def folder(schedule=SCHEDULE):
    path = temporary_folder()
    for name, text in {"schedule.yml": schedule, "pod.yml": POD}.items():
        with open(os.path.join(path, name), "w") as file:
            file.write(text)
    return path


def run(*arguments, code=0, **options):
    done = run_binary(arguments, **options)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done


def instants(*arguments, **options):
    return run("next", *arguments, "--format", "rfc3339", **options).stdout.splitlines()


@test("next prints one RFC 3339 instant a line in the zone asked for, and nothing else", seconds=90)
def _():
    assert instants("0 5 * * *", "--from", "2026-11-24T05:00:00Z", "--count", "2") == [
        "2026-11-25T05:00:00Z", "2026-11-26T05:00:00Z"]
    assert instants("0 5 * * *", "--from", "2026-03-07", "--count", "2", "--timezone", "America/New_York") == [
        "2026-03-07T05:00:00-05:00", "2026-03-08T05:00:00-04:00"]
    assert instants("TZ=Asia/Tokyo 0 5 * * *", "--from", "2026-11-24T00:00:00Z", "--count", "1") == [
        "2026-11-25T05:00:00+09:00"]
    assert instants("TZ=Asia/Tokyo 0 5 * * *", "--from", "2026-11-24T00:00:00Z", "--count", "1",
                    "--timezone", "UTC") == ["2026-11-24T20:00:00Z"]


@test("next finds leap days, also over 2100 and from a century ago", seconds=90)
def _():
    assert instants("0 0 29 2 *", "--from", "2095-01-01", "--count", "2") == [
        "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"]
    assert instants("0 0 29 2 *", "--from", "1895-01-01", "--count", "2") == [
        "1896-02-29T00:00:00Z", "1904-02-29T00:00:00Z"]
    assert instants("0 0 1 1 *", "--from", "1879-06-01", "--count", "1", "--timezone", "America/New_York") == [
        "1880-01-01T04:56:02Z"], "an offset of -04:56:02 cannot be written in RFC 3339"


@test("next moves out of a gap and tells it, in New York and Lord Howe, by each policy", seconds=90)
def _():
    new_york = ["30 2 * * *", "--timezone", "America/New_York", "--from", "2027-03-14", "--count", "1"]
    assert instants(*new_york) == ["2027-03-14T03:00:00-04:00"]
    assert instants(*new_york, "--dst", "skip") == ["2027-03-15T02:30:00-04:00"]
    assert "moved: 02:30 does not exist" in run("next", *new_york).stdout
    assert "2027-03-14 02:30 before it does not exist" in run("next", *new_york, "--dst", "robfig").stdout
    lord_howe = ["15 2 * * *", "--timezone", "Australia/Lord_Howe", "--from", "2026-10-04", "--count", "1"]
    assert instants(*lord_howe) == ["2026-10-04T02:30:00+11:00"]
    slot, = json.loads(run("next", *lord_howe, "--format", "json").stdout)
    assert slot == {"slot": 1791041400, "time": "2026-10-04T02:30:00+11:00", "utc": "2026-10-03T15:30:00Z",
                    "effect": "moved", "wall": "2026-10-04T02:15:00"}, slot


@test("next runs once or twice in an overlap, and tells the pass", seconds=90)
def _():
    new_york = ["30 1 * * *", "--timezone", "America/New_York", "--from", "2026-11-01", "--count", "2"]
    assert instants(*new_york) == ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]
    assert instants(*new_york, "--dst", "robfig") == ["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00"]
    text = run("next", *new_york, "--dst", "robfig").stdout
    assert "EDT  2026-11-01T05:30:00Z  first of two passes" in text, text
    assert "EST  2026-11-01T06:30:00Z  second of two passes" in text, text
    assert instants("45 1 * * *", "--timezone", "Australia/Lord_Howe", "--from", "2026-04-05", "--dst", "robfig",
                    "--count", "2") == ["2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30"]


@test("next takes a job's own zone, policy, list and end", seconds=90)
def _():
    path = folder()
    at = ["--from", "2027-03-14T05:00:00Z", "--count", "2"]
    assert instants("nightly", *at, cwd=path) == ["2027-03-15T02:30:00-04:00", "2027-03-16T02:30:00-04:00"]
    assert instants("nightly", *at, "--timezone", "UTC", cwd=path)[0] == "2027-03-15T06:30:00Z"
    assert instants("twice", *at, "--dir", path) == ["2027-03-14T06:00:00Z", "2027-03-14T18:00:00Z"]
    assert len(instants("spread", cwd=path)) == 5
    done = run("next", "ends", "--from", "2027-01-01", "--format", "rfc3339", cwd=path)
    assert done.stdout == "2027-01-02T00:00:00Z\n", done.stdout
    assert "its last slot is 2027-01-02T00:00:00Z" in done.stderr, done.stderr


@test("next without any slot fails with 1 and says why", seconds=90)
def _():
    path = folder()
    assert "'off' is disabled" in run("next", "off", cwd=path, code=1).stderr
    assert "it ends" in run("next", "ends", "--from", "2027-01-02", cwd=path, code=1).stderr
    done = run("next", "@at 2020-01-01T00:00:00Z", "--from", "2021-01-01", "--format", "json", code=1)
    assert json.loads(done.stdout) == [] and "2020-01-01T00:00:00Z" in done.stderr, done
    assert "no slot at all" in run("next", "0 0 0 31 2 *", "--dialect", "robfig-v1", code=1).stderr


@test("next refuses what it cannot read with 2, the place and the remedy", seconds=90)
def _():
    path = folder()
    for arguments, expected in [
            (["0 25 * * *"], "hour 25 is out of range: write 0-23\n  0 25 * * *\n    ^"),
            (["nightli"], "there is no job 'nightli' in ./schedule.yml (did you mean 'nightly'?)"),
            (["broken"], "schedule.yml:6:"),
            (["nightly", "--dst", "cronie"], "--dialect and --dst are for an expression"),
            (["nightly", "--timezone", "Mars/Base"], "Mars/Base"),
            (["0 5 * * *", "--timezone", "Europe/Lodon"], "did you mean Europe/London?"),
            (["0 5 * * *", "--from", "soon"], "--from: 'soon' is not a time: write"),
            (["0 5 * * *", "--count", "0"], "--count is a number from 1"),
            (["0 5 * * *", "--count", "x"], "--count"),
            (["0 5 * * *", "--dst", "never"], "--dst is one of cronie, robfig, skip"),
            (["0", "5", "*", "*", "*"], "put an expression in quotes"),
            ([], "is missing")]:
        done = run("next", *arguments, cwd=path, code=2)
        assert expected in done.stderr and not done.stdout, (arguments, done)
    assert "there is no ./schedule.yml" in run("next", "nightly", cwd=temporary_folder(), code=2).stderr


@test("explain says an expression in words, what it may not mean, and its next slots in zone and UTC", seconds=90)
def _():
    out = run("explain", "30 2 * * *", "--timezone", "America/New_York", "--from", "2026-11-24T00:00:00Z").stdout
    for line in ["at 02:30, New York time",
                 "robfig-v1, as the first kube-scheduler read it: at second 30 of minute 2 of every hour, New York time",
                 "on 2027-03-14 02:30 does not exist: it runs at 03:00",
                 "Tue 2026-11-24 02:30:00 EST  2026-11-24T07:30:00Z"]:
        assert line + "\n" in out, (line, out)
    assert "warning: its time is in an hour that the zone skips" in out, out
    out = run("explain", "30 2 13 * FRI", "--dialect", "standard").stdout
    assert "warning: day of month and weekday are both given" in out and "robfig-v1" not in out, out


@test("explain takes a job's zone and policy, and tells programs the same", seconds=90)
def _():
    path = folder()
    done = run("explain", "nightly", "--from", "2027-03-01", "--format", "json", cwd=path)
    found = json.loads(done.stdout)
    assert (found["job"], found["description"], found["other_reading"]) == (
        "nightly", "at 02:30, New York time", None), found
    assert found["changes"] == [{"at": 1805007600, "kind": "gap", "wall": "2027-03-14T02:30:00", "runs": "lost",
                                 "text": "on 2027-03-14 02:30 does not exist: it does not run then"}], found
    assert found["warnings"] == [] and len(found["next"]) == 3, found
    assert "at 06:00, UTC; and at 18:00, UTC" in run("explain", "twice", cwd=path).stdout
    assert "its last slot is 2027-01-02" in run("explain", "ends", "--from", "2028-01-01", cwd=path).stdout
    assert "'off' is disabled" in run("explain", "off", cwd=path, code=1).stderr
    assert "@reboot" in run("explain", "@reboot", cwd=path, code=2).stderr


@test("check exits with 0 on warnings, 1 on mistakes and by --strict on warnings, 2 on wrong usage", seconds=90)
def _():
    warned = folder("settings: {cron_dialect: standard}\na:\n  cron: '0 4 13 * FRI'\n  template: pod.yml\n")
    done = run("check", cwd=warned)
    assert done.stdout.startswith("./schedule.yml:3:9: warning: job 'a': day of month and weekday"), done.stdout
    assert done.stderr == "1 good job, 0 mistakes, 1 warning\n", done.stderr
    run("check", "--strict", cwd=warned, code=1)
    done = run("check", "--format", "json", cwd=warned)
    finding, = json.loads(done.stdout)
    assert (finding["file"], finding["line"], finding["column"], finding["severity"]) == (
        "./schedule.yml", 3, 9, "warning"), finding
    assert "2 of 2 jobs start in the same second" in run(
        "check", "--peak", "2", "--dir", folder(
            "settings: {cron_dialect: standard}\na: {cron: '@daily', template: pod.yml}\n"
            "b: {cron: '@daily', template: pod.yml}\n")).stdout
    done = run("check", cwd=folder(), code=1)
    assert "./schedule.yml:6:" in done.stdout and "error: cron '0 25 * * *'" in done.stdout, done.stdout
    assert "--strickt" in run("check", "--strickt", code=2).stderr


@test("--lua-path is heeded before a command and among its options, and is a program's own behind it", seconds=90)
def _():
    lua = temporary_folder()
    os.mkdir(os.path.join(lua, "scripts"))
    for name in "daemon", "next":
        with open(os.path.join(lua, "scripts", name + ".lua"), "w") as file:
            file.write(f'print("own {name}", table.concat(arg, " "))')
    with open(os.path.join(lua, "mine.lua"), "w") as file:
        file.write('print(table.concat(arg, " "))')
    assert run("--lua-path", lua, "next", "x").stdout == "own next\tx\n"
    assert run("next", "x", f"--lua-path={lua}", "y").stdout == "own next\tx y\n"
    assert run("run", "-lua-path", lua, "--strict").stdout == "own daemon\t--strict\n"
    assert run("--strict", "--lua-path", lua).stdout == "own daemon\t--strict\n"
    assert "EXPR|JOB is missing" in run("next", "--", "--lua-path", lua, code=2).stderr
    assert run(os.path.join(lua, "mine.lua"), "--lua-path", "x").stdout == "--lua-path x\n"
    assert "needs a value" in run("run", "--lua-path", code=2).stderr


def samples(text):
    """(command, expected output) of the lines that start with a prompt, up to the next prompt or the end."""
    found = re.findall(r"^\$ kube-scheduler ((?:next|explain) .*)\n((?:(?!\$ ).*\n)*)", text, re.MULTILINE)
    return [(command, output.strip() + "\n") for command, output in found]


def samples_of_the_manual():
    with open(os.path.join(ROOT, "scripts", "man", "kube-scheduler.1")) as file:
        examples = re.findall(r"^\.EX\n(.*?)^\.EE\n", file.read(), re.MULTILINE | re.DOTALL)
    plain = "".join(examples).replace(r"\(aq", "'").replace(r"\-", "-").replace(r"\e", "\\")
    return samples(plain)


def samples_of_the_readme():
    with open(os.path.join(ROOT, "README.md")) as file:
        blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", file.read(), re.MULTILINE)
    return [sample for block in blocks for sample in samples(textwrap.dedent(block))]


@test("the samples in the manual and the README say what the commands print", seconds=90)
def _():
    for found, least in (samples_of_the_manual(), 4), (samples_of_the_readme(), 1):
        assert len(found) >= least, found
        for command, expected in found:
            done = subprocess.run(f"{BINARY} {command}", shell=True, capture_output=True, text=True, timeout=20)
            assert done.stdout == expected, (command, done.stdout, done.stderr)


def in_terminal(*arguments, environment=None):
    """What a command prints to a terminal."""
    variables = {**os.environ, "TERM": "xterm", **(environment or {})}
    child, terminal = pty.fork()
    if child == 0:
        os.execve(BINARY, [BINARY, *arguments], variables)
    out = b""
    try:
        while piece := os.read(terminal, 65536):
            out += piece
    except OSError:  # the other end is closed
        pass
    os.waitpid(child, 0)
    os.close(terminal)
    return out.decode()


@test("colour and relative times are for a terminal without NO_COLOR", seconds=90)
def _():
    command = ["next", "0 5 * * *"]
    piped = run(*command).stdout
    assert "\x1b" not in piped and "in " not in piped, piped
    terminal = in_terminal(*command, environment={"NO_COLOR": ""})
    assert "\x1b[1m" in terminal and "in " in terminal, terminal
    for variable in {"NO_COLOR": "1"}, {"TERM": "dumb"}:
        plain = in_terminal(*command, environment=variable)
        assert "\x1b" not in plain and "in " in plain, plain


def random_field(low, high, random_numbers):
    start, end = sorted(random_numbers.sample(range(low, high + 1), 2))
    return random_numbers.choice(["*", str(start), f"{start}-{end}", f"{start},{end}", f"*/{random_numbers.randint(2, high)}"])


ORACLE = """local cron, clock = require "cron", require "clock"
for i = 2, #arg do
  local slots = assert(cron.parse(arg[i], {timezone = arg[1]})):between(clock.parse "2026-10-20T00:00:00Z", 1 << 40, 20)
  for n, t in ipairs(slots) do slots[n] = clock.format(t) end
  print(table.concat(slots, " "))
end"""


@test("next agrees with cron.parse on random expressions", seconds=180)
def _():
    seed = int(os.environ.get("TOOLS_SEED", random.randrange(1 << 32)))
    print(f"# TOOLS_SEED={seed}")
    numbers = random.Random(seed)
    expressions = [" ".join(random_field(low, high, numbers) for low, high in ((0, 59), (0, 23), (1, 28), (1, 12), (0, 6)))
                   for _ in range(40)]
    zone = numbers.choice(["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
    script = os.path.join(temporary_folder(), "oracle.lua")
    with open(script, "w") as file:
        file.write(ORACLE)
    expected = run(script, zone, *expressions).stdout.splitlines()
    for expression, line in zip(expressions, expected, strict=True):
        slots = json.loads(run("next", expression, "--timezone", zone, "--from", "2026-10-20T00:00:00Z", "--count", "20",
                               "--format", "json").stdout)
        assert [slot["utc"] for slot in slots] == line.split(), (expression, zone)


@test("check --format github annotates the line, and nothing in a message forges another", seconds=30)
def _():
    done = run("check", "--format", "github", cwd=folder('"a%b": {cron: "0 25 * * *", template: pod.yml}\n'), code=1)
    assert done.stdout.startswith("::error file=./schedule.yml,line=1,col="), done.stdout
    assert all(line.startswith("::") for line in done.stdout.splitlines())
    assert "25" in done.stdout


main()
