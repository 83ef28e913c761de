"""A proxy that serves a daemon below a path, as an ingress does, and plays a user with fewer rights."""

import http.client
import http.server
import json
import threading

from harness import on_cleanup


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """The browser or the daemon goes at any time."""


class Proxy:
    """may: what the API says that the user may order; forbids: every order is answered with 403."""

    def __init__(self, web, below):
        self.may, self.forbids = None, False
        self.server = Server(("127.0.0.1", 0), handler(self, web, below))
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        on_cleanup(lambda show_logs: self.server.shutdown())

    def limited(self, body):
        """An answer that tells of rights, with fewer."""
        answer = json.loads(body)
        if self.may is not None and "may" in answer:
            answer["may"] = self.may
        return json.dumps(answer).encode()


def handler(proxy, web, below):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format, *arguments):
            pass

        def reply(self, status, body, content_type="application/json"):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def serve(self):
            if not self.path.startswith(below + "/"):
                return self.reply(404, b"{}")
            if self.command == "POST" and proxy.forbids:
                self.rfile.read(int(self.headers["Content-Length"]))
                return self.reply(403, b'{"kind": "Status", "code": 403, "message": "that is forbidden to you"}')
            return self.forward(self.path[len(below):])

        def forward(self, path):
            connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "origin")}
            connection.request(self.command, path, body, {**headers, "Host": "localhost"})
            response = connection.getresponse()
            kind = response.headers.get("Content-Type", "")
            if kind != "text/event-stream":
                text = response.read()
                return self.reply(response.status, proxy.limited(text) if kind == "application/json" and text else text, kind)
            return self.stream(response)

        def stream(self, response):
            self.send_response(response.status)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            while piece := response.read1(65536):
                self.wfile.write(piece)
                self.wfile.flush()

        do_GET = do_POST = do_DELETE = serve

    return Handler
