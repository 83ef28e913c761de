"""The fake API server's resources: their names, what it refuses in them, and its Status errors.

It refuses what the real one refuses and what a scheduler can get wrong: names, labels, sizes, types of lists.
"""

import json
import re
from typing import NamedTuple

from fake_http import Answer

DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
BODY_LIMIT = 3 * 1024 * 1024  # bytes of a request; the real server's default
ANNOTATIONS_LIMIT = 256 * 1024  # bytes of all annotations of an object
DATA_LIMIT = 1024 * 1024  # bytes of a ConfigMap's or Secret's data


class Resource(NamedTuple):
    plural: str
    kind: str
    group: str  # "" is the core group
    version: str
    namespaced: bool = True
    fields: tuple = ()  # what a field selector may name beside metadata.name and metadata.namespace
    put_creates: bool = False  # a PUT of what is not there creates it, whatever its resourceVersion says

    @property
    def api_version(self):
        return f"{self.group}/{self.version}" if self.group else self.version


RESOURCES = [
    Resource("namespaces", "Namespace", "", "v1", namespaced=False),
    Resource("pods", "Pod", "", "v1", fields=("spec.nodeName", "spec.restartPolicy", "status.phase")),
    Resource("configmaps", "ConfigMap", "", "v1"),
    Resource("secrets", "Secret", "", "v1"),
    Resource("events", "Event", "", "v1", put_creates=True,
             fields=("involvedObject.kind", "involvedObject.name", "involvedObject.uid", "reason", "type")),
    Resource("jobs", "Job", "batch", "v1"),
    Resource("cronjobs", "CronJob", "batch", "v1"),
    Resource("leases", "Lease", "coordination.k8s.io", "v1", put_creates=True),
]
BY_NAME = {resource.plural: resource for resource in RESOURCES}


class ApiError(Exception):
    """A Kubernetes Status of failure."""

    def __init__(self, code, reason, message, details=None, headers=None):
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.headers = details, headers or {}

    def status(self):
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                  "message": self.message, "code": self.code}
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        return status

    def answer(self):
        return json_answer(self.code, self.status(), self.headers)


def json_answer(code, value, headers=None):
    return Answer(code, json.dumps(value, separators=(",", ":")).encode() + b"\n", headers)


def about(resource, name):
    details = {"name": name, "kind": resource.plural}
    return {**details, "group": resource.group} if resource.group else details


def qualified(resource):
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def not_found(resource, name):
    return ApiError(404, "NotFound", f'{qualified(resource)} "{name}" not found', about(resource, name))


def already_exists(resource, name):
    return ApiError(409, "AlreadyExists", f'{qualified(resource)} "{name}" already exists', about(resource, name))


def conflict(resource, name, why="the object has been modified; please apply your changes to the latest "
                                 "version and try again"):
    message = f'Operation cannot be fulfilled on {qualified(resource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, about(resource, name))


def invalid(resource, name, field, problem):
    details = {**about(resource, name), "kind": resource.kind,
               "causes": [{"reason": "FieldValueInvalid", "message": problem, "field": field}]}
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {field}: {problem}', details)


def internal(message):
    """Some mistakes of the client are a 500 without a reason, in the real server too."""
    return ApiError(500, "", message)


def too_large_version(wanted, current):
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiError(504, "Timeout", f"Timeout: Too large resource version: {wanted}, current: {current}",
                    {"causes": [cause], "retryAfterSeconds": 1})


def bad_request(message):
    return ApiError(400, "BadRequest", message)


def expired(version, oldest):
    return ApiError(410, "Expired", f"too old resource version: {version} ({oldest})")


def terminating(resource, name, namespace):
    message = (f'{qualified(resource)} "{name}" is forbidden: unable to create new content in namespace '
               f"{namespace} because it is being terminated")
    cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated",
             "field": "metadata.namespace"}
    return ApiError(403, "Forbidden", message, {**about(resource, name), "causes": [cause]})


def decode(request):
    """The JSON object in a request's body."""
    if len(request.body) > BODY_LIMIT:
        raise ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_LIMIT}")
    try:
        value = json.loads(request.body)
    except ValueError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(value, dict):
        raise bad_request("couldn't get version/kind; json parse error: not an object")
    return value


