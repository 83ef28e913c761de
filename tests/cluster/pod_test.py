#!/usr/bin/python3
"""The daemon as a Pod of the real Kubernetes of $KUBECONFIG, by scripts/deploy/kubernetes.yml and the image's root.

The image is loaded into the node of the cluster in $CLUSTER_DIR (tests/cluster/cluster). On another cluster give one
that the node can pull: KUBE_SCHEDULER_IMAGE. $AUDIT_LOG: where the API server says who did what (audit-policy.yml).
"""

import json
import os
import re
import subprocess
import urllib.parse

from kubectl import kubectl, new_name
from harness import ROOT, BINARY, main, on_cleanup, run_binary, temporary_folder, test, wait_for

MANIFEST = os.path.join(ROOT, "scripts/deploy/kubernetes.yml")
IMAGE = re.search(r"image: (kube-scheduler:\S+)", open(MANIFEST).read()).group(1)
ACCOUNT = "kube-scheduler-jobs"
BUSYBOX = {"restartPolicy": "Never", "containers": [{
    "name": "main", "image": "busybox:latest", "imagePullPolicy": "IfNotPresent", "command": ["true"]}]}
POD = {"apiVersion": "v1", "kind": "Pod", "spec": BUSYBOX}
LONG = {"apiVersion": "v1", "kind": "Pod", "spec": {**BUSYBOX, "containers": [
    {**BUSYBOX["containers"][0], "command": ["sleep", "120"]}]}}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": BUSYBOX}}}


def load_image():
    """Puts the image on the node; returns why it cannot, or None."""
    if os.environ.get("KUBE_SCHEDULER_IMAGE"):
        return None
    if not os.environ.get("CLUSTER_DIR"):
        return "KUBE_SCHEDULER_IMAGE names no image that this cluster can pull"
    for command in (["scripts/deploy/image", "--root-only"],
                    ["tests/cluster/cluster", "image", f"docker.io/library/{IMAGE}", "build/image/root"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    return None


def replaced(text, old, new):
    assert old in text, f"kubernetes.yml: no {old!r}"
    return text.replace(old, new)


def manifest(where):
    """kubernetes.yml for the namespace. An API server on the loopback is reached from the node's network."""
    text = replaced(open(MANIFEST).read(), "scheduled-jobs", where)
    text = replaced(text, IMAGE, os.environ.get("KUBE_SCHEDULER_IMAGE", IMAGE))
    server = kubectl("config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}")
    url = urllib.parse.urlsplit(server)
    if url.hostname not in ("127.0.0.1", "localhost"):
        return text
    text = replaced(text, "      serviceAccountName:", "      hostNetwork: true\n      serviceAccountName:")
    return replaced(text, "          workingDir:", "          env:\n"
                    f"            - {{name: KUBERNETES_SERVICE_HOST, value: {url.hostname}}}\n"
                    f"            - {{name: KUBERNETES_SERVICE_PORT, value: '{url.port}'}}\n          workingDir:")


def logs(where):
    """What the Deployment's Pods said; nothing while one is only starting."""
    return kubectl("-n", where, "logs", "-l", f"app.kubernetes.io/name={ACCOUNT}", "--tail=-1", check=False)


def complain(where):
    said = kubectl("-n", where, "get", "pods") + "\n".join(logs(where).splitlines()[-40:])
    print("".join(f"# {line[:300]}\n" for line in said.splitlines()), end="")


def deploy(where, files=None):
    """Applies the manifest; files: the schedule in place of the manifest's own."""
    documents = manifest(where).split("\n---\n")
    if files:
        documents = [json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": files, "metadata": {
            "name": "kube-scheduler-schedule", "namespace": where}}) if "kind: ConfigMap" in text else text
            for text in documents]
    kubectl("apply", "-f", "-", stdin="\n---\n".join(documents))
    on_cleanup(lambda show_logs: complain(where) if show_logs else None)


def wait_logs(where, pattern, seconds):
    return wait_for(lambda: re.search(pattern, logs(where), re.MULTILINE), seconds, f"{pattern!r} in the Pod's output")


