"""Logs of containers, and the answers of pods/log."""

import asyncio
import datetime

from fake_http import Answer
from fake_schema import bad_request


class Logs:
    def __init__(self, clock):
        self.clock = clock
        self.clear()

    def clear(self):
        self.lines = {}  # (Pod uid, container): [(time, text)]
        self.changed = asyncio.Event()

    def append(self, pod, container, text):
        """Adds the text's lines at the present moment."""
        lines = self.lines.setdefault((pod["metadata"]["uid"], container), [])
        lines.extend((self.clock.now(), line) for line in text.splitlines())
        self.wake()

    def wake(self):
        self.changed.set()
        self.changed = asyncio.Event()


def parse_time(text):
    """RFC 3339 to whole seconds: the real server cuts sinceTime to seconds on its way to the kubelet."""
    try:
        return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())
    except ValueError as error:
        raise bad_request(f"invalid sinceTime: {text!r}: {error}") from error


def choose_container(pod, wanted):
    names = [container["name"] for container in pod["spec"]["containers"]]
    name = pod["metadata"]["name"]
    if not wanted and len(names) > 1:
        raise bad_request(f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]")
    if wanted and wanted not in names:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    return wanted or names[0]


def container_state(pod, container):
    for status in pod["status"].get("containerStatuses", []):
        if status["name"] == container:
            return status.get("state", {})
    return {}


def has_started(pod, container):
    state = container_state(pod, container)
    return "running" in state or "terminated" in state or pod["status"].get("phase") in ("Succeeded", "Failed")


def has_ended(pod, container):
    if pod is None:
        return True
    return "terminated" in container_state(pod, container) or pod["status"].get("phase") in ("Succeeded", "Failed")


class LogReader:
    """One request for a log. find: returns the Pod as it is now, or None."""

    def __init__(self, logs, find, query):
        self.logs, self.find = logs, find
        self.follow = query.get("follow") == "true"
        self.timestamps = query.get("timestamps") == "true"
        self.since = parse_time(query["sinceTime"]) if "sinceTime" in query else 0
        if "sinceSeconds" in query:
            self.since = logs.clock.now() - int(query["sinceSeconds"])
        self.tail = int(query["tailLines"]) if "tailLines" in query else None
        pod = find()
        self.container = choose_container(pod, query.get("container"))
        self.uid = pod["metadata"]["uid"]
        if not has_started(pod, self.container):
            reason = container_state(pod, self.container).get("waiting", {}).get("reason", "ContainerCreating")
            raise bad_request(f'container "{self.container}" in pod "{pod["metadata"]["name"]}" is waiting to start: '
                              f"{reason}")

    def _format(self, line):
        at, text = line
        if not self.timestamps:
            return text.encode() + b"\n"
        moment = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode() + text.encode() + b"\n"

    def _written(self):
        return self.logs.lines.get((self.uid, self.container), [])

    def _first(self):
        """The index of the first line asked for."""
        lines = self._written()
        first = next((i for i, (at, _) in enumerate(lines) if at >= self.since), len(lines))
        return first if self.tail is None else max(first, len(lines) - self.tail)

    def _gone(self):
        pod = self.find()
        return has_ended(pod if pod and pod["metadata"]["uid"] == self.uid else None, self.container)

    def answer(self):
        body = b"".join(map(self._format, self._written()[self._first():]))
        return Answer(200, body, {"content-type": "text/plain"})

    async def stream(self, exchange):
        """Follows the log until its container ends."""
        exchange.stream.start(200, {"content-type": "text/plain"})
        position = self._first()
        while True:
            changed, ended, lines = self.logs.changed, self._gone(), self._written()
            while position < len(lines):
                await exchange.send(self._format(lines[position]))
                position += 1
            if ended:
                break
            await changed.wait()
        exchange.stream.end()
