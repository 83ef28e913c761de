"""Who plays in tests/chaos/run: a control plane with two API servers, a hollow kubelet, and two replicas of the
scheduler that are started again whenever they end."""

import datetime
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CLUSTER = os.path.join(ROOT, "tests", "cluster", "cluster")
KUBELET = os.path.join(ROOT, "tests", "cluster", "hollow_kubelet.py")
TOKEN = "cluster-admin-token"  # tests/cluster/cluster makes it
INSTANCE = "chaos"
SERVERS = ("apiserver", "second-apiserver")
# For the auditor: etcd keeps everything, and as JSON.
FLAGS = "--etcd-compaction-interval=0 --storage-media-type=application/json"
LEADS = re.compile(rb"^(\S+) info +ready ")  # what a daemon logs once it leads


def parse_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Cluster:
    """tests/cluster/cluster, at CLUSTER_DIR and CLUSTER_PORT."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.flags = dict.fromkeys(SERVERS, FLAGS)

    def __call__(self, *arguments, flags=FLAGS):
        environment = {**os.environ, "CLUSTER_DIR": self.folder, "CLUSTER_PORT": str(self.port),
                       "APISERVER_FLAGS": flags, "ETCD_QUOTA_BACKEND_BYTES": str(8 << 30)}
        done = subprocess.run(["bash", CLUSTER, *arguments], env=environment, capture_output=True, text=True, timeout=900)
        if done.returncode:
            raise RuntimeError(f"cluster {' '.join(arguments)}: {done.stdout}{done.stderr}")

    def up(self):
        self("up", "--control-plane")
        # Nobody else may delete a Pod (its garbage collector does) or write a status.
        self("stop", "controller-manager")
        self("start", "second-apiserver")
        self.wait_ready()

    def start(self, server):
        self("start", server, flags=self.flags.get(server, FLAGS))

    def wait_ready(self, seconds=120):
        """Until both API servers serve."""
        end = time.monotonic() + seconds
        for server in SERVERS:
            while not self.is_ready(server):
                if time.monotonic() > end:
                    raise RuntimeError(f"{server} is not ready after {seconds} s")
                time.sleep(0.2)

    def is_ready(self, server):
        try:
            return self.request("GET", "/readyz", server=server)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def url(self, server):
        return f"https://127.0.0.1:{self.port + 10 * SERVERS.index(server)}"

    def kubeconfig(self, server):
        return os.path.join(self.folder, ("admin", "second")[SERVERS.index(server)] + ".kubeconfig")

    @property
    def ca(self):
        return os.path.join(self.folder, "pki", "ca.crt")

    @property
    def etcd(self):
        return f"http://127.0.0.1:{self.port + 1}"

    def request(self, method, path, body=None, server="apiserver"):
        """(status, body)"""
        context = ssl.create_default_context(cafile=self.ca)
        connection = http.client.HTTPSConnection(self.url(server)[len("https://"):], timeout=10, context=context)
        try:
            connection.request(method, path, json.dumps(body) if body else None,
                               {"authorization": "Bearer " + TOKEN, "content-type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path, server="apiserver"):
        """The object there; None when there is none or the API server is too busy to tell."""
        try:
            status, body = self.request("GET", path, server=server)
        except (OSError, http.client.HTTPException):
            return None
        return json.loads(body) if status == 200 else None

    def create(self, path, body):
        status, answer = self.request("POST", path, body)
        if status != 201:
            raise RuntimeError(f"POST {path}: {status} {answer!r}")


class Replica:
    """One daemon with an API server of its own; `wanted_at` is when it is started the next time."""

    def __init__(self, name, binary, folder, kubeconfig, namespace, server):
        self.name, self.server = name, server
        self.command = [binary, "run", "--executor", "kubernetes", "--dir", folder, "--namespace", namespace,
                        "--instance", INSTANCE, "--kube-config-path", kubeconfig]
        self.log = os.path.join(folder, f"{name}.log")
        self.child, self.wanted_at, self.crashes = None, 0, []
        self.read_up_to, self.led_at = 0, b""

    def start(self):
        with open(self.log, "ab") as log:
            self.read_up_to, self.led_at = log.tell(), b""
            self.child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def running(self):
        return self.child is not None and self.child.poll() is None

    def leads_since(self):
        """The time when it took the lead, as text; empty when it does not run or never did. One that was deposed
        while it was frozen does not know either."""
        if not self.running():
            return b""
        with open(self.log, "rb") as log:
            log.seek(self.read_up_to)
            for line in log:
                if line.endswith(b"\n"):
                    self.read_up_to += len(line)
                    self.led_at = LEADS.match(line).group(1) if LEADS.match(line) else self.led_at
        return self.led_at

    def signal(self, number):
        if self.running():
            self.child.send_signal(number)

    def end(self, number, away):
        """Ends it by a signal; it is started again so many seconds later."""
        self.signal(signal.SIGCONT)
        self.signal(number)
        self.child.wait()
        self.wanted_at = time.monotonic() + away

    def supervise(self):
        """Starts it when it is not there, as a Deployment would. An end that nobody asked for is a finding."""
        if self.running() or time.monotonic() < self.wanted_at:
            return
        code = self.child.returncode if self.child else 0
        if code not in (0, 1, -signal.SIGKILL, -signal.SIGTERM):
            self.crashes.append(f"replica {self.name} ended with code {code}: see {self.log}")
        self.start()


class Scene:
    """One run: a namespace, a schedule, two replicas. cluster: up; binary: the scheduler."""

    def __init__(self, cluster, binary, folder, namespace, schedule):
        self.cluster, self.folder, self.namespace = cluster, folder, namespace
        self.schedule = os.path.join(folder, "schedule.yml")
        os.makedirs(folder)
        with open(self.schedule, "w") as file:
            json.dump(schedule, file, indent=1)
        self.replicas = [Replica("ab"[i], binary, folder, cluster.kubeconfig(server), namespace, server)
                         for i, server in enumerate(SERVERS)]
        self.kubelet, self.agenda = None, []

    def start(self):
        self.cluster.create("/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        self.cluster.create(f"/api/v1/namespaces/{self.namespace}/serviceaccounts", {"metadata": {"name": "default"}})
        with open(os.path.join(self.folder, "kubelet.log"), "wb") as log:
            self.kubelet = subprocess.Popen(
                ["/usr/bin/python3", KUBELET, "--namespace", self.namespace, "--instance", INSTANCE, "--token", TOKEN,
                 "--ca", self.cluster.ca, *map(self.cluster.url, SERVERS)], stdout=log, stderr=subprocess.STDOUT)
        self.wait_leader()

    def later(self, seconds, action):
        """action(scene), during a later sleep."""
        self.agenda.append((time.monotonic() + seconds, action))

    def sleep(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            due = [entry for entry in self.agenda if entry[0] <= time.monotonic()]
            for entry in due:
                self.agenda.remove(entry)
                entry[1](self)
            for replica in self.replicas:
                replica.supervise()
            time.sleep(max(0, min(0.1, end - time.monotonic())))

    def sleep_until(self, predicate, seconds):
        """Until it holds, but at most so long; whether it does."""
        end = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > end:
                return False
            self.sleep(0.2)
        return True

    def wait(self, predicate, seconds, otherwise):
        if not self.sleep_until(predicate, seconds):
            raise RuntimeError(f"{otherwise} after {seconds} s")

    def slots_of(self, job, server):
        """Those of which the job has a Pod, as that API server knows; None when it does not say."""
        pods = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/pods?resourceVersion=0&labelSelector="
                                f"kube-scheduler/job={job}", server)
        return pods and {parse_time(pod["metadata"]["annotations"]["kube-scheduler/slot"]) for pod in pods["items"]}

    def leader(self):
        """The replica that leads, the newest to say so; None while there is none."""
        newest = max(self.replicas, key=Replica.leads_since)
        return newest if newest.leads_since() else None

    def other(self, replica):
        return next(other for other in self.replicas if other is not replica)

    def wait_leader(self):
        self.wait(self.leader, 60, "no replica leads")
        return self.leader()

    def decided_up_to(self):
        """Every slot up to here is decided, none left open: from the Lease's annotations."""
        lease = self.cluster.get(f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/{INSTANCE}-jobs")
        if not lease:
            return 0
        marks = lease["metadata"]["annotations"]
        open_slots = [entry["slot"] for entry in json.loads(marks.get("kube-scheduler/open", "[]"))]
        return min([int(marks.get("kube-scheduler/watermark", 0)), *(slot - 1 for slot in open_slots)])

    def settle(self, moment, seconds):
        """After the last fault: waits until all up to a moment is decided."""
        self.cluster.wait_ready()
        self.wait(lambda: self.decided_up_to() >= moment, seconds, "not everything is decided")

    def finish(self):
        """Ends the replicas and marks the end of the history."""
        self.stop()
        containers = {"containers": [{"name": "end", "image": "end"}], "restartPolicy": "Never",
                      "automountServiceAccountToken": False}
        self.cluster.create(f"/api/v1/namespaces/{self.namespace}/pods",
                            {"metadata": {"name": "audit-end"}, "spec": containers})
        self.cluster.create(f"/apis/batch/v1/namespaces/{self.namespace}/jobs",
                            {"metadata": {"name": "audit-end"}, "spec": {"template": {"spec": containers}}})

    def crashes(self):
        return [crash for replica in self.replicas for crash in replica.crashes]

    def stop(self):
        for child in [replica.child for replica in self.replicas] + [self.kubelet]:
            if child and child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.terminate()
        for child in [replica.child for replica in self.replicas] + [self.kubelet]:
            try:
                if child:
                    child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
