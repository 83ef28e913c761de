#!/usr/bin/python3
"""A kubelet without containers: the Pods and Jobs that a scheduler made become Running, and Succeeded or Failed
some seconds later, by patches of their /status. For a control plane without a node and without a Job controller.

    hollow_kubelet.py --namespace NS --instance NAME --token T --ca FILE [--longest 3] [--failing 0.1]
                      [--threads 8] https://127.0.0.1:PORT...

With several API servers it leaves one that does not answer for the next. It keeps nothing: what is pending when
it starts is run."""

import argparse
import heapq
import http.client
import json
import random
import signal
import ssl
import threading
import time
import urllib.parse

TIMEOUT = 3         # seconds; an API server that is silent for longer is left for the next
WATCH_SECONDS = 60  # the longest watch, so that a stalled one is noticed
QUIET = 5           # seconds without an event after which a watch is begun again
AGAIN = 0.5         # seconds until a patch that failed is tried again


class Connection:
    """One kept-alive connection, to the first API server that answers. For one thread."""

    def __init__(self, servers, token, ca):
        self.servers, self.at, self.http = servers, 0, None
        self.headers = {"authorization": "Bearer " + token}
        self.context = ssl.create_default_context(cafile=ca)

    def open(self, method, path, body=None, timeout=TIMEOUT):
        """The response, to be read to its end; OSError or HTTPException when there is none."""
        try:
            if not self.http:
                url = urllib.parse.urlsplit(self.servers[self.at])
                self.http = http.client.HTTPSConnection(url.hostname, url.port, timeout=TIMEOUT, context=self.context)
                self.http.connect()
            self.http.sock.settimeout(timeout)
            kind = {"content-type": "application/merge-patch+json"} if body else {}
            self.http.request(method, path, body, {**self.headers, **kind})
            return self.http.getresponse()
        except (OSError, http.client.HTTPException):
            self.leave()
            raise

    def leave(self):
        """Closes it; the next request goes to the next API server."""
        if self.http:
            self.http.close()
        self.http, self.at = None, (self.at + 1) % len(self.servers)

    def send(self, method, path, body=None):
        """(status, body)"""
        response = self.open(method, path, body)
        try:
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self.leave()
            raise


def timestamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def pod_status(pod, phase):
    state = {"Running": {"running": {"startedAt": timestamp()}},
             "Succeeded": {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": timestamp()}},
             "Failed": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": timestamp()}}}[phase]
    containers = [{"name": container["name"], "image": container["image"], "imageID": "", "ready": False,
                   "restartCount": 0, "state": state} for container in pod["spec"]["containers"]]
    return {"phase": phase, "startTime": timestamp(), "containerStatuses": containers}


def job_status(_, phase):
    if phase == "Running":
        return {"startTime": timestamp(), "active": 1}
    kind, count = ("Complete", "succeeded") if phase == "Succeeded" else ("Failed", "failed")
    condition = {"type": kind, "status": "True", "lastTransitionTime": timestamp()}
    return {"active": 0, count: 1, "conditions": [condition],
            **({"completionTime": timestamp()} if phase == "Succeeded" else {})}


RESOURCES = {"pods": ("/api/v1", pod_status), "jobs": ("/apis/batch/v1", job_status)}


def is_new(resource, item):
    status = item.get("status", {})
    if resource == "pods":
        return status.get("phase", "Pending") == "Pending" and not status.get("startTime")
    return not status.get("startTime") and not status.get("conditions")


class Kubelet:
    def __init__(self, options):
        self.options = options
        self.due = []  # heap of (when, number, resource, object, phase)
        self.known = set()
        self.wake = threading.Condition()
        self.count = 0

    def connect(self):
        return Connection(self.options.servers, self.options.token, self.options.ca)

    def later(self, seconds, *what):
        with self.wake:
            self.count += 1
            heapq.heappush(self.due, (time.monotonic() + seconds, self.count, *what))
            self.wake.notify()

    def saw(self, resource, item):
        uid = item["metadata"]["uid"]
        if uid not in self.known and is_new(resource, item):
            self.known.add(uid)
            self.later(0, resource, item, "Running")

    def path(self, resource, rest):
        return f"{RESOURCES[resource][0]}/namespaces/{self.options.namespace}/{resource}{rest}"

    def watch(self, resource):
        """Lists, then follows the changes; for ever."""
        connection = self.connect()
        while True:
            try:
                self.watch_once(connection, resource)
            except (OSError, http.client.HTTPException, ValueError, KeyError):
                time.sleep(AGAIN)

    def watch_once(self, connection, resource):
        selector = "?labelSelector=" + urllib.parse.quote(f"kube-scheduler/instance={self.options.instance}")
        status, body = connection.send("GET", self.path(resource, selector))
        if status != 200:
            raise OSError(body)
        seen = json.loads(body)
        for item in seen["items"]:
            self.saw(resource, item)
        version = seen["metadata"]["resourceVersion"]
        stream = connection.open("GET", self.path(resource, f"{selector}&watch=1&resourceVersion={version}"
                                                            f"&timeoutSeconds={WATCH_SECONDS}"), timeout=QUIET)
        try:
            for line in iter(stream.readline, b""):
                event = json.loads(line)
                if event["type"] == "ADDED":
                    self.saw(resource, event["object"])
                elif event["type"] == "ERROR":
                    raise OSError(line)
        finally:
            connection.leave()

    def next(self):
        with self.wake:
            while not self.due or self.due[0][0] > time.monotonic():
                self.wake.wait(self.due[0][0] - time.monotonic() if self.due else None)
            return heapq.heappop(self.due)[2:]

    def work(self):
        connection = self.connect()
        while True:
            resource, item, phase = self.next()
            status = RESOURCES[resource][1](item, phase)
            name = item["metadata"]["name"]
            try:
                code, _ = connection.send("PATCH", self.path(resource, f"/{name}/status"), json.dumps({
                    "metadata": {"uid": item["metadata"]["uid"]}, "status": status}))
            except (OSError, http.client.HTTPException):
                code = 0
            self.patched(code, resource, item, phase)

    def patched(self, code, resource, item, phase):
        if code == 200 and phase == "Running":
            phase = "Failed" if random.random() < self.options.failing else "Succeeded"
            self.later(random.uniform(0, self.options.longest), resource, item, phase)
        elif code in (404, 409) or (code == 200 and phase != "Running"):
            self.known.discard(item["metadata"]["uid"])
        else:
            self.later(AGAIN, resource, item, phase)

    def run(self):
        tasks = [(self.work,)] * self.options.threads + [(self.watch, resource) for resource in RESOURCES]
        for function, *arguments in tasks:
            threading.Thread(target=function, args=arguments, daemon=True).start()
        signal.pause()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--namespace", "--instance", "--token", "--ca"):
        parser.add_argument(name, required=True)
    parser.add_argument("--longest", type=float, default=3, help="seconds a container runs at most")
    parser.add_argument("--failing", type=float, default=0.1, help="share that fails")
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("servers", nargs="+")
    Kubelet(parser.parse_args()).run()


main()
