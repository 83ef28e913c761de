"""HTTP/1.1 and HTTP/2 on one port, with the ways to misbehave that real servers have.

A Server calls `await server.handler(request, stream)` once for each request, in a task of its own. The task is
cancelled when the client goes away. The handler answers on the stream: answer(), or start(), write()…, end().
"""

import asyncio
import email.utils
import http
import itertools
import socket
import ssl
import struct
import sys
import time
import traceback
import urllib.parse

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import hyperframe.frame

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Clock:
    """The server's idea of the time: the real one plus a skew in seconds."""

    def __init__(self):
        self.skew = 0.0

    def now(self):
        return time.time() + self.skew


class Request:
    def __init__(self, method, target, headers, body, connection, stream_id):
        parts = urllib.parse.urlsplit(target)
        self.method, self.target = method, target
        self.path = urllib.parse.unquote(parts.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        self.headers, self.body = headers, body
        self.connection, self.stream_id = connection, stream_id
        self.at = time.time()


class Answer:
    """A whole response. body: bytes; headers: a dict."""

    def __init__(self, status, body=b"", headers=None):
        self.status, self.body, self.headers = status, body, dict(headers or {})


class Server:
    """tls: an ssl.SSLContext or None. Set handler before listen()."""

    handler = None

    def __init__(self, clock, tls=None, http2=True, max_streams=250):
        self.clock, self.tls = clock, tls
        self.http2, self.max_streams = http2, max_streams
        self.ids = itertools.count(1)
        self.connections = set()
        self.listener = None
        self.port = 0

    async def listen(self, port):
        loop = asyncio.get_running_loop()
        self.listener = await loop.create_server(lambda: Connection(self), "127.0.0.1", port,
                                                 ssl=self.tls, reuse_address=True, backlog=1024)
        self.port = self.listener.sockets[0].getsockname()[1]

    def shut(self):
        """Stops listening and cuts every connection; listen(self.port) ends the outage."""
        self.listener.close()
        for connection in list(self.connections):
            connection.cut()

    def headers(self):
        return {"date": email.utils.formatdate(self.clock.now(), usegmt=True)}


def tls_context(certificate, key, client_ca, http2):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(client_ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["h2", "http/1.1"] if http2 else ["http/1.1"])
    return context


class Connection(asyncio.Protocol):
    """One TCP connection. Its first bytes tell which of the two protocols it speaks."""

    def __init__(self, server):
        self.server, self.id = server, next(server.ids)
        self.transport = self.engine = None
        self.head = b""
        self.tasks = set()
        self.writable = asyncio.Event()
        self.writable.set()
        self.lost = self.frozen = False

    def connection_made(self, transport):
        self.transport = transport
        self.server.connections.add(self)

    def data_received(self, data):
        if self.frozen:
            return
        if self.engine is None:
            self.head += data
            if self.server.http2 and len(self.head) < len(PREFACE) and PREFACE.startswith(self.head):
                return
            is_http2 = self.server.http2 and self.head.startswith(PREFACE)
            self.engine = (Http2 if is_http2 else Http1)(self)
            data = self.head
        self.engine.feed(data)

    def connection_lost(self, error):
        self.lost = True
        self.server.connections.discard(self)
        self.writable.set()
        for task in self.tasks:
            task.cancel()

    def pause_writing(self):
        self.writable.clear()

    def resume_writing(self):
        self.writable.set()

    def write(self, data):
        if not self.frozen and not self.lost and not self.transport.is_closing():
            self.transport.write(data)

    def close(self):
        self.transport.close()

    def cut(self, reset=False):
        """Drops the connection without a word; reset: by a TCP RST."""
        if reset:
            tcp = self.transport.get_extra_info("socket")
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def freeze(self):
        """The peer of a dead network: open, but not a byte in or out any more."""
        self.frozen = True
        self.transport.pause_reading()

    def certificate(self):
        return self.transport.get_extra_info("peercert")

    def spawn(self, request, stream):
        stream.task = asyncio.get_running_loop().create_task(self._serve(request, stream))
        self.tasks.add(stream.task)
        stream.task.add_done_callback(self.tasks.discard)

    async def _serve(self, request, stream):
        try:
            await self.server.handler(request, stream)
        except Exception:  # a bug in the handler: the client must see it, and so must whoever reads stderr
            traceback.print_exc(file=sys.stderr)
            stream.reset(h2.errors.ErrorCodes.INTERNAL_ERROR)
        finally:
            self.engine.finished(stream)


class Stream:
    """What both protocols' response sides share."""

    connection = task = None
    started = ended = False

    async def answer(self, answer):
        headers = {"content-type": "application/json", **answer.headers,
                   "content-length": str(len(answer.body))}
        self.start(answer.status, headers)
        await self.write(answer.body)
        self.end()


class Http1:
    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""
        self.count = 0
        self.current = None
        self.keep_alive = True
        self.told_to_continue = False

    def feed(self, data):
        self.buffer += data
        self._next()

    def finished(self, stream):
        self.current = None
        if not stream.ended or not self.keep_alive:
            self.connection.close()
        else:
            self._next()

    def goaway(self, last_stream_id=None):
        self.keep_alive = False

    def _next(self):
        if self.current or self.connection.lost:
            return
        try:
            request = self._parse()
        except ValueError as error:
            self.connection.write(f"HTTP/1.1 400 Bad Request\r\n\r\n{error}\n".encode())
            self.connection.close()
            return
        if request:
            self.current = Stream1(self)
            self.connection.spawn(request, self.current)

    def _parse(self):
        """The next whole request, or None when more bytes are needed."""
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        headers = {name.strip().lower(): value.strip()
                   for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("expect") == "100-continue" and not self.told_to_continue:
            self.told_to_continue = True
            self.connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body, rest = _body1(headers, rest)
        if body is None:
            return None
        self.buffer, self.told_to_continue = rest, False
        self.count += 1
        self.keep_alive = headers.get("connection", "").lower() != "close" and version == "HTTP/1.1"
        return Request(method, target, headers, body, self.connection, self.count)


def _body1(headers, data):
    """(body, what follows it), or (None, data) while it is incomplete."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        length = int(headers.get("content-length", "0"))
        return (data[:length], data[length:]) if len(data) >= length else (None, data)
    body, rest = b"", data
    while True:
        size, found, rest = rest.partition(b"\r\n")
        length = int(size.split(b";")[0], 16) if found else 0
        if not found or len(rest) < length + 2:
            return None, data
        body, rest = body + rest[:length], rest[length + 2:]
        if length == 0:
            return body, rest


class Stream1(Stream):
    def __init__(self, engine):
        self.engine, self.connection = engine, engine.connection
        self.chunked = False

    def start(self, status, headers):
        self.started = True
        headers = {**self.connection.server.headers(), **headers}
        self.chunked = "content-length" not in headers
        if self.chunked:
            headers["transfer-encoding"] = "chunked"
        if not self.engine.keep_alive:
            headers["connection"] = "close"
        try:
            phrase = http.HTTPStatus(status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
        self.connection.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def write(self, data):
        if data:
            self.connection.write(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)
        await self.connection.writable.wait()

    def end(self):
        self.connection.write(b"0\r\n\r\n" if self.chunked else b"")
        self.ended = True

    def reset(self, code=0):
        self.connection.cut()


class Http2:
    def __init__(self, connection):
        self.connection = connection
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        self.h2 = h2.connection.H2Connection(config)
        codes = h2.settings.SettingCodes
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            codes.MAX_CONCURRENT_STREAMS: connection.server.max_streams, codes.INITIAL_WINDOW_SIZE: 1 << 20})
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(1 << 24)
        self.requests = {}  # stream id: [headers, body], until the request is whole
        self.streams = {}
        self.window = asyncio.Event()
        self.last_stream_id = None  # set by goaway
        self.flush()

    def flush(self):
        self.connection.write(self.h2.data_to_send())

    def feed(self, data):
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            print(f"HTTP/2 protocol error of the client: {error}", file=sys.stderr)
            self.flush()
            self.connection.close()
            return
        for event in events:
            self._event(event)
        self.flush()

    def _event(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.requests[event.stream_id] = [dict(event.headers), b""]
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in self.requests:
                self.requests[event.stream_id][1] += event.data
        elif isinstance(event, h2.events.StreamEnded):
            self._whole(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.requests.pop(event.stream_id, None)
            if event.stream_id in self.streams:
                self.streams[event.stream_id].task.cancel()
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            self.window.set()
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.connection.close()

    def _whole(self, stream_id):
        headers, body = self.requests.pop(stream_id)
        if self.last_stream_id is not None and stream_id > self.last_stream_id:
            return
        request = Request(headers[":method"], headers[":path"], headers, body, self.connection, stream_id)
        stream = self.streams[stream_id] = Stream2(self, stream_id)
        self.connection.spawn(request, stream)

    def finished(self, stream):
        self.streams.pop(stream.id, None)
        if self.last_stream_id is not None and not self.streams:
            self.connection.close()

    def goaway(self, last_stream_id=None):
        """No streams after this one (default: after all seen so far); closes when the older ones are done.
        The frame is written past the h2 library, which would refuse to send anything after it."""
        self.last_stream_id = max(self.streams) if last_stream_id is None else last_stream_id
        frame = hyperframe.frame.GoAwayFrame(0, last_stream_id=self.last_stream_id)
        self.flush()
        self.connection.write(frame.serialize())


class Stream2(Stream):
    def __init__(self, engine, stream_id):
        self.engine, self.connection, self.id = engine, engine.connection, stream_id

    def start(self, status, headers):
        self.started = True
        headers = {":status": str(status), **self.connection.server.headers(), **headers}
        self.engine.h2.send_headers(self.id, [(name.lower(), str(value)) for name, value in headers.items()])
        self.engine.flush()

    async def write(self, data):
        while data:
            size = min(self.engine.h2.local_flow_control_window(self.id), len(data),
                       self.engine.h2.max_outbound_frame_size)
            if size <= 0:
                self.engine.window.clear()
                await self.engine.window.wait()
                continue
            self.engine.h2.send_data(self.id, data[:size])
            self.engine.flush()
            data = data[size:]
            await self.connection.writable.wait()

    def end(self):
        self.engine.h2.end_stream(self.id)
        self.engine.flush()
        self.ended = True

    def reset(self, code=h2.errors.ErrorCodes.INTERNAL_ERROR):
        try:
            self.engine.h2.reset_stream(self.id, code)
        except h2.exceptions.ProtocolError:  # the client reset or closed it first
            return
        self.engine.flush()
