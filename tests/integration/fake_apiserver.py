#!/usr/bin/python3
"""A scriptable fake Kubernetes API server: HTTP/1.1 and HTTP/2, in the clear or by TLS, on 127.0.0.1.

Prints "listening PORT" and serves until stdin ends or SIGTERM. Tests script it under /_test/: fake_control.py
lists what every fake server has, KubernetesControl below what this one adds.
"""

import asyncio
import json
import os

import fake_api
import fake_control
import fake_faults
import fake_hollow
import fake_http
import fake_logs
import fake_main
import fake_store
from fake_schema import BY_NAME, ApiError

TOKEN = "secret-token"


class KubernetesControl(fake_control.Control):
    """POST /_test/hollow {settings of fake_hollow.py}: the hollow kubelet and the Job controller, off at first
    POST /_test/pod-phase {namespace, name, phase, exit_code, reason}: Running, Succeeded or Failed, as kubelets write
    POST /_test/pod-status {namespace, name, status}: merges the status
    POST /_test/log {namespace, name, container, text}: adds lines to a container's log
    POST /_test/bookmarks {seconds}: their interval; {} sends one now to all watches
    POST /_test/compact {answer: event|http}: makes all known versions 410, told by an ERROR event or by HTTP
    POST /_test/deny [{verb, resource, namespace}]: 403 for these, and reviews say no; each key may be left out
    POST /_test/tokens [token…]: those accepted from now on; [] lets everybody in
    GET /_test/objects: {pods: […], jobs: […], …}
    GET /_test/history: every change: version, type, resource, namespace, name, uid, time, options of a deletion
    """

    def __init__(self, server, faults, store, logs, api):
        super().__init__(server, faults)
        self.store, self.logs, self.api = store, logs, api
        self.hollow = fake_hollow.Hollow(store, logs)
        self.changes = []
        store.listeners.append(self.changes.append)
        self.resets += [self._disable_hollow, store.clear, logs.clear, api.clear, self.changes.clear]
        self.routes.update({
            "POST hollow": self._set_hollow, "POST pod-phase": self._pod_phase, "POST pod-status": self._pod_status,
            "POST log": self._log, "POST bookmarks": self._bookmarks, "POST compact": self._compact,
            "POST deny": self._deny, "POST tokens": self._tokens, "GET objects": self._objects,
            "GET history": self._history,
        })

    def handle(self, request):
        try:
            return super().handle(request)
        except ApiError as error:
            return error.answer()

    def _disable_hollow(self):
        self.hollow.clear()

    def _set_hollow(self, query, body):
        self.hollow.configure(body)

    def _pod_phase(self, query, body):
        self.hollow.set_phase(body.get("namespace", "default"), body["name"], body["phase"], body.get("exit_code"),
                              body.get("reason"))

    def _pod_status(self, query, body):
        namespace = body.get("namespace", "default")
        self.store.get(BY_NAME["pods"], namespace, body["name"])
        self.store.patch_status(BY_NAME["pods"], namespace, body["name"], body["status"])

    def _log(self, query, body):
        pod = self.store.get(BY_NAME["pods"], body.get("namespace", "default"), body["name"])
        self.logs.append(pod, fake_logs.choose_container(pod, body.get("container")), body["text"])

    def _bookmarks(self, query, body):
        self.api.bookmark_seconds = body.get("seconds", self.api.bookmark_seconds)
        nudge, self.api.nudge = self.api.nudge, asyncio.Event()
        nudge.set()

    def _compact(self, query, body):
        self.api.expired_as = body.get("answer", "event")
        self.api.pages.clear()
        self.store.compact()

    def _deny(self, query, body):
        self.api.denied = body

    def _tokens(self, query, body):
        self.api.tokens = body

    def _objects(self, query, body):
        return {name: self.store.list(resource) for name, resource in BY_NAME.items()}

    def _history(self, query, body):
        return [{"version": change.version, "type": change.type, "resource": change.resource.plural,
                 "namespace": change.object["metadata"].get("namespace", ""),
                 "name": change.object["metadata"]["name"], "uid": change.object["metadata"]["uid"],
                 "time": change.at, "options": change.options} for change in self.changes]


def build(options):
    """The server, wired; it does not listen yet."""
    clock = fake_http.Clock()
    store, logs, faults = fake_store.Store(clock), fake_logs.Logs(clock), fake_faults.Faults()
    api = fake_api.Api(store, logs)
    if options.auth != "none":
        api.tokens = [TOKEN]
    server = fake_main.server(options, clock)
    control = KubernetesControl(server, faults, store, logs, api)
    server.handler = fake_main.handler(control, faults, api.handle)
    return server


def kubeconfig(options, port):
    """The text of a kubeconfig for this server; JSON is YAML too."""
    cluster = {"server": f"http://127.0.0.1:{port}"}
    user = {"token": TOKEN} if options.auth == "token" else {}
    if options.tls:
        folder = os.path.abspath(options.tls)
        cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority": f"{folder}/ca.crt"}
        if options.auth == "cert":
            user = {"client-certificate": f"{folder}/client.crt", "client-key": f"{folder}/client.key"}
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "test",
              "clusters": [{"name": "test", "cluster": cluster}], "users": [{"name": "test", "user": user}],
              "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}]}
    return json.dumps(config, indent=2) + "\n"


def main():
    parser = fake_main.parser(__doc__)
    parser.add_argument("--kubeconfig", metavar="FILE", help="write one; implies --auth token")
    parser.add_argument("--auth", choices=("none", "token", "cert"), help=f'token: demand "{TOKEN}" or a certificate')
    options = parser.parse_args()
    options.auth = options.auth or ("token" if options.kubeconfig else "none")
    if options.auth == "cert" and not options.tls:
        parser.error("--auth cert needs --tls")

    def write_kubeconfig(port):
        if options.kubeconfig:
            with open(options.kubeconfig, "w") as file:
                file.write(kubeconfig(options, port))
    fake_main.run(lambda: build(options), options, write_kubeconfig)


if __name__ == "__main__":
    main()