@test("the deployed samples run, and pi arrives in kubectl logs; a new Pod goes on", seconds=280)
def _():
    where = new_name()
    deploy(where)
    for job in ("pi-1000", "pi-2000"):
        wait_logs(where, rf"output +{job}/pi: 3\.14159265358979", 120)
        wait_logs(where, rf"run succeeded job={job} .*exit_code=0", 60)
    kubectl("-n", where, "delete", "pod", "-l", f"app.kubernetes.io/name={ACCOUNT}")
    wait_logs(where, "run succeeded job=pi-1000", 90)


# --- the permissions ---

# what takes too long to wait for: an answer that nobody fetched is deleted after five minutes
SLOW = {("", "configmaps", "delete")}


def granted(where):
    rules = json.loads(kubectl("-n", where, "get", "role", ACCOUNT, "-o", "json"))["rules"]
    return {(group, resource, verb) for rule in rules for group in rule["apiGroups"]
            for resource in rule["resources"] for verb in rule["verbs"]}


SELDOM = {("", "configmaps", "delete")}  # a request that its asker left, after 5 min


def requests(where):
    """What the service account asked for: {(group, resource, verb): {status codes}}."""
    user, found = f"system:serviceaccount:{where}:{ACCOUNT}", {}
    with open(os.environ["AUDIT_LOG"]) as file:
        for entry in (json.loads(line) for line in file if line.endswith("\n")):  # the last may be half written
            if entry["user"]["username"] == user and "objectRef" in entry:
                what = entry["objectRef"]
                resource = "/".join(filter(None, (what["resource"], what.get("subresource"))))
                key = (what.get("apiGroup", ""), resource, entry["verb"])
                found.setdefault(key, set()).add(entry["responseStatus"]["code"])
    return found


def take_names(where, files, *jobs):
    """Makes the objects of the jobs' slots of the next minutes, as somebody else: who made them must be looked at."""
    folder, objects = temporary_folder(), []
    for name, text in files.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    for job in jobs:
        done = run_binary(["template", job, "--dir", folder, "--namespace", where, "--format", "json"])
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout)
        stem, slot = made["metadata"]["name"].rsplit("-", 1)
        (made["spec"]["template"] if made["kind"] == "Job" else made)["spec"]["nodeSelector"] = {"kubernetes.io/os": "none"}
        for second in range(int(slot), int(slot) + 300, 30):
            objects.append({**made, "metadata": {"name": f"{stem}-{second}", "namespace": where}})
    kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def files_for_permissions(**jobs):
    settings = {"cron_dialect": "standard", "retention": "1s"}
    return {"schedule.yml": json.dumps({"settings": settings, **jobs}),
            "pod.json": json.dumps(POD), "long.json": json.dumps(LONG),
            "job.json": json.dumps(JOB)}


@test("each permission of the Role is used, and no other is missed", seconds=280)
def _():
    where, rarely = new_name(), {"cron": "*/30 * * * * *"}
    often = {"cron": "*/5 * * * * *", "history": {"succeeded": 1, "failed": 0}}
    taken = {"taken-pod": {**rarely, "template": "pod.json"}, "taken-job": {**rarely, "template": "job.json"}}
    kubectl("create", "namespace", where)
    take_names(where, files_for_permissions(**taken), *taken)
    deploy(where, files_for_permissions(**taken))
    for job in taken:
        wait_logs(where, f"run failed job={job} .*NameTaken", 100)
    # an edit, to be found by a new Pod: it writes down since when the new jobs count
    deploy(where, files_for_permissions(
        pod={**often, "template": "pod.json"}, job={**often, "template": "job.json"},
        long={**often, "template": "long.json"}))  # its skips are one Event, counted
    kubectl("-n", where, "delete", "pod", "-l", f"app.kubernetes.io/name={ACCOUNT}")
    wanted = granted(where) - SLOW
    try:
        wait_for(lambda: wanted <= set(requests(where)), 150, "use of all permissions")
    except AssertionError:
        raise AssertionError(f"not used: {wanted - set(requests(where))}") from None
    refused = {key for key, codes in requests(where).items() if 403 in codes}
    assert not refused, refused


def run():
    why_not = load_image()
    if why_not:
        print(f"1..1\nok 1 the daemon as a Pod # skip: {why_not}")
    else:
        main()


run()
