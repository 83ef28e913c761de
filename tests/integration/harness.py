"""What the integration tests are made of: servers, the daemon, waiting, and TAP.

    from harness import Daemon, FakeApi, main, test, wait_for

    @test("a slot makes one Pod", seconds=20)
    def _():
        api = FakeApi()
        api.control("hollow", {"run_seconds": 0.1})
        daemon = Daemon(["run", "--schedule-name", "schedule.yml"], {"schedule.yml": SCHEDULE}, api=api)
        wait_for(lambda: api.objects("pods"), 5, "a Pod")

    main()

All that a test starts is stopped at its end, whatever its end is.
"""

import atexit
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BINARY = os.path.join(ROOT, os.environ.get("BUILD", "build"), "kube-scheduler")
# Only who asks for a container engine gets one, whatever runs on this machine.
ENVIRONMENT = {**os.environ, "DOCKER_HOST": "unix:///no/engine"}

_tests = []
_cleanups = []


class Overdue(BaseException):
    """A test's time is over. Not an Exception, so that no test's own `except` keeps it."""


def test(name, seconds=20):
    """Marks a function as a test that must end within so many seconds."""
    def register(function):
        _tests.append((name, seconds, function))
        return function
    return register


def main():
    """Runs all tests, or those whose name holds an argument; prints TAP; ends the process."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    wanted = [entry for entry in _tests if all(word in entry[0] for word in sys.argv[1:])]
    print(f"1..{len(wanted)}", flush=True)
    failures = sum(not _run(number, *entry) for number, entry in enumerate(wanted, 1))
    sys.exit(1 if failures or not wanted else 0)


def main_unless(why_not, name):
    """main(); or, where there is a reason not to, one line of TAP that says so."""
    if not why_not:
        main()
    print(f"1..1\nok 1 {name} # skip: {why_not}")


def sanitized():
    """Why a sanitized build is not packaged, or None."""
    return "only a build without sanitizers is packaged" if "sanitize" in BINARY[len(ROOT):] else None


def _run(number, name, seconds, function):
    def overdue(signal_number, frame):
        raise Overdue(f"not done after {seconds} s")
    signal.signal(signal.SIGALRM, overdue)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    passed = False
    try:
        function()
        passed = True
    except (Exception, Overdue):
        _complain(traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _clean_up(show_logs=not passed)
    print(f"{'ok' if passed else 'not ok'} {number} {name}", flush=True)
    return passed


def _complain(text):
    print("".join(f"# {line}\n" for line in text.splitlines()), end="", flush=True)


def on_cleanup(function):
    """function(show_logs) is called at the end of the running test, last one first."""
    _cleanups.append(function)


def _clean_up(show_logs=False):
    while _cleanups:
        try:
            _cleanups.pop()(show_logs)
        except Exception:
            _complain(traceback.format_exc())


atexit.register(_clean_up)


def wait_for(predicate, seconds, what):
    """Polls until predicate() is true and returns its value; AssertionError names what did not come."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {seconds} s")
        time.sleep(0.02)


def never(predicate, seconds, what):
    """Polls for so long that predicate() stays false."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert not predicate(), what
        time.sleep(0.02)


def temporary_folder():
    """A folder that goes with the test."""
    folder = tempfile.mkdtemp(prefix="kube-scheduler-test-")
    on_cleanup(lambda show_logs: shutil.rmtree(folder, ignore_errors=True))
    return folder


class Process:
    """A child process with its output in a file; stopped at the end of the test."""

    def __init__(self, command, folder, name, environment=None):
        self.name, self.path = name, os.path.join(folder, name + ".log")
        with open(self.path, "wb") as log:
            self.child = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stdout=log,
                                          stderr=subprocess.STDOUT, env=environment)
        on_cleanup(self._on_cleanup)

    def _on_cleanup(self, show_logs):
        self.stop()
        if show_logs:
            _complain(f"--- output of {self.name}\n" + "\n".join(self.log().splitlines()[-40:]))

    def log(self):
        with open(self.path, errors="replace") as file:
            return file.read()

    def wait_log(self, pattern, seconds=10):
        """Waits for a match of the pattern in the output and returns it."""
        def look():
            found = re.search(pattern, self.log(), re.MULTILINE)
            assert found or self.running(), f"{self.name} ended ({self.child.returncode}) without {pattern!r}"
            return found
        return wait_for(look, seconds, f"{pattern!r} in the output of {self.name}")

    def running(self):
        return self.child.poll() is None

    def kill(self, number=signal.SIGKILL):
        self.child.send_signal(number)

    def wait(self, seconds=10):
        """Waits for the end and returns the exit code (negative: the signal's number)."""
        return self.child.wait(seconds)

    def stop(self, seconds=10):
        """SIGTERM, and SIGKILL to those who ignore it. Returns the exit code."""
        self.child.stdin.close()
        if self.running():
            self.child.send_signal(signal.SIGCONT)
            self.child.terminate()
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.name} ignored SIGTERM for {seconds} s") from None


