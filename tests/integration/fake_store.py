"""The fake API server's objects: one growing resource version, a history to watch, optimistic locking.

Objects in the store are never changed in place, so a reference to one is a snapshot.
"""

import asyncio
import bisect
import copy
import datetime
import random
import uuid
from typing import NamedTuple, Optional

import fake_schema
from fake_schema import BY_NAME, RESOURCES, Resource, already_exists, conflict, expired, invalid, not_found

FIRST_VERSION = 1000
HISTORY_LIMIT = 100_000
SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # of a generated name, as Kubernetes does


class Change(NamedTuple):
    version: int
    type: str  # ADDED, MODIFIED or DELETED
    resource: Resource
    object: dict
    previous: Optional[dict]
    at: float
    options: dict  # of a deletion


def timestamp(seconds):
    """RFC 3339, whole seconds, UTC."""
    return datetime.datetime.fromtimestamp(int(seconds), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def merge(target, patch):
    """RFC 7386: a JSON merge patch. Returns a new value."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def strategic_merge(target, patch):
    """The one part of a strategic merge patch that differs here: finalizers are a set, not a value."""
    patch = copy.deepcopy(patch)
    meta = patch.get("metadata") or {}
    old = (target.get("metadata") or {}).get("finalizers") or []
    removed = meta.pop("$deleteFromPrimitiveList/finalizers", [])
    added = [name for name in meta.get("finalizers", []) if name not in old]
    if removed or added:
        meta["finalizers"] = [name for name in old if name not in removed] + added or None
    return merge(target, patch)


def key_of(obj):
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class Store:
    def __init__(self, clock):
        self.clock = clock
        self.listeners = []  # called with each Change, in the middle of it: they may only take notes
        self.graceful = False  # whether a kubelet is there to end running Pods that are deleted
        self.clear()

    def clear(self):
        self.version = FIRST_VERSION
        self.compacted = 0  # changes up to this version are forgotten
        self.history = []
        self.objects = {resource.plural: {} for resource in RESOURCES}
        self.changed = asyncio.Event()
        for name in ("default", "kube-system"):
            self.create(BY_NAME["namespaces"], "", {"metadata": {"name": name}})

    # reading

    def find(self, resource, namespace, name):
        return self.objects[resource.plural].get((namespace, name))

    def get(self, resource, namespace, name):
        obj = self.find(resource, namespace, name)
        if obj is None:
            raise not_found(resource, name)
        return obj

    def list(self, resource, namespace=""):
        """All of a namespace, or of all when it is empty; sorted as the real server sorts."""
        found = self.objects[resource.plural]
        return [found[key] for key in sorted(found) if namespace in ("", key[0])]

    def check_version(self, version):
        """Raises Expired when changes after this version are forgotten."""
        if version < self.compacted:
            raise expired(version, self.compacted)

    def since(self, version):
        """The remembered changes after a version."""
        return self.history[bisect.bisect_right(self.history, version, key=lambda change: change.version):]

    def compact(self):
        """Forgets the history: every version that a client knows is too old now. Open watches go on."""
        self.version += 1
        self.history.clear()
        self.compacted = self.version

    # writing

    def create(self, resource, namespace, obj, dry_run=False):
        obj = copy.deepcopy(obj)
        meta = obj.setdefault("metadata", {})
        if meta.get("resourceVersion"):
            raise fake_schema.internal("resourceVersion should not be set on objects to be created")
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = meta["generateName"][:58] + "".join(random.choices(SUFFIX_LETTERS, k=5))
        fake_schema.check(resource, namespace, obj)
        if resource.namespaced:
            self._check_namespace(resource, namespace, meta["name"])
            meta["namespace"] = namespace
        if self.find(resource, namespace, meta["name"]):
            raise already_exists(resource, meta["name"])
        obj.update(apiVersion=resource.api_version, kind=resource.kind)
        meta.update(uid=str(uuid.uuid4()), creationTimestamp=timestamp(self.clock.now()))
        _default(resource, obj)
        return obj if dry_run else self._write("ADDED", resource, obj, None)

    def update(self, resource, namespace, name, change, status_only=False):
        """change: from the old object to the new one. A version in the new one must be the old one's."""
        old = self.get(resource, namespace, name)
        new = copy.deepcopy(change(old))
        meta, old_meta = new.setdefault("metadata", {}), old["metadata"]
        if meta.get("name", name) != name:
            raise fake_schema.bad_request("the name of the object does not match the name on the URL")
        if meta.get("uid", old_meta["uid"]) != old_meta["uid"]:
            raise conflict(resource, name, "Precondition failed: UID in precondition: "
                           f"{meta['uid']}, UID in object meta: {old_meta['uid']}")
        if not meta.get("resourceVersion") and resource.plural == "leases":
            raise invalid(resource, name, "metadata.resourceVersion",
                          "Invalid value: 0x0: must be specified for an update")
        if meta.get("resourceVersion") not in (None, "", old_meta["resourceVersion"]):
            raise conflict(resource, name)
        for field in ("uid", "creationTimestamp", "resourceVersion", "namespace", "deletionTimestamp",
                      "deletionGracePeriodSeconds"):
            if field in old_meta:
                meta[field] = old_meta[field]
        new.update(apiVersion=resource.api_version, kind=resource.kind)
        new = _respect_status(resource, old, new, status_only)
        fake_schema.check(resource, namespace, new)
        if new == old:
            return old
        _check_finalizers(resource, name, meta, old_meta)
        if meta.get("deletionTimestamp") and not meta.get("finalizers") and old_meta.get("finalizers") and \
                not meta.get("deletionGracePeriodSeconds"):
            return self._write("DELETED", resource, new, old)
        return self._write("MODIFIED", resource, new, old)

    def put_new(self, resource, namespace, name, obj):
        """A PUT of what is not there, of a resource where that creates it: only a uid in it can prevent that."""
        meta = obj.get("metadata", {})
        if meta.get("uid"):
            raise conflict(resource, name, f"Precondition failed: UID in precondition: {meta['uid']}, "
                           "UID in object meta: ")
        meta = {key: value for key, value in meta.items() if key != "resourceVersion"}
        return self.create(resource, namespace, {**obj, "metadata": {**meta, "name": name}})

    def patch_status(self, resource, namespace, name, patch):
        """What controllers do; nothing when the object is gone. Returns the object or None."""
        if self.find(resource, namespace, name) is None:
            return None
        return self.update(resource, namespace, name, lambda old: merge(old, {"status": patch}), status_only=True)

    def delete(self, resource, namespace, name, options=None, force=False):
        """Returns (the object's last state, whether it is gone already)."""
        options = options or {}
        old = self.get(resource, namespace, name)
        self._check_preconditions(resource, old, options.get("preconditions") or {})
        grace = options.get("gracePeriodSeconds")
        if grace is None:
            grace = old.get("spec", {}).get("terminationGracePeriodSeconds", 30)
        running = resource.plural == "pods" and old["spec"].get("nodeName") and \
            old["status"].get("phase") in ("Pending", "Running")
        grace = grace if self.graceful and running and not force else 0
        finalizers = list(old["metadata"].get("finalizers") or [])
        if options.get("propagationPolicy") == "Foreground" and resource.plural == "jobs" and self.graceful:
            finalizers.append("foregroundDeletion")  # the garbage collector removes it
        lingers = finalizers or grace > 0 or \
            (resource.plural == "namespaces" and "deletionTimestamp" not in old["metadata"])
        if lingers:
            return self._mark_deleted(resource, old, grace, finalizers, options), False
        return self._write("DELETED", resource, old, old, options), True

    def _mark_deleted(self, resource, old, grace, finalizers, options):
        if old["metadata"].get("deletionGracePeriodSeconds", grace + 1) <= grace:
            return old
        new = merge(old, {"metadata": {"deletionTimestamp": timestamp(self.clock.now() + grace),
                                       "deletionGracePeriodSeconds": grace, "finalizers": finalizers or None}})
        if resource.plural == "namespaces":
            new["status"] = {"phase": "Terminating"}
        return self._write("MODIFIED", resource, new, old, options)

    def _check_preconditions(self, resource, obj, preconditions):
        for field in ("uid", "resourceVersion"):
            wanted, have = preconditions.get(field), obj["metadata"][field]
            if wanted and wanted != have:
                raise conflict(resource, obj["metadata"]["name"], f"Precondition failed: {field} in precondition: "
                               f"{wanted}, {field} in object meta: {have}")

    def _check_namespace(self, resource, namespace, name):
        found = self.find(BY_NAME["namespaces"], "", namespace)
        if found is None:
            raise not_found(BY_NAME["namespaces"], namespace)
        if found["status"]["phase"] == "Terminating":
            raise fake_schema.terminating(resource, name, namespace)

    def _write(self, type, resource, obj, previous, options=None):
        self.version += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}
        if type == "DELETED":
            del self.objects[resource.plural][key_of(obj)]
        else:
            self.objects[resource.plural][key_of(obj)] = obj
        change = Change(self.version, type, resource, obj, previous, self.clock.now(), options or {})
        self.history.append(change)
        if len(self.history) > HISTORY_LIMIT:
            self.compacted = self.history[HISTORY_LIMIT // 2].version
            del self.history[:HISTORY_LIMIT // 2 + 1]
        self.changed.set()  # wakes the watches, which wait on the event of their turn
        self.changed = asyncio.Event()
        for listener in self.listeners:
            listener(change)
        return obj


def _check_finalizers(resource, name, meta, old_meta):
    added = set(meta.get("finalizers") or []) - set(old_meta.get("finalizers") or [])
    if "deletionTimestamp" in old_meta and added:
        raise invalid(resource, name, "metadata.finalizers", "Forbidden: no new finalizers can be added if the object "
                      f"is being deleted, found new finalizers {sorted(added)}")


def _default(resource, obj):
    """What the real server fills in that a client may rely on."""
    if resource.plural == "namespaces":
        obj["status"] = {"phase": "Active"}
    elif resource.plural == "pods":
        obj["status"] = {"phase": "Pending", "qosClass": "BestEffort"}
        obj["spec"].setdefault("restartPolicy", "Always")
        obj["spec"].setdefault("terminationGracePeriodSeconds", 30)
    elif resource.plural == "jobs":
        obj["status"] = {}
        uid, name = obj["metadata"]["uid"], obj["metadata"]["name"]
        spec = obj["spec"]
        for field, value in (("parallelism", 1), ("completions", 1), ("backoffLimit", 6)):
            spec.setdefault(field, value)
        spec.setdefault("selector", {"matchLabels": {"controller-uid": uid}})
        template_labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
        template_labels.update({"controller-uid": uid, "job-name": name})
        obj["metadata"].setdefault("labels", dict(template_labels))


def _respect_status(resource, old, new, status_only):
    """A write to the object leaves its status alone, a write to its status leaves all else alone."""
    if status_only:
        return {**old, "status": new.get("status", {})}
    if resource.plural in ("pods", "jobs", "namespaces"):
        return {**new, "status": old.get("status", {})}
    return new
