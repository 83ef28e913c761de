"""A container engine of a test's own: Debian's podman, as root, with an image made of busybox and no registry."""

import os
import subprocess

from harness import Process, on_cleanup, temporary_folder, wait_for

IMAGE = "localhost/box:1"
APPLETS = ["sh", "echo", "sleep", "cat", "id", "tail"]
SETTINGS = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "host"
[engine]
events_logger = "file"
cgroup_manager = "cgroupfs"
"""


class Engine:
    def __init__(self):
        self.folder = temporary_folder()
        self.socket = os.path.join(self.folder, "engine.sock")
        settings = os.path.join(self.folder, "containers.conf")
        with open(settings, "w") as file:
            file.write(SETTINGS)
        self.environment = {**os.environ, "CONTAINERS_CONF": settings}
        self.command = ["podman", "--root", self.folder + "/root", "--runroot", self.folder + "/runroot",
                        "--tmpdir", self.folder + "/tmp", "--storage-driver", "vfs", "--runtime", "runc"]
        on_cleanup(lambda show_logs: self.podman("rm", "--all", "--force", "--time", "0"))
        self._import_image()
        self.start()

    def podman(self, *arguments, **options):
        return subprocess.run([*self.command, *arguments], check=True, capture_output=True, timeout=60,
                              env=self.environment, **options).stdout.decode()

    def _import_image(self):
        root = os.path.join(self.folder, "image")
        os.makedirs(root + "/bin")
        subprocess.run(["cp", "/usr/bin/busybox", root + "/bin/busybox"], check=True)
        for name in APPLETS:
            os.symlink("busybox", f"{root}/bin/{name}")
        archive = subprocess.run(["tar", "-C", root, "-c", "."], check=True, capture_output=True).stdout
        self.podman("import", "-", IMAGE, input=archive)

    def start(self):
        command = [*self.command, "system", "service", "--time=0", "unix://" + self.socket]
        self.service = Process(command, self.folder, "podman", self.environment)
        wait_for(lambda: os.path.exists(self.socket), 30, "the engine's socket")

    def stop(self):
        """The service goes, its containers run on."""
        self.service.kill()
        self.service.wait()
        os.unlink(self.socket)

    def names(self):
        return self.podman("ps", "--all", "--format", "{{.Names}}").split()
