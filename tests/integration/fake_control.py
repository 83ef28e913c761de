"""The paths under /_test/ by which a test scripts a fake server. Each takes and gives JSON.

Of every server: POST /_test/fault (a rule or a list, see fake_faults.py; answers {"hit": N}), GET and DELETE
/_test/fault, POST /_test/release (the held requests), POST /_test/down {seconds}
(no connection, none accepted), POST /_test/clock-skew {seconds}, GET /_test/requests[?method=GET&path=REGEX],
POST /_test/reset (all as at the start, but the clock, the connections and the port).
"""

import asyncio
import hashlib
import json
import re

from fake_http import Answer


class Control:
    def __init__(self, server, faults):
        self.server, self.faults = server, faults
        self.requests = []
        self.resets = [self.requests.clear, faults.clear]  # what /_test/reset calls
        self.routes = {
            "POST fault": self._add_fault, "GET fault": self._faults, "DELETE fault": self._clear_faults,
            "POST release": self._release, "POST down": self._down, "POST clock-skew": self._skew,
            "GET requests": self._requests, "POST reset": self._reset,
        }

    def record(self, request):
        body = request.body.decode("utf-8", "replace")
        entry = {"method": request.method, "path": request.path, "query": request.query, "target": request.target,
                 "headers": {key: value for key, value in request.headers.items() if not key.startswith(":")},
                 "body": body, "body_sha256": hashlib.sha256(request.body).hexdigest(), "time": request.at,
                 "connection": request.connection.id, "stream": request.stream_id,
                 "protocol": type(request.connection.engine).__name__}
        self.requests.append(entry)

    def handle(self, request):
        route = self.routes.get(f"{request.method} {request.path.removeprefix('/_test/')}")
        if not route:
            return _json(404, {"error": "no such control", "there are": sorted(self.routes)})
        try:
            body = json.loads(request.body) if request.body else {}
            return _json(200, route(request.query, body))
        except (ValueError, KeyError, TypeError, re.error) as error:
            return _json(400, {"error": f"{type(error).__name__}: {error}"})

    def _add_fault(self, query, body):
        return {"hit": sum(map(self.faults.add, body if isinstance(body, list) else [body]))}

    def _faults(self, query, body):
        return self.faults.rules

    def _clear_faults(self, query, body):
        self.faults.clear()

    def _release(self, query, body):
        self.faults.release()

    def _down(self, query, body):
        asyncio.get_running_loop().call_later(0.01, self.server.shut)  # after this answer
        asyncio.get_running_loop().call_later(0.01 + body["seconds"], self._up)

    def _up(self):
        self.listening = asyncio.ensure_future(self.server.listen(self.server.port))

    def _skew(self, query, body):
        self.server.clock.skew = float(body["seconds"])

    def _requests(self, query, body):
        return [entry for entry in self.requests
                if query.get("method", entry["method"]) == entry["method"]
                and re.search(query.get("path", ""), entry["target"])]

    def _reset(self, query, body):
        for reset in self.resets:
            reset()


def _json(status, value):
    return Answer(status, json.dumps({} if value is None else value).encode() + b"\n")
