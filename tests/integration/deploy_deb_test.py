#!/usr/bin/python3
"""The Debian package: built twice, looked at by lintian, installed in a copy of this machine, and removed."""

import atexit
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

from harness import ROOT, main_unless, on_cleanup, run_binary, sanitized, test, wait_for

UNIT = "/lib/systemd/system/kube-scheduler.service"
WORST = "20"  # of 100: how exposed systemd-analyze may find the service


def build(umask=0o022):
    for path in glob.glob(os.path.join(ROOT, "build/*.deb")):
        os.unlink(path)
    done = subprocess.run([os.path.join(ROOT, "scripts/deploy/deb")], capture_output=True, text=True, timeout=150, umask=umask,
                          env={**os.environ, "SOURCE_DATE_EPOCH": "1795500000"})
    assert done.returncode == 0, done.stderr
    path, = glob.glob(os.path.join(ROOT, "build/*.deb"))
    return path


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Machine:
    """This machine with a layer of memory over it: what is changed here is changed only here. It needs root."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="kube-scheduler-machine-")
        self.root = os.path.join(self.folder, "root")
        self.child = None

    def start(self):
        script = """mount -t tmpfs tmpfs "$PWD" && cd "$PWD" && mkdir upper work root &&
            mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root && mount -t proc proc root/proc &&
            mount --bind /dev root/dev && mount -t tmpfs tmpfs root/run && mount -t tmpfs tmpfs root/tmp && echo ready && read end"""
        self.child = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
                                       "sh", "-c", script], cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.stop)
        assert self.child.stdout.readline() == "ready\n", "no overlay of / could be mounted"
        with open(f"/proc/{self.child.pid}/task/{self.child.pid}/children") as file:
            self.inside = file.read().split()[0]

    def stop(self):
        self.child.kill()
        self.child.wait()
        shutil.rmtree(self.folder)

    def run(self, command, code=0, stdin=None):
        done = subprocess.run(["nsenter", "--target", self.inside, "--mount", "--pid", "chroot", self.root, "sh", "-c", command], input=stdin, capture_output=True, timeout=100,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})
        out = (done.stdout + done.stderr).decode()
        assert code is None or done.returncode == code, (command, done.returncode, out)
        return out

    def write(self, path, text, mode="644"):
        self.run(f"cat >{path} && chmod {mode} {path}", stdin=text if isinstance(text, bytes) else text.encode())


machine = Machine()
DEB = "/tmp/it.deb"
INVOKED = "/tmp/invoked"


def install():
    return machine.run(f"dpkg --no-triggers --install {DEB}")


def invoked():
    """What systemd was asked to do since it was asked last."""
    return machine.run(f"touch {INVOKED}; cat {INVOKED}; rm {INVOKED}")


@test("two builds are the same bytes", seconds=200)
def _():
    assert digest(build()) == digest(build(0o077))


@test("lintian has neither an error nor a warning", seconds=100)
def _():
    path, = glob.glob(os.path.join(ROOT, "build/*.deb"))
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", path], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr


@test("installed it works: binary, manual, documentation, schedule", seconds=100)
def _():
    machine.start()
    with open(glob.glob(os.path.join(ROOT, "build/*.deb"))[0], "rb") as file:
        machine.write(DEB, file.read())
    install()
    assert machine.run("/usr/bin/kube-scheduler version") == run_binary(["version"]).stdout
    assert "0 mistakes" in machine.run("kube-scheduler check --dir /etc/kube-scheduler")
    assert "0 mistakes" in machine.run("cd /usr/share/doc/kube-scheduler/examples && kube-scheduler check schedule.yml.sample")
    assert machine.run("gzip -dc /usr/share/man/man1/kube-scheduler.1.gz").startswith(".TH KUBE-SCHEDULER")
    assert "kube-scheduler" in machine.run("getent passwd kube-scheduler")
    assert "/etc/kube-scheduler/schedule.yml" in machine.run("dpkg-query -W -f '${Conffiles}' kube-scheduler")


@test("the unit is good, enabled and confined", seconds=100)
def _():
    assert machine.run(f"systemd-analyze verify {UNIT}").strip() == ""
    assert machine.run("systemctl is-enabled kube-scheduler.service").strip() == "enabled"
    machine.run(f"systemd-analyze security --offline=true --threshold={WORST} {UNIT}")


@test("the unit's command runs the sample job as its user, and tells its state to root", seconds=100)
def _():
    schedule = machine.run("cat /etc/kube-scheduler/schedule.yml").replace("# hello", "hello").replace("#   ", "  ")
    machine.write("/etc/kube-scheduler/schedule.yml", schedule.replace("*/5 * * * *", "* * * * * *"))
    command = re.search(r"ExecStart=(.*)", machine.run(f"cat {UNIT}")).group(1)
    machine.run(f"install -d -o kube-scheduler -m 750 /var/lib/kube-scheduler && "
                f"runuser -u kube-scheduler -- {command} >/tmp/log 2>&1 &")
    on_cleanup(lambda failed: print("# " + machine.run("tail -n 9 /tmp/log").replace("\n", "\n# ")) if failed else None)
    wait_for(lambda: "run succeeded job=hello" in machine.run("cat /tmp/log"), 40, "a run")
    assert "hello from the schedule" in machine.run("cat /tmp/log")
    ask = "kube-scheduler status --executor local --dir /etc/kube-scheduler --state-dir /var/lib/kube-scheduler"
    assert "leader" in machine.run(ask)
    machine.run("pkill -TERM -u kube-scheduler -x kube-scheduler")
    wait_for(lambda: "stopped" in machine.run("cat /tmp/log"), 30, "the end of the daemon")


@test("it is started when the schedule is good, and not when it has a mistake", seconds=100)
def _():
    machine.run("mkdir /run/systemd/system")  # as if systemd ran
    machine.write("/usr/bin/deb-systemd-invoke", f'#!/bin/sh\necho "$@" >>{INVOKED}\n', "755")
    machine.run("cp /etc/kube-scheduler/schedule.yml /tmp/good")
    machine.write("/etc/kube-scheduler/schedule.yml", "hello: {cron: never, template: hello.yml}\n")
    said = install()
    assert "schedule.yml:1:" in said and "not started" in said and invoked() == "", said
    machine.run("cp /tmp/good /etc/kube-scheduler/schedule.yml")
    install()
    assert invoked() == "restart kube-scheduler.service\n"


@test("removed it is stopped and keeps what was written; purged nothing of it is left", seconds=100)
def _():
    machine.run("dpkg --no-triggers --remove kube-scheduler")
    assert invoked() == "stop kube-scheduler.service\n"
    assert "state.sqlite" in machine.run("ls /var/lib/kube-scheduler")
    machine.run("ls /etc/kube-scheduler/schedule.yml")
    machine.run("dpkg --no-triggers --purge kube-scheduler")
    left = machine.run("ls -d /etc/kube-scheduler /etc/default/kube-scheduler /var/lib/kube-scheduler "
                       "/etc/systemd/system/*/kube-scheduler.service /usr/bin/kube-scheduler 2>/dev/null", code=None)
    assert left == "", left


main_unless(sanitized() or (os.geteuid() and "it takes root to install a package"), "the Debian package")
