#!/usr/bin/python3
"""The daemon as a Pod of the real Kubernetes of $KUBECONFIG, by scripts/deploy/kubernetes.yml and the image's root.

$AUDIT_LOG: where the API server says who did what (audit-policy.yml).
"""

import json
import os

from deployed import IMAGE, NAME, PORT, SHIPPED, complain_of, loopback, main_with_image, wait_logs
from kubectl import kubectl, new_name
from harness import ROOT, run_binary, temporary_folder, test, wait_for

MANIFEST = os.path.join(ROOT, "scripts/deploy/kubernetes.yml")
BUSYBOX = {"restartPolicy": "Never", "containers": [{
    "name": "main", "image": "busybox:latest", "imagePullPolicy": "IfNotPresent", "command": ["true"]}]}
POD = {"apiVersion": "v1", "kind": "Pod", "spec": BUSYBOX}
LONG = {"apiVersion": "v1", "kind": "Pod", "spec": {**BUSYBOX, "containers": [
    {**BUSYBOX["containers"][0], "command": ["sleep", "120"]}]}}
JOB = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": BUSYBOX}}}


def replaced(text, old, new):
    assert old in text, f"kubernetes.yml: no {old!r}"
    return text.replace(old, new)


def manifest(where):
    """kubernetes.yml for the namespace. An API server on the loopback is reached from the node's network."""
    text = replaced(open(MANIFEST).read(), "scheduled-jobs", where)
    text = replaced(text, SHIPPED, IMAGE)
    server = loopback()
    if not server:
        return text
    text = replaced(text, "8080", str(PORT))
    text = replaced(text, "      serviceAccountName:", "      hostNetwork: true\n      serviceAccountName:")
    return replaced(text, "          workingDir:", "          env:\n"
                    f"            - {{name: KUBERNETES_SERVICE_HOST, value: {server[0]}}}\n"
                    f"            - {{name: KUBERNETES_SERVICE_PORT, value: '{server[1]}'}}\n          workingDir:")


def deploy(where, files=None):
    """Applies the manifest; files: the schedule in place of the manifest's own."""
    documents = manifest(where).split("\n---\n")
    if files:
        documents = [json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": files, "metadata": {
            "name": f"{NAME}-schedule", "namespace": where}}) if "kind: ConfigMap" in text else text
            for text in documents]
    kubectl("apply", "-f", "-", stdin="\n---\n".join(documents))
    complain_of(where)


@test("the deployed samples run, and pi arrives in kubectl logs; a new Pod goes on", seconds=280)
def _():
    where = new_name()
    deploy(where)
    for job in ("pi-1000", "pi-2000"):
        wait_logs(where, rf"output +{job}/pi: 3\.14159265358979", 120)
        wait_logs(where, rf"run succeeded job={job} .*exit_code=0", 60)
    kubectl("-n", where, "delete", "pod", "-l", f"app.kubernetes.io/name={NAME}")
    wait_logs(where, "run succeeded job=pi-1000", 90)


# --- the permissions ---

# what takes too long to wait for: an answer that nobody fetched is deleted after five minutes
SLOW = {("", "configmaps", "delete")}


def granted(where):
    rules = json.loads(kubectl("-n", where, "get", "role", NAME, "-o", "json"))["rules"]
    return {(group, resource, verb) for rule in rules for group in rule["apiGroups"]
            for resource in rule["resources"] for verb in rule["verbs"]}


def requests(where):
    """What the service account asked for: {(group, resource, verb): {status codes}}."""
    user, found = f"system:serviceaccount:{where}:{NAME}", {}
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
    kubectl("-n", where, "delete", "pod", "-l", f"app.kubernetes.io/name={NAME}")
    wanted = granted(where) - SLOW
    try:
        wait_for(lambda: wanted <= set(requests(where)), 150, "use of all permissions")
    except AssertionError:
        raise AssertionError(f"not used: {wanted - set(requests(where))}") from None
    refused = {key for key, codes in requests(where).items() if 403 in codes}
    assert not refused, refused


main_with_image()
