"""What the tests of the fake API server speak to it with: objects, streamed lines, HTTP/2 frame by frame."""

import http.client
import json
import socket
import ssl

import h2.config
import h2.connection
import h2.events
from hyperframe.frame import GoAwayFrame

PODS = "/api/v1/namespaces/default/pods"
JOBS = "/apis/batch/v1/namespaces/default/jobs"
MAPS = "/api/v1/namespaces/default/configmaps"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
TOKEN = {"authorization": "Bearer secret-token"}
LOST = (http.client.HTTPException, ConnectionError, EOFError)


def pod(name, labels=None, annotations=None, **spec):
    return {"metadata": {"name": name, "labels": labels or {}, "annotations": annotations or {}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}], **spec}}


def job(name, annotations=None, **spec):
    return {"metadata": {"name": name}, "spec": {"template": pod(name, annotations=annotations), **spec}}


def config_map(name, **data):
    return {"metadata": {"name": name}, "data": data}


class Lines:
    """A streamed answer over HTTP/1.1, line by line."""

    def __init__(self, api, path, seconds=5):
        self.connection = api.connect(seconds)
        self.connection.request("GET", path, headers=TOKEN)
        self.response = self.connection.getresponse()

    def line(self):
        return self.response.readline()

    def rest(self):
        """(what is left, "whole" when the answer ends as it should or "cut" when the connection does)."""
        try:
            return self.response.read(), "whole"
        except LOST as lost:
            return getattr(lost, "partial", b""), "cut"

    def event(self):
        line = self.line()
        assert line.endswith(b"\n"), f"no whole line: {line!r}"
        value = json.loads(line)
        return value["type"], value["object"]

    def names(self, count):
        return [(kind, obj["metadata"].get("name")) for kind, obj in (self.event() for _ in range(count))]


class Client2:
    """A client of HTTP/2 that keeps what it sees: events by stream, the GOAWAY, the end."""

    def __init__(self, api):
        self.socket = socket.create_connection(("127.0.0.1", api.port), timeout=5)
        if api.tls:
            context = ssl.create_default_context(cafile=api.ca)
            context.set_alpn_protocols(["h2"])
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
            assert self.socket.selected_alpn_protocol() == "h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        # h2 takes no frame after a GOAWAY; the older streams' answers are just what is to be seen here
        self.h2._frame_dispatch_table[GoAwayFrame] = self._on_goaway
        self.statuses, self.bodies, self.resets, self.ended = {}, {}, {}, set()
        self.goaway, self.closed = None, False

    def _on_goaway(self, frame):
        self.goaway = frame.last_stream_id
        return [], []

    def ask(self, method, path, body=None):
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "localhost"),
                   *TOKEN.items()]
        self.h2.send_headers(stream, headers, end_stream=body is None)
        if body is not None:
            self._send(stream, json.dumps(body).encode())
        self.socket.sendall(self.h2.data_to_send())
        return stream

    def _send(self, stream, data):
        while data:
            size = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(data))
            self.h2.send_data(stream, data[:size])
            self.socket.sendall(self.h2.data_to_send())
            data = data[size:]
            while data and self.h2.local_flow_control_window(stream) == 0:
                self.read()
        self.h2.end_stream(stream)

    def read(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError: # the server closed while something of ours was unread
            data = b""
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                self.statuses[event.stream_id] = int(dict(event.headers)[":status"])
            elif isinstance(event, h2.events.DataReceived):
                self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamReset):
                self.resets[event.stream_id] = event.error_code
            elif isinstance(event, h2.events.StreamEnded):
                self.ended.add(event.stream_id)
        self.socket.sendall(self.h2.data_to_send())

    def until(self, condition):
        while not condition():
            if self.closed:
                raise EOFError("the server closed the connection")
            self.read()

    def get(self, method, path, body=None):
        stream = self.ask(method, path, body)
        self.until(lambda: stream in self.ended)
        return self.statuses[stream], self.bodies.get(stream, b"")


def refused(call):
    """Whether the call ended by a lost connection."""
    try:
        call()
    except LOST:
        return True
    return False
