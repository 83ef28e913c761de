#!/usr/bin/python3
"""The container image, as others read it: skopeo, and the binary inside by itself."""

import hashlib
import json
import os
import stat
import subprocess

from harness import ROOT, main_unless, sanitized, temporary_folder, test

WORK = os.path.join(ROOT, "build/image")
ARCHIVE = os.path.join(WORK, "kube-scheduler.tar")
INSIDE = os.path.join(WORK, "root")
LABEL = "org.opencontainers.image."


def make(umask, **environment):
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1795500000", "IMAGE_SOURCE": "https://git.example/it", **environment}
    done = subprocess.run([os.path.join(ROOT, "scripts/deploy/image"), "registry.example/team/it:7"], capture_output=True,
                          text=True, timeout=150, umask=umask, env=environment)
    assert done.returncode == 0, done.stderr
    with open(ARCHIVE, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def read(*arguments):
    done = subprocess.run(["skopeo", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_inside(*arguments):
    """The image's binary with nothing around it but the image, as its user."""
    before = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    user = ["--userspec=65532:65532"] if os.geteuid() == 0 else []
    return subprocess.run([*before, "/usr/sbin/chroot", *user, INSIDE, "/usr/bin/kube-scheduler", *arguments], capture_output=True,
                          text=True, timeout=60, env={"PATH": "/usr/bin"})


def members():
    for folder, folders, files in os.walk(INSIDE):
        for name in folders + files:
            path = os.path.join(folder, name)
            yield path[len(INSIDE):], os.lstat(path)


# The first test leaves the image that the others look at.
@test("two builds are the same bytes, whoever makes them when", seconds=300)
def _():
    assert make(0o022) == make(0o077, TZ="Asia/Tokyo", LC_ALL="C")


@test("other tools read it: its name, user, command and labels", seconds=100)
def _():
    config = json.loads(read("inspect", "--config", f"oci-archive:{ARCHIVE}:registry.example/team/it:7"))
    assert config["config"]["User"] == "65532:65532" and config["config"]["Entrypoint"] == ["kube-scheduler"], config
    labels = config["config"]["Labels"]
    for name in ("title", "description", "source", "documentation", "version", "revision", "created", "licenses", "vendor"):
        assert labels.get(LABEL + name), (name, labels)
    assert labels[LABEL + "created"] == config["created"] == "2026-11-24T06:00:00Z", labels
    copy = temporary_folder()  # it compares every digest on the way
    read("--insecure-policy", "copy", f"oci-archive:{ARCHIVE}", f"dir:{copy}/image")
    read("--insecure-policy", "copy", f"docker-archive:{ARCHIVE}", f"dir:{copy}/docker")


@test("the binary works with nothing around it, as its user, in any zone", seconds=100)
def _():
    done = run_inside("next", "0 5 * * *", "--timezone", "America/New_York", "--count", "1", "--from", "2026-03-07", "--format", "rfc3339")
    assert done.stdout == "2026-03-07T05:00:00-05:00\n", done


@test("nothing in it can be written by its user, is a shell, or gives more rights", seconds=60)
def _():
    for path, status in members():
        if stat.S_ISLNK(status.st_mode):
            continue
        assert not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID), path
        assert os.path.basename(path) not in ("sh", "bash", "dash", "busybox", "perl", "python3"), path
    programs = {path for path, status in members() if "/bin/" in path and stat.S_ISREG(status.st_mode)}
    assert programs == {"/usr/bin/kube-scheduler"}, programs


@test("the bill of materials names the package of each library, its version and its licence", seconds=60)
def _():
    with open(os.path.join(WORK, "sbom.cdx.json")) as file:
        bill = json.load(file)
    with open(os.path.join(INSIDE, "usr/share/doc/kube-scheduler/sbom.cdx.json")) as file:
        assert json.load(file) == bill
    assert bill["bomFormat"] == "CycloneDX" and bill["metadata"]["component"]["name"] == "kube-scheduler"
    named = {component["name"]: component["version"] for component in bill["components"]}
    assert {"libc6", "libcurl4", "tzdata", "ca-certificates"} <= set(named), named
    for name, version in named.items():
        installed = subprocess.check_output(["dpkg-query", "-W", "-f", "${Version}\n", name], text=True).split()
        assert version in installed, (name, version, installed)
        assert os.path.getsize(os.path.join(INSIDE, "usr/share/doc", name, "copyright")) > 0
    for path, _ in members():
        if ".so" in path:
            owned = subprocess.run(["dpkg", "-S", path, f"/usr{path}"], capture_output=True, text=True).stdout
            assert any(line.split(":")[0] in named for line in owned.splitlines()), path


main_unless(sanitized(), "the container image")
