#!/usr/bin/python3
"""Runs as containers of an engine on this machine: Debian's podman."""

import json
import os
import re

from docker_engine import IMAGE, Engine
from harness import Daemon, main, run_binary, temporary_folder, test, wait_for


def pod(script, more="", image=IMAGE, spec=""):
    return f"""
apiVersion: v1
kind: Pod
spec:
{spec}
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: {image}
    command: [/bin/sh, -c, {json.dumps(script)}]
{more}
"""


JOB = '%s: {cron: "0 0 1 1 *", template: pod.yml}\n'


def daemon_on(engine, template, executor="docker", schedule=JOB % "task", folder=None):
    files = {"schedule.yml": schedule, "pod.yml": template}
    daemon = Daemon(["run", "--executor", executor], files, {"DOCKER_HOST": "unix://" + engine.socket}, folder=folder)
    daemon.wait_log(" ready ", 60)
    return daemon


def command(daemon, *arguments, seconds=90):
    return run_binary([*arguments], seconds, cwd=daemon.folder)


def trigger(daemon, *arguments):
    done = command(daemon, "trigger", "task", "--executor", "docker", *arguments)
    assert arguments or done.returncode == 0, done.stderr
    return done


def newest(daemon):
    done = command(daemon, "history", "--format", "json")
    assert done.returncode == 0, done.stderr
    return max(json.loads(done.stdout), key=lambda run: run["id"])


def lines(daemon):
    return re.findall(r"output +task/main: (.*)", daemon.log())


@test("a run is a container with the template's command, user, variables, volumes and limits", seconds=120)
def _():
    engine = Engine()
    os.mkdir(os.path.join(engine.folder, "given"))
    with open(os.path.join(engine.folder, "given", "text"), "w") as file:
        file.write("from the host\n")
    more = f"""
    args: [zero, "$(GREETING)"]
    env: [{{name: GREETING, value: hello}}]
    workingDir: /scratch
    imagePullPolicy: Never
    securityContext: {{runAsUser: 7, runAsGroup: 8, readOnlyRootFilesystem: true, capabilities: {{drop: [ALL]}}}}
    resources: {{limits: {{memory: 64Mi, cpu: 500m}}}}
    volumeMounts: [{{name: scratch, mountPath: /scratch}}, {{name: given, mountPath: /given, readOnly: true}}]
"""
    spec = f"  volumes: [{{name: scratch, emptyDir: {{}}}}, {{name: given, hostPath: {{path: {engine.folder}/given}}}}]"
    script = ('echo $1 $KUBE_SCHEDULER_JOB; id -u; id -g; pwd; cat /given/text; echo no > /file || echo read-only; exit 3')
    daemon = daemon_on(engine, pod(script, more, spec=spec))
    assert trigger(daemon, "--wait").returncode == 1
    run = newest(daemon)
    assert (run["outcome"], run["exit_code"], run["reason"]) == ("failed", 3, "Error"), run
    said = [line for line in lines(daemon) if "/file" not in line]
    assert said == ["hello task", "7", "8", "/scratch", "from the host", "read-only"], said
    logged = command(daemon, "logs", "task").stdout.splitlines()
    assert [line for line in logged if "/file" not in line] == said, logged
    assert engine.names() == [run["run"]], engine.names()
    [container] = json.loads(engine.podman("inspect", run["run"]))
    assert container["HostConfig"]["Memory"] == 64 << 20, container["HostConfig"]
    assert container["HostConfig"]["NanoCpus"] == 500_000_000, container["HostConfig"]
    labels = container["Config"]["Labels"]
    assert labels["app.kubernetes.io/managed-by"] == "kube-scheduler", labels
    assert labels["kube-scheduler/job-name"] == "task" and labels["kube-scheduler/trigger"] == "manual", labels


