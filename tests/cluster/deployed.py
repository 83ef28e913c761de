"""Our image on the node, and what its Pods say: for the tests that deploy the daemon.

The image is loaded into the node of the cluster in $CLUSTER_DIR (tests/cluster/cluster). On another cluster give one
that the node can pull: KUBE_SCHEDULER_IMAGE.
"""

import os
import re
import subprocess
import urllib.parse

from kubectl import kubectl
from harness import ROOT, main_unless, on_cleanup, wait_for

NAME = "kube-scheduler-jobs"  # of everything that is deployed
PORT = 28080  # in place of 8080: on an API server of the loopback the Pod is in the node's network
SHIPPED = re.search(r"image: (kube-scheduler:\S+)",
                    open(os.path.join(ROOT, "scripts/deploy/kubernetes.yml")).read()).group(1)
IMAGE = os.environ.get("KUBE_SCHEDULER_IMAGE", SHIPPED)


def load_image():
    """Puts the image on the node; returns why it cannot, or None."""
    if IMAGE != SHIPPED:
        return None
    folder = os.environ.get("CLUSTER_DIR")
    if not folder:
        return "KUBE_SCHEDULER_IMAGE names no image that this cluster can pull"
    for command in (["scripts/deploy/image", IMAGE],
                    ["ctr", "--address", f"{folder}/containerd.sock", "--namespace", "k8s.io", "images", "import",
                     "build/image/kube-scheduler.tar"]):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    return None


def loopback():
    """(host, port) of an API server that only the node's network reaches, else None."""
    server = kubectl("config", "view", "--minify", "--output", "jsonpath={.clusters[0].cluster.server}")
    url = urllib.parse.urlsplit(server)
    return (url.hostname, url.port) if url.hostname in ("127.0.0.1", "localhost") else None


def logs(where):
    """What the Deployment's Pods said; nothing while one is only starting."""
    return kubectl("-n", where, "logs", "-l", f"app.kubernetes.io/name={NAME}", "--tail=-1", check=False)


def wait_logs(where, pattern, seconds):
    return wait_for(lambda: re.search(pattern, logs(where), re.MULTILINE), seconds, f"{pattern!r} in the Pod's output")


def complain_of(where):
    """When the test fails, says what the Pods said."""
    def complain(show_logs):
        if show_logs:
            said = kubectl("-n", where, "get", "pods") + "\n".join(logs(where).splitlines()[-40:])
            print("".join(f"# {line[:300]}\n" for line in said.splitlines()), end="")
    on_cleanup(complain)


def main_with_image():
    """The suite, or why there can be none."""
    main_unless(load_image(), "the daemon as a Pod")
