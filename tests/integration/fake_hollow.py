"""A hollow kubelet and a Job controller: Pods go through their phases without a container anywhere.

Annotations of a Pod override the settings; `.CONTAINER` after the name sets it for one container only:
  test/run-seconds, test/exit-code, test/log        as in Settings; run-seconds "inf" never ends
  test/start-seconds     time in Pending            test/terminate-seconds   time to end after a deletion
  test/reason            of the termination, such as OOMKilled
  test/waiting-reason    such as ImagePullBackOff: the Pod stays in Pending
  test/unschedulable     the Pod is never bound to a node, the text says why
"""

import asyncio

from fake_schema import BY_NAME, ApiError
from fake_store import key_of, strategic_merge, timestamp

PODS, JOBS = BY_NAME["pods"], BY_NAME["jobs"]
NODE = {"name": "node-1", "ip": "10.0.0.1"}
SETTINGS = {"enabled": False, "start_seconds": 0.02, "run_seconds": 0.2, "exit_code": 0, "terminate_seconds": 0.05,
            "log": ""}
FINISHED = ("Succeeded", "Failed")


class Hollow:
    def __init__(self, store, logs):
        self.store, self.logs = store, logs
        self.settings = dict(SETTINGS)
        self.lives = {}  # Pod uid: the task that moves it on
        self.jobs = JobController(store)
        store.listeners.append(self._on_change)

    def clear(self):
        self.configure({**SETTINGS})

    def configure(self, settings):
        """Changes settings; a first configure without `enabled` enables."""
        unknown = set(settings) - set(SETTINGS)
        if unknown:
            raise ValueError(f"unknown setting: {', '.join(sorted(unknown))}; there are: {', '.join(SETTINGS)}")
        self.settings.update({"enabled": True, **settings})
        self.store.graceful = self.jobs.enabled = self.settings["enabled"]
        if self.settings["enabled"]:
            for pod in self.store.list(PODS):
                self._start_life(pod)
            for job in self.store.list(JOBS):
                self.jobs.look_at(key_of(job))
        else:
            for life in self.lives.values():
                life.cancel()

    def _on_change(self, change):
        if change.resource is PODS:
            self.logs.wake()
        if not self.settings["enabled"]:
            return
        if change.resource is PODS:
            self._on_pod(change)
        if change.resource in (PODS, JOBS):
            self.jobs.on_change(change)

    def _on_pod(self, change):
        pod, uid = change.object, change.object["metadata"]["uid"]
        if change.type == "ADDED":
            self._start_life(pod)
        elif change.type == "DELETED":
            if uid in self.lives:
                self.lives[uid].cancel()
        elif "deletionTimestamp" in pod["metadata"] and "deletionTimestamp" not in change.previous["metadata"]:
            self._begin(uid, self._terminate(pod))

    def _start_life(self, pod):
        uid = pod["metadata"]["uid"]
        if pod["status"].get("phase") == "Pending" and uid not in self.lives:
            self._begin(uid, self._live(pod))

    def _begin(self, uid, coroutine):
        if uid in self.lives:
            self.lives[uid].cancel()
        task = self.lives[uid] = asyncio.get_running_loop().create_task(coroutine)
        task.add_done_callback(lambda done: self.lives.pop(uid, None) if self.lives.get(uid) is done else None)

    def _setting(self, pod, name, container=""):
        """An annotation for the container, one for the Pod, or the setting."""
        annotations = pod["metadata"].get("annotations") or {}
        key = "test/" + name.replace("_", "-")
        return annotations.get(f"{key}.{container}", annotations.get(key, self.settings.get(name)))

    # a Pod's life

    async def _live(self, pod):
        why_not = self._setting(pod, "unschedulable")
        if why_not:
            self._set(pod, {"conditions": [condition("PodScheduled", "False", self._now(), "Unschedulable", why_not)]})
            return
        self._bind(pod)
        await asyncio.sleep(float(self._setting(pod, "start_seconds")))
        waiting = self._setting(pod, "waiting_reason")
        if waiting:
            self._set_containers(pod, {"waiting": {"reason": waiting, "message": f"scripted {waiting}"}})
            return
        self._set_containers(pod, {"running": {"startedAt": timestamp(self._now())}})
        await asyncio.gather(*(self._run(pod, container["name"]) for container in pod["spec"]["containers"]))

    async def _run(self, pod, container):
        seconds = float(self._setting(pod, "run_seconds", container))
        started = self._now()
        lines = str(self._setting(pod, "log", container)).splitlines()
        if seconds == float("inf"):
            self.logs.append(pod, container, "\n".join(lines))
            await asyncio.Event().wait()
        for line in lines:
            self.logs.append(pod, container, line)
            await asyncio.sleep(seconds / len(lines))
        if not lines:
            await asyncio.sleep(seconds)
        code = int(self._setting(pod, "exit_code", container))
        reason = self._setting(pod, "reason", container)
        self.end(pod, container, code, started, reason)

    async def _terminate(self, pod):
        await asyncio.sleep(float(self._setting(pod, "terminate_seconds")))
        self.store.delete(PODS, *key_of(pod), force=True)

    def _now(self):
        return self.store.clock.now()

    def _bind(self, pod):
        self.store.update(PODS, *key_of(pod), lambda old: {**old, "spec": {**old["spec"], "nodeName": NODE["name"]}})
        self._set_containers(pod, {"waiting": {"reason": "ContainerCreating"}})

    def _set(self, pod, status):
        self.store.patch_status(PODS, *key_of(pod), status)

    def _set_containers(self, pod, state):
        statuses = [container_status(pod, container, state) for container in pod["spec"]["containers"]]
        self._set(pod, self._summary(statuses))

    def end(self, pod, container, code, started, reason=None):
        """One container's end; the Pod's too when it is the last one."""
        now = self.store.find(PODS, *key_of(pod))
        state = {"terminated": {"exitCode": code, "reason": reason or ("Error" if code else "Completed"),
                                "startedAt": timestamp(started), "finishedAt": timestamp(self._now()),
                                "containerID": f"fake://{pod['metadata']['uid']}/{container}"}}
        specs = {spec["name"]: spec for spec in pod["spec"]["containers"]}
        statuses = [container_status(pod, specs[container], state) if status["name"] == container else status
                    for status in now["status"]["containerStatuses"]]
        self._set(pod, self._summary(statuses))

    def _summary(self, statuses):
        """A Pod's status from its containers'."""
        states = [status["state"] for status in statuses]
        if all("terminated" in state for state in states):
            phase = "Failed" if any(state["terminated"]["exitCode"] for state in states) else "Succeeded"
        else:
            phase = "Pending" if any("waiting" in state for state in states) else "Running"
        now, ready = self._now(), "True" if phase == "Running" else "False"
        conditions = [condition("PodScheduled", "True", now), condition("Ready", ready, now)]
        return {"phase": phase, "hostIP": NODE["ip"], "podIP": "10.1.0.1", "startTime": timestamp(now),
                "conditions": conditions, "containerStatuses": statuses}

    def set_phase(self, namespace, name, phase, code=None, reason=None):
        """By hand: Running, Succeeded or Failed, with the status that a kubelet would write."""
        pod = self.store.get(PODS, namespace, name)
        if phase == "Running":
            self._bind(pod)
            self._set_containers(pod, {"running": {"startedAt": timestamp(self._now())}})
            return
        if phase not in FINISHED:
            raise ValueError(f"unknown phase {phase!r}: Running, Succeeded or Failed")
        if not pod["status"].get("containerStatuses"):
            self._set_containers(pod, {"waiting": {"reason": "ContainerCreating"}})
        code = code if code is not None else int(phase == "Failed")
        for container in pod["spec"]["containers"]:
            self.end(pod, container["name"], code, self._now(), reason)


