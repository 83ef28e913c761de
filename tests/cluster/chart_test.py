#!/usr/bin/python3
"""The Helm chart on the real Kubernetes of $KUBECONFIG, from install to uninstall."""

import json
import os
import subprocess
import urllib.error
import urllib.request

from deployed import IMAGE, NAME, PORT, complain_of, loopback, main_with_image, wait_logs
from kubectl import kubectl, new_name
from harness import ROOT, temporary_folder, test, wait_for

DEPLOY = os.path.join(ROOT, "scripts/deploy")
TOKEN = "a-token-of-some-length"


class Release:
    """The chart in a namespace of its own, as its user has it."""

    def __init__(self):
        self.where = new_name()
        self.helm_path = subprocess.check_output([os.path.join(ROOT, "vendor/helm")], text=True, timeout=200).strip()
        repository, _, tag = IMAGE.rpartition(":")
        self.values = {"image": {"repository": repository, "tag": tag}}
        server = loopback()
        if server:
            self.values |= {"hostNetwork": True, "service": {"port": PORT}, "extraEnv": [
                {"name": "KUBERNETES_SERVICE_HOST", "value": server[0]},
                {"name": "KUBERNETES_SERVICE_PORT", "value": str(server[1])}]}

    def helm(self, *arguments):
        done = subprocess.run([self.helm_path, *arguments, "--namespace", self.where], capture_output=True, text=True,
                              timeout=150)
        assert done.returncode == 0, f"helm {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def put(self, verb, *arguments, **values):
        path = os.path.join(temporary_folder(), "values.json")
        with open(path, "w") as file:
            json.dump({**self.values, **values}, file)
        return self.helm(verb, NAME, os.path.join(DEPLOY, "chart"), "--values", os.path.join(DEPLOY, "sample.yml"),
                         "--values", path, *arguments)

    def pod(self):
        return kubectl("-n", self.where, "get", "pods", "-l", f"app.kubernetes.io/name={NAME}", "-o", "name").strip()

    def hurry(self):
        """Has the kubelet look at the Pod's volumes now and not within a minute."""
        kubectl("-n", self.where, "annotate", self.pod(), "--overwrite", f"looked-at={os.urandom(4).hex()}")


VETO = "function before_run(event) if event.job == 'pi-2000' then return false, 'not in this test' end end\n"
LEFT = "pods,services,serviceaccounts,roles,rolebindings,deployments,poddisruptionbudgets"


def metrics():
    """The status of asking for them with the token, on the node."""
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as refusal:
        return refusal.code


def install(release):
    notes = release.put("install", "--create-namespace", "--wait", "--timeout", "120s", hooks={"veto.lua": VETO})
    assert f"create secret generic {NAME}-token" in notes, notes
    wait_logs(release.where, "run succeeded job=pi-1000 .*exit_code=0", 60)
    wait_logs(release.where, "job=pi-2000 .*not in this test", 60)
    release.helm("test", NAME, "--timeout", "100s")


def upgrade(release):
    """A changed schedule and a token that comes later reach the Pod as it is."""
    pod = release.pod()
    added = {"added": {"cron": "*/5 * * * * *", "template": "pod.yml"}}
    release.put("upgrade", hooks={"veto.lua": VETO}, schedule=json.dumps(added))
    kubectl("-n", release.where, "create", "secret", "generic", f"{NAME}-token", f"--from-literal=token={TOKEN}")
    if loopback():
        assert metrics() == 401
    release.hurry()
    wait_logs(release.where, "run succeeded job=added", 100)
    if loopback():
        wait_for(lambda: metrics() == 200, 100, "metrics for the token")
    assert release.pod() == pod


def uninstall(release):
    release.helm("uninstall", NAME, "--wait", "--timeout", "60s")
    wait_for(lambda: not kubectl("-n", release.where, "get", LEFT, "-o", "name",
                                 "-l", f"app.kubernetes.io/instance={NAME}").strip(), 60, "end of all that was installed")
    assert kubectl("-n", release.where, "get", "configmaps", "-o", "name", "-l", "helm.sh/chart").strip() == ""


@test("installed it runs the sample, an upgrade reaches it without a restart, and uninstalled it is gone", seconds=240)
def _():
    release = Release()
    complain_of(release.where)
    install(release)
    upgrade(release)
    uninstall(release)


@test("the API server takes all that the chart can make", seconds=100)
def _():
    release = Release()
    kubectl("create", "namespace", release.where)
    made = release.put("install", "--dry-run=server", replicaCount=2, networkPolicy={"enabled": True})
    assert "kind: PodDisruptionBudget" in made and "kind: NetworkPolicy" in made, made


main_with_image()
