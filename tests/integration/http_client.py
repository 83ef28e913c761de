"""A daemon that listens, and what asks it."""

import http.client
import json

from harness import Daemon

POD = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{
    "name": "main", "image": "busybox", "command": ["sh", "-c", 'echo "hello $@"', "sh"]}]}}
JOBS = {"pi": {"cron": "0 0 1 1 *", "template": "pod.json", "description": "counts"},
        "report": {"cron": "30 9 * * *", "template": "pod.json", "timezone": "Europe/Berlin"}}


class Web:
    FILES = {"schedule.yml": json.dumps(JOBS), "pod.json": json.dumps(POD)}

    def __init__(self, jobs=None, api=None, ready=True, files=None, arguments=(), folder=None):
        files = {**self.FILES, **(files or {})}
        if jobs:
            files["schedule.yml"] = json.dumps(jobs)
        where = "kubernetes" if api else "local"
        self.daemon = Daemon(["run", "--executor", where, "--listen", "0", *arguments], files, api=api,
                             folder=folder)
        self.port = int(self.daemon.wait_log(r"listening .*port=(\d+)", 30).group(1))
        if ready:
            self.daemon.wait_log(r" ready ", 30)

    def connect(self, seconds=30):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def response(self, method, path, body=None, headers=None):
        """The response, already read: .text is its body."""
        connection = self.connect()
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            response.text = response.read().decode()
            return response
        finally:
            connection.close()

    def request(self, method, path, body=None, headers=None):
        """(status, decoded JSON or text)."""
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        response = self.response(method, path, body, headers)
        is_json = response.headers.get("Content-Type", "").startswith("application/json")
        return response.status, json.loads(response.text) if is_json else response.text

    def get(self, path, headers=None):
        return self.request("GET", path, None, headers)

    def post(self, path, body=None, headers=None):
        return self.request("POST", path, body if body is not None else {}, headers)
