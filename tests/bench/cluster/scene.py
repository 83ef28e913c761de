"""Where tests/bench/cluster/run measures: a control plane whose audit log is the clock, namespaces in which the
scheduler is a ServiceAccount, and the scheduler with a schedule of jobs that are all due at one instant."""

import base64
import datetime
import json
import os
import re
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
BINARY = os.path.join(BUILD, "kube-scheduler")
CLUSTER = os.path.join(ROOT, "tests", "cluster", "cluster")
ASSETS = os.environ.get("KUBEBUILDER_ASSETS", "/opt/kube-assets")
MANIFESTS = os.path.join(ROOT, "scripts", "deploy", "kubernetes.yml")
ACCOUNT = "kube-scheduler-jobs"  # in MANIFESTS
HOOK = "function before_run(event) return {env = {LATENESS = tostring(event.lateness)}} end\n"


def instant(text):
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def wait_for(look, seconds, what):
    end = time.monotonic() + seconds
    while not (value := look()):
        if time.monotonic() > end:
            raise RuntimeError(f"no {what} within {seconds} s")
        time.sleep(0.2)
    return value


class Cluster:
    """tests/cluster/cluster in `folder`, without a node: objects are created, nothing runs."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        self.audit = os.path.join(folder, "audit.log")
        self.server = f"https://127.0.0.1:{port}"
        self.kubeconfig = os.path.join(folder, "admin.kubeconfig")

    def up(self):
        os.makedirs(self.folder, exist_ok=True)
        with open(self.audit, "w"):
            self("up", "--control-plane")

    def __call__(self, *arguments, controller_flags=""):
        policy = os.path.join(HERE, "audit-policy.yml")
        environment = {**os.environ, "CLUSTER_DIR": self.folder, "CLUSTER_PORT": str(self.port),
                       "APISERVER_FLAGS": f"--audit-policy-file={policy} --audit-log-path={self.audit}",
                       "CONTROLLER_FLAGS": controller_flags, "ETCD_QUOTA_BACKEND_BYTES": str(8 << 30)}
        done = subprocess.run(["bash", CLUSTER, *arguments], env=environment, capture_output=True, text=True, timeout=900)
        if done.returncode:
            raise RuntimeError(f"cluster {' '.join(arguments)}: {done.stdout}{done.stderr}")

    def kubectl(self, *arguments, stdin=None):
        command = [os.path.join(ASSETS, "kubectl"), "--kubeconfig", self.kubeconfig, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(arguments)}: {done.stderr}")
        return done.stdout


class Namespace:
    """A fresh one, with the Role that scripts/deploy ships; `token` and `kubeconfig` are the ServiceAccount's."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name
        self.folder = os.path.join(cluster.folder, name)
        os.makedirs(self.folder)
        self.begin = os.path.getsize(cluster.audit)  # nothing about this namespace is before it
        with open(MANIFESTS) as file:
            wanted = [part for part in file.read().replace("scheduled-jobs", name).split("\n---\n")
                      if re.search(r"^kind: (Namespace|ServiceAccount|Role|RoleBinding)$", part, re.MULTILINE)]
        cluster.kubectl("create", "-f", "-", stdin="\n---\n".join(wanted))
        wait_for(lambda: "default" in self.get("serviceaccounts", "name"), 60, "ServiceAccount 'default'")
        secret = wait_for(lambda: self.get("serviceaccount/" + ACCOUNT, "jsonpath={.secrets[0].name}"), 60, "token")
        self.token = base64.b64decode(self.get("secret/" + secret, "jsonpath={.data.token}")).decode()
        self.kubeconfig = self.write("kubeconfig", json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": {
                "server": cluster.server, "certificate-authority": os.path.join(cluster.folder, "pki", "ca.crt")}}],
            "users": [{"name": "it", "user": {"token": self.token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]}))

    def get(self, what, output):
        return self.cluster.kubectl("-n", self.name, "get", what, "-o", output)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def wait_created(self, resource, count, seconds):
        """When the API server had answered each create with 201 (unix seconds, sorted), as soon as there are `count`
        of them or the time is over."""
        end, created, rest = time.monotonic() + seconds, [], ""
        with open(self.cluster.audit) as log:
            log.seek(self.begin)
            while len(created) < count and time.monotonic() < end:
                time.sleep(0.5)
                *lines, rest = (rest + log.read()).split("\n")
                events = (json.loads(line) for line in lines if f'"namespace":"{self.name}"' in line)
                created += [instant(event["stageTimestamp"]) for event in events
                            if event["objectRef"]["resource"] == resource and event["responseStatus"].get("code") == 201]
        return sorted(created)


class Scheduler:
    """Our daemon in a namespace: `jobs` jobs of one template, due together at `slot`."""

    def __init__(self, namespace, jobs, template, lead=15):
        self.namespace = namespace
        self.slot = int(time.time()) + lead
        cron = time.strftime("%S %M %H * * *", time.gmtime(self.slot))
        namespace.write("pod.json", json.dumps(template))
        namespace.write("hooks/env.lua", HOOK)
        namespace.write("schedule.yml", "settings: {cron_dialect: standard}\n" + "".join(
            f"job-{i}: {{cron: '{cron}', template: pod.json}}\n" for i in range(jobs)))
        self.log = os.path.join(namespace.folder, "log")
        self.child = None

    def command(self, *words):
        return [BINARY, *words, "--namespace", self.namespace.name]

    def manifest(self):
        """What one of its jobs would create."""
        done = subprocess.run(self.command("template", "job-0", "--format", "json"), cwd=self.namespace.folder,
                              capture_output=True, text=True, check=True, timeout=60)
        return json.loads(done.stdout)

    def __enter__(self):
        with open(self.log, "w") as log:
            self.child = subprocess.Popen(
                self.command("run", "--executor", "kubernetes", "--kube-config-path", self.namespace.kubeconfig),
                cwd=self.namespace.folder, stdout=log, stderr=log)
        return self

    def __exit__(self, failure, *_):
        self.child.terminate()
        self.child.wait(30)
        if failure:
            return
        with open(self.log) as log:
            ready = re.search(r"^(\S+) info +ready ", log.read(), re.MULTILINE)
        if not ready or instant(ready.group(1)) > self.slot:
            raise RuntimeError(f"the scheduler was not ready before its slot: {self.log}")
