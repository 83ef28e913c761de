#!/usr/bin/python3
"""A local stand-in for the services that alerts go to. Prints "listening PORT", serves until stdin ends or SIGTERM.

It records every request, with a compressed body unpacked, and answers as each service answers when all is well.
Faults, the list of requests and a reset are under /_test/, as in fake_control.py.
"""

import gzip
import json
import re
import uuid
import zlib

import fake_control
import fake_faults
import fake_http
import fake_main

# (path, status, body); a function makes the body anew for each request
ANSWERS = [
    (r"^/v1/notices", 201, lambda: json.dumps({"id": str(uuid.uuid4())})),  # Honeybadger
    (r"^.*/api/[^/]+/envelope/$", 200, lambda: json.dumps({"id": uuid.uuid4().hex})),  # Sentry
    (r"^/v2/enqueue", 202, lambda: '{"status":"success","message":"Event processed","dedup_key":"key"}'),  # PagerDuty
    (r"^/(services/|ping/)", 200, lambda: "ok"),  # Slack, healthchecks
    (r"^/v2/alerts", 202, lambda: '{"result":"Request will be processed","requestId":"1"}'),  # Opsgenie
    (r"", 200, lambda: "{}"),
]


class ReceiverControl(fake_control.Control):
    def record(self, request):
        request.body = unpack(request.headers.get("content-encoding", ""), request.body)
        super().record(request)


def unpack(encoding, body):
    if encoding == "gzip":
        return gzip.decompress(body)
    return zlib.decompress(body) if encoding == "deflate" else body


def answer(request):
    status, make = next((status, make) for path, status, make in ANSWERS if re.search(path, request.path))
    body = make()
    kind = "application/json" if body.startswith("{") else "text/plain"
    return fake_http.Answer(status, body.encode(), {"content-type": kind})


def build(options):
    faults = fake_faults.Faults()
    server = fake_main.server(options, fake_http.Clock())
    control = ReceiverControl(server, faults)
    server.handler = fake_main.handler(control, faults, answer)
    return server


if __name__ == "__main__":
    parsed = fake_main.parser(__doc__).parse_args()
    fake_main.run(lambda: build(parsed), parsed)
