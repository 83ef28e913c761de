"""kubectl on the cluster of $KUBECONFIG, for the tests here."""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
from harness import on_cleanup  # noqa: E402


def kubectl(*arguments, stdin=None, check=True):
    done = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True, timeout=60)
    assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def new_name():
    """A name for a namespace of the running test; what has it goes with the test."""
    name = f"kube-scheduler-test-{os.getpid()}-{time.monotonic_ns() % 10**9}"
    on_cleanup(lambda show_logs: remove(name))
    return name


def remove(namespace):
    """Deletes it with what is in it, also what its scheduler, stopped by now, kept for the sake of its name."""
    kubectl("delete", "namespace", namespace, "--wait=false", "--ignore-not-found")
    kept = kubectl("-n", namespace, "get", "pods,jobs", "-o", "name", "-l", "app.kubernetes.io/managed-by=kube-scheduler")
    for name in kept.split():
        kubectl("-n", namespace, "patch", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}', check=False)