@test("an image that is not there, and a command that is not, end as start_failed", seconds=120)
def _():
    engine = Engine()
    daemon = daemon_on(engine, pod("echo", "    imagePullPolicy: Never", image="localhost/none:1"))
    trigger(daemon, "--wait")
    run = newest(daemon)
    assert (run["outcome"], run["reason"]) == ("start_failed", "ErrImageNeverPull"), run
    daemon.stop()
    daemon = daemon_on(engine, pod("echo", image="localhost:1/none:1"))
    trigger(daemon, "--wait")
    run = newest(daemon)
    assert (run["outcome"], run["reason"]) == ("start_failed", "ErrImagePull"), run
    daemon.stop()
    daemon = daemon_on(engine, pod("echo").replace("/bin/sh", "/bin/none"))
    trigger(daemon, "--wait")
    run = newest(daemon)
    assert (run["outcome"], run["reason"]) == ("start_failed", "StartError"), run


@test("a container that somebody else made keeps its name, and the run is start_failed", seconds=120)
def _():
    engine = Engine()
    daemon = daemon_on(engine, pod("echo one"))
    trigger(daemon, "--wait", "--id", "first")
    name = newest(daemon)["run"].replace("mfirst", "msecond")
    assert name.endswith("msecond"), name
    engine.podman("create", "--name", name, IMAGE, "/bin/echo")
    trigger(daemon, "--wait", "--id", "second")
    daemon.wait_log("run failed to start|NameTaken", 30)
    assert lines(daemon) == ["one"], lines(daemon)


@test("a container past its deadline is stopped: timeout", seconds=120)
def _():
    daemon = daemon_on(Engine(), pod("sleep 600", spec="  activeDeadlineSeconds: 2"))
    trigger(daemon, "--wait")
    run = newest(daemon)
    assert (run["outcome"], run["reason"]) == ("timeout", "DeadlineExceeded"), run


# Podman sees the cause only where its monitor may read the cgroup's events.
@test("one that takes more memory than its limit is killed, and the reason says so", seconds=120)
def _():
    daemon = daemon_on(Engine(), pod("tail /dev/zero", "    resources: {limits: {memory: 8Mi}}"))
    trigger(daemon, "--wait")
    run = newest(daemon)
    assert run["outcome"] == "failed" and run["reason"] in ("OOMKilled", "Killed"), run


@test("a daemon that was killed adopts its container: no line is lost or told twice, and it runs once", seconds=120)
def _():
    engine = Engine()
    given = os.path.join(engine.folder, "given")
    os.mkdir(given)
    more = "    volumeMounts: [{name: given, mountPath: /given}]"
    spec = f"  volumes: [{{name: given, hostPath: {{path: {given}}}}}]"
    script = "echo one; while [ ! -e /given/go ]; do sleep 0.1; done; echo two"
    daemon = daemon_on(engine, pod(script, more, spec=spec))
    trigger(daemon)
    wait_for(lambda: lines(daemon), 60, "the first line")
    daemon.kill()
    daemon.wait()
    before = lines(daemon)
    open(os.path.join(given, "go"), "w").close()
    daemon = daemon_on(engine, pod(script, more, spec=spec), folder=daemon.folder)
    run = wait_for(lambda: newest(daemon) if "run succeeded" in daemon.log() else None, 60, "its end")
    assert run["outcome"] == "succeeded", run
    assert before + lines(daemon) == ["one", "two"], (before, lines(daemon))
    assert engine.names() == [run["run"]], engine.names()


@test("an engine that goes away and comes back costs a running container nothing", seconds=120)
def _():
    engine = Engine()
    given = os.path.join(engine.folder, "given")
    os.mkdir(given)
    more = "    volumeMounts: [{name: given, mountPath: /given}]"
    spec = f"  volumes: [{{name: given, hostPath: {{path: {given}}}}}]"
    script = "echo one; while [ ! -e /given/go ]; do sleep 0.1; done; echo two"
    daemon = daemon_on(engine, pod(script, more, spec=spec))
    trigger(daemon)
    wait_for(lambda: lines(daemon), 60, "the first line")
    engine.stop()
    open(os.path.join(given, "go"), "w").close()
    engine.start()
    daemon.wait_log("run succeeded", 60)
    assert lines(daemon) == ["one", "two"], lines(daemon)