def condition(kind, status, now, reason=None, message=None):
    result = {"type": kind, "status": status, "lastTransitionTime": timestamp(now)}
    return {**result, **({"reason": reason, "message": message} if reason else {})}


def container_status(pod, container, state):
    running = "running" in state
    return {"name": container["name"], "image": container["image"], "restartCount": 0, "ready": running,
            "started": running, "state": state, "lastState": {}, "imageID": f"fake://{container['image']}@sha256:0",
            "containerID": f"fake://{pod['metadata']['uid']}/{container['name']}"}


class JobController:
    """Makes a Job's Pod, another after a failure as backoffLimit allows (without back-off), and its conditions.
    Only Jobs of one completion; garbage collection of the Pods follows the propagation policy."""

    def __init__(self, store):
        self.store, self.enabled = store, False
        self.dirty = set()

    def on_change(self, change):
        if change.resource is JOBS:
            if change.type == "DELETED":
                self._collect(change)
            elif change.type == "ADDED" and "activeDeadlineSeconds" in change.object["spec"]:
                loop = asyncio.get_running_loop()
                loop.call_later(change.object["spec"]["activeDeadlineSeconds"], self._on_deadline, change.object)
            self.look_at(key_of(change.object))
        for owner in change.object["metadata"].get("ownerReferences", []):
            if owner["kind"] == "Job":
                self.look_at((change.object["metadata"]["namespace"], owner["name"]))

    def look_at(self, key):
        """Reconciles the Job soon, once for many changes."""
        if not self.dirty:
            asyncio.get_running_loop().call_soon(self._reconcile_dirty)
        self.dirty.add(key)

    def _reconcile_dirty(self):
        dirty, self.dirty = self.dirty, set()
        for key in dirty:
            job = self.store.find(JOBS, *key)
            if job and self.enabled and "foregroundDeletion" in job["metadata"].get("finalizers", []):
                self._collect_first(job)
            elif job and self.enabled and not is_finished(job) and "deletionTimestamp" not in job["metadata"]:
                self._reconcile(job)

    def _pods(self, job):
        return [pod for pod in self.store.list(PODS, job["metadata"]["namespace"])
                if any(owner["uid"] == job["metadata"]["uid"] for owner in pod["metadata"].get("ownerReferences", []))]

    def _reconcile(self, job):
        phases = [pod["status"].get("phase") for pod in self._pods(job)]
        failed, succeeded = phases.count("Failed"), phases.count("Succeeded")
        active = len(phases) - failed - succeeded
        if succeeded:
            self._finish(job, failed, succeeded, "Complete")
        elif failed > job["spec"]["backoffLimit"]:
            self._finish(job, failed, succeeded, "Failed", "BackoffLimitExceeded",
                         "Job has reached the specified backoff limit")
        elif active == 0:
            self._make_pod(job)
        else:
            self._set(job, failed, succeeded, active)

    def _set(self, job, failed, succeeded, active, **more):
        start = job["status"].get("startTime") or timestamp(self.store.clock.now())
        counts = {"failed": failed, "succeeded": succeeded, "active": active}
        status = {name: count or None for name, count in counts.items()}
        self.store.patch_status(JOBS, *key_of(job), {"startTime": start, **status, **more})

    def _finish(self, job, failed, succeeded, kind, reason=None, message=None):
        now = self.store.clock.now()
        more = {"conditions": [condition(kind, "True", now, reason, message)]}
        if kind == "Complete":
            more["completionTime"] = timestamp(now)
        self._set(job, failed, succeeded, 0, **more)
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, self._delete, job)

    def _on_deadline(self, job):
        now = self.store.find(JOBS, *key_of(job))
        if now is None or now["metadata"]["uid"] != job["metadata"]["uid"] or is_finished(now):
            return
        self._finish(now, 1, 0, "Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
        self._delete_pods(now)

    def _make_pod(self, job):
        template, meta = job["spec"]["template"], job["metadata"]
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": meta["name"], "uid": meta["uid"],
                 "controller": True, "blockOwnerDeletion": True}
        wanted = {key: value for key, value in template["metadata"].items() if key in ("labels", "annotations")}
        pod = {"spec": template["spec"],
               "metadata": {**wanted, "ownerReferences": [owner], "generateName": meta["name"] + "-"}}
        try:
            self.store.create(PODS, meta["namespace"], pod)
        except ApiError as error:
            if error.code not in (403, 404):  # unless the namespace is going away
                raise

    def _collect(self, change):
        # Jobs orphan their Pods unless told otherwise: batch/v1's default
        policy = change.options.get("propagationPolicy", "Orphan")
        if policy != "Orphan":
            self._delete_pods(change.object)

    def _collect_first(self, job):
        """Foreground: the Job goes when its Pods have gone."""
        self._delete_pods(job)
        if not self._pods(job):
            patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["foregroundDeletion"]}}
            self.store.update(JOBS, *key_of(job), lambda old: strategic_merge(old, patch))

    def _delete_pods(self, job):
        for pod in self._pods(job):
            self.store.delete(PODS, *key_of(pod))

    def _delete(self, job):
        now = self.store.find(JOBS, *key_of(job))
        if now and now["metadata"]["uid"] == job["metadata"]["uid"]:
            self.store.delete(JOBS, *key_of(job), {"propagationPolicy": "Background"})


def is_finished(job):
    return any(entry["type"] in ("Complete", "Failed") and entry["status"] == "True"
               for entry in job["status"].get("conditions", []))