def check(resource, namespace, obj):
    """Raises ApiError when the real server would refuse the object."""
    if obj.get("kind", resource.kind) != resource.kind or \
            obj.get("apiVersion", resource.api_version) != resource.api_version:
        raise bad_request(f"{obj.get('kind')} in version \"{obj.get('apiVersion')}\" cannot be handled as a "
                          f"{resource.kind}: converting to {resource.api_version}")
    meta = obj.get("metadata", {})
    if resource.namespaced and meta.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    _check_meta(resource, meta)
    if resource.plural == "pods":
        _check_pod(resource, meta.get("name", ""), obj.get("spec"), "spec")
    elif resource.plural == "jobs":
        _check_job(resource, meta.get("name", ""), obj.get("spec"))
    elif resource.plural in ("configmaps", "secrets"):
        _check_data(resource, meta["name"], obj.get("data", {}))


def _check_meta(resource, meta):
    name = meta.get("name", "")
    if not name:
        raise invalid(resource, name, "metadata.name", "Required value: name or generateName is required")
    if not DNS_NAME.fullmatch(name) or len(name) > 253:
        raise invalid(resource, name, "metadata.name", f'Invalid value: "{name}": a DNS-1123 subdomain must consist '
                      "of lower case alphanumeric characters, '-' or '.'")
    for field in ("labels", "annotations"):
        _expect(meta, field, dict, f"ObjectMeta.{field}")
        for key, value in (meta.get(field) or {}).items():
            if not isinstance(value, str):
                raise unmarshal(value, f"ObjectMeta.{field}", "string")
            _check_key(resource, name, f"metadata.{field}", key)
    for value in (meta.get("labels") or {}).values():
        if value and not LABEL_NAME.fullmatch(value):
            raise invalid(resource, name, "metadata.labels", f'Invalid value: "{value}": a valid label must be an '
                          "empty string or at most 63 alphanumeric characters, '-', '_' or '.'")
    size = sum(len(key) + len(value) for key, value in (meta.get("annotations") or {}).items())
    if size > ANNOTATIONS_LIMIT:
        raise invalid(resource, name, "metadata.annotations",
                      f"Too long: must have at most {ANNOTATIONS_LIMIT} bytes")


def _check_key(resource, name, field, key):
    prefix, slash, last = key.rpartition("/")
    if (slash and not DNS_NAME.fullmatch(prefix)) or not LABEL_NAME.fullmatch(last):
        raise invalid(resource, name, field, f'Invalid value: "{key}": name part must consist of alphanumeric '
                      "characters, '-', '_' or '.'")


def _check_pod(resource, name, spec, field):
    _expect({"spec": spec}, "spec", dict, "Pod.spec")
    spec = spec or {}
    for key in ("containers", "initContainers", "volumes", "imagePullSecrets", "tolerations"):
        _expect(spec, key, list, f"PodSpec.spec.{key}")
    if not spec.get("containers"):
        raise invalid(resource, name, f"{field}.containers", "Required value")
    for index, container in enumerate(spec["containers"]):
        for key in ("command", "args", "env", "envFrom", "ports", "volumeMounts"):
            _expect(container, key, list, f"Container.spec.containers.{key}")
        for word in (container.get("command") or []) + (container.get("args") or []):
            if not isinstance(word, str):
                raise unmarshal(word, "Container.spec.containers.args", "string")
        for key in ("name", "image"):
            if not container.get(key):
                raise invalid(resource, name, f"{field}.containers[{index}].{key}", "Required value")


def _check_job(resource, name, spec):
    template = (spec or {}).get("template") or {}
    _check_pod(resource, name, template.get("spec"), "spec.template.spec")
    if len(name) > 63:
        raise invalid(resource, name, "spec.template.labels", "Invalid value: must be no more than 63 characters")
    policy = template["spec"].get("restartPolicy", "Always")
    if policy not in ("OnFailure", "Never"):
        raise invalid(resource, name, "spec.template.spec.restartPolicy",
                      f'Unsupported value: "{policy}": supported values: "OnFailure", "Never"')


def _check_data(resource, name, data):
    _expect({"data": data}, "data", dict, f"{resource.kind}.data")
    for value in (data or {}).values():
        if not isinstance(value, str):
            raise unmarshal(value, f"{resource.kind}.data", "string")
    if sum(len(value.encode()) for value in (data or {}).values()) > DATA_LIMIT:
        raise invalid(resource, name, "[]", f"Too long: must have at most {DATA_LIMIT} bytes")


def _expect(obj, key, kind, place):
    value = obj.get(key)
    if value is not None and not isinstance(value, kind):
        raise unmarshal(value, place, {list: "[]", dict: "map"}[kind])


def unmarshal(value, place, wanted):
    names = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return bad_request(f"json: cannot unmarshal {names.get(type(value), 'null')} into Go struct field {place} "
                       f"of type {wanted}")