@test("without an engine a start is held and tried again, and works once there is one", seconds=120)
def _():
    engine = Engine()
    daemon = daemon_on(engine, pod("echo one"))
    engine.stop()
    trigger(daemon)
    daemon.wait_log("does not answer", 30)
    engine.start()
    daemon.wait_log("run succeeded", 60)
    assert lines(daemon) == ["one"], lines(daemon)


@test("auto takes an engine that answers, and processes where none does; docker does not start without", seconds=120)
def _():
    engine = Engine()
    daemon = daemon_on(engine, pod("echo one"), executor="auto")
    assert "executor=docker" in daemon.log()
    daemon.stop()
    engine.stop()
    daemon = daemon_on(engine, pod("echo one"), executor="auto")
    assert "executor=local" in daemon.log()
    daemon.stop()
    done = run_binary(["run", "--executor", "docker"], cwd=daemon.folder,
                      environment={"DOCKER_HOST": "unix://" + engine.socket})
    assert done.returncode == 1 and "no container engine answers" in done.stderr + done.stdout, done


@test("a container is kept over a restart, told once, and removed after the retention", seconds=120)
def _():
    engine = Engine()
    schedule = ('settings: {retention: 20s}\n'
                'task: {cron: "0 0 1 1 *", template: pod.yml, history: {succeeded: 0}}\n')
    daemon = daemon_on(engine, pod("echo one"), schedule=schedule)
    trigger(daemon, "--wait", "--id", "first")
    name = newest(daemon)["run"]
    daemon.stop()
    assert engine.names() == [name]
    daemon = daemon_on(engine, pod("echo one"), schedule=schedule, folder=daemon.folder)
    wait_for(lambda: engine.names() == [], 60, "the container's end")
    assert lines(daemon) == [] and "run succeeded" not in daemon.log(), daemon.log()
    assert not os.path.exists(os.path.join(daemon.folder, "state", "runs", "default", name))


@test("one that an earlier daemon created and did not start is not started later", seconds=120)
def _():
    engine = Engine()
    daemon = daemon_on(engine, pod("echo one"))
    trigger(daemon, "--wait", "--id", "first")
    name = newest(daemon)["run"]
    daemon.kill()
    daemon.wait()
    [made] = json.loads(engine.podman("inspect", name))
    labels = [f"--label={key}={value}" for key, value in made["Config"]["Labels"].items()]
    later = name.replace("mfirst", "msecond")
    engine.podman("create", "--name", later, *labels, IMAGE, "/bin/echo", "two")
    daemon = daemon_on(engine, pod("echo one"), folder=daemon.folder)
    daemon.wait_log("Interrupted", 30)
    assert lines(daemon) == [], lines(daemon)
    assert json.loads(engine.podman("inspect", later))[0]["State"]["Status"] in ("created", "configured")


@test("check names what a container engine cannot do, at its place")
def _():
    folder = temporary_folder()
    template = """apiVersion: batch/v1
kind: Job
spec:
  completions: 2
  template:
    spec:
      nodeSelector: {disk: fast}
      volumes: [{name: settings, configMap: {name: settings}}]
      containers:
      - name: main
        image: box
        livenessProbe: {}
        env:
        - name: SECRET
          valueFrom: {secretKeyRef: {name: a, key: b}}
"""
    for name, text in {"schedule.yml": JOB % "task", "pod.yml": template}.items():
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    done = run_binary(["check", "--executor", "docker"], cwd=folder)
    assert done.returncode == 1, done
    places = re.findall(r"pod.yml:(\d+:\d+): error: .*'(\w+)'", done.stdout)
    assert places == [("4:16", "completions"), ("7:21", "nodeSelector"), ("8:45", "configMap"),
                      ("12:24", "livenessProbe"), ("15:22", "valueFrom")], done.stdout
    assert run_binary(["check"], cwd=folder).returncode == 0


main()
