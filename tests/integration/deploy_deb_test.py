#!/usr/bin/python3
"""The Debian package: built twice, looked at by lintian, installed in a copy of this machine with a systemd of its own."""

import atexit
import glob
import hashlib
import os
import shutil
import subprocess
import tempfile

from harness import ROOT, main_unless, run_binary, sanitized, test, wait_for

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


BOOT = """
mount -t tmpfs tmpfs "$PWD" && cd "$PWD" && mkdir upper work root &&
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root && cd root &&
mount -t proc proc proc && mount -t sysfs -o ro sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs tmp && mount -t tmpfs -o mode=755 tmpfs dev && cd dev &&
mknod -m 666 null c 1 3 && mknod -m 666 zero c 1 5 && mknod -m 666 full c 1 7 && mknod -m 666 random c 1 8 &&
mknod -m 666 urandom c 1 9 && mknod -m 666 tty c 5 0 && mkdir shm pts && ln -s pts/ptmx ptmx && cd ../.. || exit 1
echo ready
exec chroot root env container=test /lib/systemd/systemd --log-target=null --unit=basic.target >root/dev/null 2>&1
"""


class Machine:
    """This machine with a layer of memory over it, booted: what is changed here is changed only here. It needs root."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="kube-scheduler-machine-")
        self.root = os.path.join(self.folder, "root")
        self.child = None

    def start(self):
        self.child = subprocess.Popen(["unshare", "--mount", "--pid", "--cgroup", "--fork", "--kill-child", "--propagation",
                                       "private", "sh", "-c", BOOT], cwd=self.folder, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, text=True)
        atexit.register(self.stop)
        assert self.child.stdout.readline() == "ready\n", "no copy of this machine could be made"
        with open(f"/proc/{self.child.pid}/task/{self.child.pid}/children") as file:
            self.inside = file.read().split()[0]
        wait_for(lambda: self.run("systemctl is-system-running", code=None).strip() in ("running", "degraded"), 60, "systemd")
        self.run("rm -f /usr/sbin/policy-rc.d")  # what keeps packages in a container from starting services

    def stop(self):
        self.child.kill()
        self.child.wait()
        shutil.rmtree(self.folder)

    def run(self, command, code=0, stdin=None):
        done = subprocess.run(["nsenter", "--target", self.inside, "--mount", "--pid", "--cgroup", "chroot", self.root, "sh", "-c",
                               command], input=stdin, capture_output=True, timeout=100,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})
        out = (done.stdout + done.stderr).decode()
        assert code is None or done.returncode == code, (command, done.returncode, out)
        return out

    def write(self, path, text, mode="644"):
        self.run(f"cat >{path} && chmod {mode} {path}", stdin=text if isinstance(text, bytes) else text.encode())


machine = Machine()
DEB = "/tmp/it.deb"
SCHEDULE = "/etc/kube-scheduler/schedule.yml"
OPTIONS = "--executor local --dir /etc/kube-scheduler --state-dir /var/lib/kube-scheduler"


def install():
    return machine.run(f"dpkg --no-triggers --install {DEB}")


def process():
    return machine.run("systemctl show --property=MainPID --value kube-scheduler").strip()


def journal():
    return machine.run("journalctl --no-pager --unit kube-scheduler")


@test("two builds are the same bytes", seconds=200)
def _():
    assert digest(build()) == digest(build(0o077))


@test("lintian has neither an error nor a warning", seconds=100)
def _():
    path, = glob.glob(os.path.join(ROOT, "build/*.deb"))
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", path], capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr


@test("installed it runs, with manual, documentation and a schedule", seconds=150)
def _():
    machine.start()
    with open(glob.glob(os.path.join(ROOT, "build/*.deb"))[0], "rb") as file:
        machine.write(DEB, file.read())
    install()
    wait_for(lambda: "ready bad=0 executor=local jobs=0" in journal(), 40, "the service")
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


@test("the confined service runs the sample job as its user, and tells its state to root", seconds=100)
def _():
    schedule = machine.run(f"cat {SCHEDULE}").replace("# hello", "hello").replace("#   ", "  ")
    machine.write(SCHEDULE, schedule.replace("*/5 * * * *", "* * * * * *"))
    wait_for(lambda: "run succeeded job=hello" in journal(), 40, "a run")
    assert "hello from the schedule" in journal()
    assert "leader" in machine.run(f"kube-scheduler status {OPTIONS}")


@test("a job goes on while the service is restarted, and the next daemon knows it", seconds=100)
def _():
    machine.run("sed 's/echo, .*]/sleep, infinity]/' /etc/kube-scheduler/hello.yml >/etc/kube-scheduler/long.yml")
    machine.write(SCHEDULE, "settings: {cron_dialect: standard}\nlong: {cron: '* * * * * *', template: long.yml}\n")
    wait_for(lambda: "run started job=long" in journal(), 40, "a run")
    job, before = machine.run("pgrep -u kube-scheduler -x sleep"), process()
    machine.run("systemctl restart kube-scheduler")
    assert process() != before
    active = f"kube-scheduler jobs long {OPTIONS} --format json"
    wait_for(lambda: '"active":1' in machine.run(active, code=None).replace(" ", ""), 40, "the run in the next daemon")
    assert machine.run("pgrep -u kube-scheduler -x sleep") == job


@test("an upgrade restarts it with a good schedule, and not with a mistake in it", seconds=100)
def _():
    before, good = process(), machine.run(f"cat {SCHEDULE}")
    machine.write(SCHEDULE, "hello: {cron: never, template: hello.yml}\n")
    said = install()
    assert "schedule.yml:1:" in said and "not started" in said and process() == before, said
    machine.write(SCHEDULE, good)
    install()
    assert process() not in (before, "0")


@test("removed it is stopped and keeps what was written; purged nothing of it is left", seconds=100)
def _():
    machine.run("dpkg --no-triggers --remove kube-scheduler")
    assert process() == "0"
    assert "state.sqlite" in machine.run("ls /var/lib/kube-scheduler")
    machine.run("ls /etc/kube-scheduler/schedule.yml")
    machine.run("rm /etc/kube-scheduler/long.yml")  # ours, not the package's
    machine.run("dpkg --no-triggers --purge kube-scheduler")
    left = machine.run("ls -d /etc/kube-scheduler /etc/default/kube-scheduler /var/lib/kube-scheduler "
                       "/etc/systemd/system/*/kube-scheduler.service /usr/bin/kube-scheduler 2>/dev/null", code=None)
    assert left == "", left


main_unless(sanitized() or (os.geteuid() and "it takes root to install a package"), "the Debian package")