class Fake(Process):
    """A fake server in a process of its own, and the client to script it."""

    script = None

    def __init__(self, *arguments, tls=False):
        self.folder = temporary_folder()
        self.tls = os.path.join(self.folder, "tls") if tls else None
        command = ["/usr/bin/python3", os.path.join(HERE, self.script), *arguments]
        super().__init__(command + (["--tls", self.tls] if tls else []), self.folder, self.script)
        self.port = int(self.wait_log(r"^listening (\d+)", 60).group(1))
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.ca = os.path.join(self.tls, "ca.crt") if tls else None

    def connect(self, seconds=10):
        """An http.client connection to it."""
        if not self.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        context = ssl.create_default_context(cafile=self.ca)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=seconds, context=context)

    def request(self, method, path, body=None, headers=None, seconds=10):
        """(status, decoded JSON or text)."""
        connection = self.connect(seconds)
        try:
            data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            text = response.read().decode()
            is_json = response.headers.get("content-type", "").startswith("application/json")
            return response.status, json.loads(text) if is_json else text
        finally:
            connection.close()

    def control(self, name, body=None, **query):
        """Calls /_test/NAME: GET without a body, POST with one."""
        path = f"/_test/{name}" + ("?" + urllib.parse.urlencode(query) if query else "")
        status, value = self.request("GET" if body is None else "POST", path, body)
        assert status == 200, f"/_test/{name}: {value}"
        return value

    def fault(self, action, **rule):
        """Adds a rule of fake_faults.py; returns how many requests in flight it hit."""
        return self.control("fault", {"action": action, **rule})["hit"]

    def requests(self, method=None, path=""):
        """Those received so far, oldest first; path: a regular expression."""
        return self.control("requests", path=path, **({"method": method} if method else {}))


class FakeApi(Fake):
    """fake_apiserver.py, with a kubeconfig at .kubeconfig."""

    script = "fake_apiserver.py"

    def __init__(self, *arguments, tls=False):
        super().__init__("--kubeconfig", "kubeconfig", *arguments, tls=tls)
        self.kubeconfig = os.path.join(self.folder, "kubeconfig")

    def request(self, method, path, body=None, headers=None, seconds=10):
        return super().request(method, path, body, {"authorization": "Bearer secret-token", **(headers or {})}, seconds)

    def objects(self, plural):
        return self.control("objects")[plural]

    def history(self, plural, type="ADDED"):
        """The changes of one type to such objects, oldest first."""
        return [change for change in self.control("history")
                if (change["resource"], change["type"]) == (plural, type)]

    def create(self, path, obj):
        """Creates an object under a collection's path and returns it."""
        status, value = self.request("POST", path, obj)
        assert status == 201, value
        return value


class Receiver(Fake):
    """receiver.py, over TLS: what alerts are sent to."""

    script = "receiver.py"

    def __init__(self, *arguments, tls=True):
        super().__init__(*arguments, tls=tls)

    def script_statuses(self, path, statuses, **more):
        """Answers the next requests whose path matches by these statuses, in order, then normally."""
        for status in statuses:
            self.fault("answer", path=path, status=status, **more)


class Daemon(Process):
    """The built binary. files: {name: text}, written into its working folder; api: a FakeApi to connect to."""

    def __init__(self, arguments, files=None, environment=None, api=None, folder=None):
        assert os.access(BINARY, os.X_OK), f"{BINARY} is not built: make binary"
        self.folder = folder or temporary_folder()
        for name, text in (files or {}).items():
            self.write(name, text)
        variables = {**ENVIRONMENT, **(environment or {})}
        if api:
            variables["KUBECONFIG"] = api.kubeconfig
        super().__init__([BINARY, *arguments], self.folder, "daemon", variables)

    def write(self, name, text):
        """Replaces a file in the working folder at once, as editors do."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)


def run_binary(arguments, seconds=20, environment=None, **options):
    """Runs the binary to its end; a subprocess.CompletedProcess with text output."""
    assert os.access(BINARY, os.X_OK), f"{BINARY} is not built: make binary"
    return subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=seconds,
                          env={**ENVIRONMENT, **(environment or {})}, **options)
