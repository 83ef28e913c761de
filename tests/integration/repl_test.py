#!/usr/bin/python3
"""kube-scheduler repl, at a terminal and from a pipe."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from harness import BINARY, main, on_cleanup, run_binary, temporary_folder, test

FILES = {
    "schedule.yml": """
settings: {cron_dialect: standard}
nightly: {cron: "30 2 * * *", timezone: America/New_York, template: pod.yml}
hourly: {cron: "0 * * * *", template: pod.yml}
""",
    "pod.yml": "apiVersion: v1\nkind: Pod\nspec:\n  containers: [{name: main, image: none}]\n",
    "hooks/any.lua": """
function on_failed(event)
  alert{title = event.job .. " ended with " .. event.exit_code}
  http.post{url = "http://127.0.0.1:1/hook", body = "x"}
end
function before_run(event)
  if os.date("!%H", event.slot) == "03" then return false, "not at three" end
end
""",
}


def folder():
    path = temporary_folder()
    for name, text in FILES.items():
        os.makedirs(os.path.dirname(os.path.join(path, name)), exist_ok=True)
        with open(os.path.join(path, name), "w") as file:
            file.write(text)
    return path


class Session:
    """A REPL at a pseudo-terminal; what it prints, without the control sequences."""

    def __init__(self, home=None, arguments=()):
        self.home = home or temporary_folder()
        environment = {"PATH": os.environ["PATH"], "HOME": self.home, "TERM": "xterm", "LANG": "C.UTF-8",
                       "NO_COLOR": "1"}
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.process = subprocess.Popen([BINARY, "repl", *arguments], stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, cwd=self.home, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.master, self.text = master, ""
        on_cleanup(self.end)
        self.expect("> ")

    def end(self, show_logs=False):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError: # the other end is closed
            return False
        self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\r", "", data.decode(errors="replace"))
        return bool(data)

    def expect(self, wanted, seconds=15):
        """Waits for the text, behind what was expected before; gives all up to it."""
        end = time.monotonic() + seconds
        while wanted not in self.text:
            assert time.monotonic() < end, f"{wanted!r} did not come: {self.text!r}"
            self.read(0.1)
        at = self.text.index(wanted) + len(wanted)
        found, self.text = self.text[:at], self.text[at:]
        return found

    def type(self, text):
        os.write(self.master, text.encode())

    def enter(self, line, wanted, prompt="\n> "):
        """Types a line; gives what is printed up to the next prompt, which must hold `wanted`."""
        self.type(line + "\n")
        self.expect(line[-10:])
        found = self.expect(prompt)
        assert wanted in found, found
        return found

    def leave(self):
        self.type("\x04")
        end = time.monotonic() + 15
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.1)
        assert self.process.returncode == 0, self.process.returncode


@test("prints what an expression gives, and tables readably", seconds=60)
def _():
    session = Session()
    session.enter("1 + 1", "\n2\n")
    session.enter("= 'a' .. 'b'", "\nab\n")
    session.enter("{b = 1, a = {'x', 2}}", '{a = {"x", 2}, b = 1}')
    session.enter("x = 5", "")
    session.enter("x", "\n5\n")
    session.leave()


@test("takes lines until a statement is complete", seconds=60)
def _():
    session = Session()
    session.type("for i = 1, 2 do\n")
    session.expect(">> ")
    session.type("print('round', i)\n")
    session.expect(">> ")
    found = session.enter("end", "round")
    assert re.search(r"round\s+1\s+round\s+2", found), found
    session.leave()


@test("an error has a traceback, and the session goes on", seconds=60)
def _():
    session = Session()
    found = session.enter("error 'on purpose'", "repl:1: on purpose")
    assert "stack traceback" in found and "lua/repl" not in found, found
    session.enter("1 +", "", prompt=">> ")
    session.enter("1", "\n2\n")
    session.enter("}", "unexpected symbol")
    session.enter("nosuch.field", "attempt to index a nil value (global 'nosuch')")
    session.enter("'still' .. 'here'", "stillhere")
    session.leave()


@test("TAB completes functions, fields, jobs and zones", seconds=60)
def _():
    session = Session(arguments=["--dir", folder()])
    session.type("expl\t")
    session.expect("explain")
    session.type("(\"nig\t")
    session.expect("nightly")
    session.enter('")', "at 02:30, New York time")
    session.type("clock.run_\t")
    session.expect("clock.run_until")
    session.type("\x15cron.parse('@daily', {timezone = 'Europe/Berl\t")
    session.expect("Europe/Berlin")
    session.enter("'}):zone()", "Europe/Berlin")
    session.type("clock.\t\t")
    session.expect("advance")
    session.expect("set")
    session.type("\x15")
    session.leave()


@test("history is kept for the next session", seconds=60)
def _():
    first = Session()
    first.enter("'a line to ' .. 'remember'", "a line to remember")
    first.leave()
    assert os.path.exists(os.path.join(first.home, ".local/state/kube-scheduler/history"))
    second = Session(home=first.home)
    second.type("\x1b[A")
    second.expect("'a line to ' .. 'remember'")
    second.enter("", "a line to remember")
    second.leave()


@test("Ctrl-C drops the line, ends what computes and what waits; Ctrl-D leaves", seconds=90)
def _():
    session = Session()
    session.type("for i = 1, 3 do\n")
    session.expect(">> ")
    session.type("half a li")
    session.expect("half a li")
    session.type("\x03")
    session.expect("^C\n> ")
    session.enter("1 + 1", "\n2\n")
    session.type("while true do end\n")
    session.expect("end")
    time.sleep(0.3)
    session.type("\x03")
    session.expect("interrupted")
    session.expect("\n> ")
    session.type("task.sleep(1000)\n")
    session.expect("1000)")
    time.sleep(0.3)
    session.type("\x03")
    session.expect("goes on in the background")
    session.expect("\n> ")
    session.leave()


@test("the loop goes on while a line is typed", seconds=60)
def _():
    session = Session()
    session.enter("task.spawn(function() task.sleep(0.2) print('from a task') end)", "")
    session.type("1 +")
    session.expect("from a task")
    session.enter(" 1", "\n2\n")
    session.leave()


def piped(text, *arguments, code=0, home=None):
    home = home or temporary_folder()
    done = run_binary(["repl", *arguments], input=text, environment={"HOME": home}, cwd=home, seconds=60)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


@test("from a pipe there is no prompt, and needs no schedule", seconds=60)
def _():
    out = piped('next("@daily", 2)\n').stdout.splitlines()
    assert len(out) == 3 and out[0].startswith("UTC") and "00:00:00 UTC" in out[2], out
    assert piped('for i = 1, 2 do\nprint(i)\nend\nhelp(next)').stdout.startswith("1\n2\nnext("), "multi-line"
    done = piped("error 'x'\nprint 'after'", code=1)
    assert done.stdout == "after\n" and "repl:1: x" in done.stderr, done
    assert "expected near <eof>" in piped("for i = 1, 2 do", code=1).stderr


@test("next, explain, jobs and template know the schedule", seconds=60)
def _():
    path = folder()
    out = piped('jobs()\nnext("nightly", 1, "2026-03-08")[1].utc\ntemplate("hourly", "2026-03-08T05:00:00Z")\n#jobs()',
                "--dir", path).stdout
    assert "30 2 * * *" in out and "2026-03-08T07:00:00Z" in out and "name: hourly-" in out, out
    assert out.endswith("\n2\n"), out
    assert "did you mean 'nightly'" in piped('next("nightli")', "--dir", path, code=1).stderr
    out = piped(f'jobs()\nload "{path}/schedule.yml"\n#jobs()').stdout
    assert out.splitlines() == ['no jobs: load "schedule.yml"', f"{path}/schedule.yml: 2 jobs", "2"], out
    assert "has no good job" in piped(f'load "{path}/none.yml"', code=1).stderr


@test("fire calls the real hooks, and shows what would be sent", seconds=60)
def _():
    path = folder()
    out = piped('fire("on_failed", "hourly", {exit_code = 3})', "--dir", path).stdout
    assert "hourly  alert: hourly ended with 3" in out, out
    assert "hourly  http.post: http://127.0.0.1:1/hook" in out, out
    assert "alert of the scheduler: [error] hourly failed: exit code 3" in out, out
    out = piped('fire("before_run", "hourly", {slot = 10800})', "--dir", path).stdout
    assert 'reason = "not at three"' in out, out
    assert "did you mean on_failed" in piped('fire("on_faild", "hourly")', "--dir", path, code=1).stderr
    assert "did you mean exit_code" in piped('fire("on_failed", "hourly", {exitcode = 1})', "--dir", path,
                                             code=1).stderr
    assert "did you mean 'hourly'" in piped('fire("on_failed", "hourl")', "--dir", path, code=1).stderr


@test("on a clock that is turned by hand, jobs live", seconds=60)
def _():
    out = piped("""
clock.set "2026-03-02T00:30:00Z"
clock.advance("3h")
clock.format(clock.now())
clock.set "2026-03-02T00:30:00Z"
clock.run_until "2026-03-02T01:00:00Z"
""", "--dir", folder()).stdout.splitlines()
    assert out == [
        "2026-03-02T00:30:00Z",
        "2026-03-02T01:00:00Z  hourly  runs",
        "2026-03-02T01:01:00Z  hourly  succeeded",
        "2026-03-02T02:00:00Z  hourly  runs",
        "2026-03-02T02:01:00Z  hourly  succeeded",
        "2026-03-02T03:00:00Z  hourly  skipped: before_run: not at three",
        "2026-03-02T03:30:00Z: 2 runs, 1 skipped",
        "2026-03-02T03:30:00Z",
        "2026-03-02T00:30:00Z",
        "2026-03-02T01:00:00Z  hourly  runs",
        "2026-03-02T01:00:00Z: 1 runs, 0 skipped",
    ], out


main()
