"""The Kubernetes API of the fake server: paths to resources, verbs, lists, watches, reviews."""

import asyncio
import base64
import itertools
import json
import re

import fake_logs
import fake_schema
import fake_selectors
from fake_http import Answer
from fake_schema import ApiError, Resource, bad_request, decode, json_answer
from fake_store import merge, strategic_merge

OBJECT_PATH = re.compile(r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>v[^/]+)"
                         r"(?:/namespaces/(?P<namespace>[^/]+))?/(?P<plural>[a-z]+)"
                         r"(?:/(?P<name>[^/]+)(?:/(?P<sub>status|log))?)?/?")
NAMESPACE_PATH = re.compile(r"/api/v1/namespaces(?:/(?P<name>[^/]+)(?:/(?P<sub>status))?)?/?")
VERSION = {"major": "1", "minor": "20", "gitVersion": "v1.20.2-fake", "platform": "linux/amd64"}
PATCH_TYPES = ("application/merge-patch+json", "application/strategic-merge-patch+json")


class Target:
    """What a path names."""

    def __init__(self, resource, namespace, name, sub):
        self.resource, self.namespace = resource, namespace or ""
        self.name, self.sub = name, sub

    @staticmethod
    def parse(path):
        match = NAMESPACE_PATH.fullmatch(path)
        if match:
            return Target(fake_schema.BY_NAME["namespaces"], "", match["name"], match["sub"])
        match = OBJECT_PATH.fullmatch(path)
        resource = match and fake_schema.BY_NAME.get(match["plural"])
        if not resource or (resource.group, resource.version) != (match["group"] or "", match["version"]):
            raise ApiError(404, "NotFound", "the server could not find the requested resource")
        return Target(resource, match["namespace"], match["name"], match["sub"])


class Api:
    """handle(request) gives an Answer, or a coroutine function (exchange) that streams one."""

    def __init__(self, store, logs):
        self.store, self.logs = store, logs
        self.tokens = []  # those accepted; none: everybody is let in
        self.clear()

    def clear(self):
        self.denied = []  # {verb, resource, namespace}: each may be left out
        self.pages = {}  # continue token: the rest of a list, as it was at its first page
        self.page_ids = itertools.count(1)
        self.bookmark_seconds = 60.0
        self.expired_as = "event"  # or "http": how a watch from a forgotten version is told so
        self.nudge = asyncio.Event()  # wakes the watches for a bookmark

    def handle(self, request):
        try:
            return self._handle(request)
        except ApiError as error:
            return error.answer()

    def _handle(self, request):
        self._authenticate(request)
        if request.path == "/version":
            return json_answer(200, VERSION)
        if request.path in ("/readyz", "/livez", "/healthz"):
            return Answer(200, b"ok", {"content-type": "text/plain"})
        if request.path.startswith(("/apis/authorization.k8s.io/v1/", "/apis/authentication.k8s.io/v1/")):
            return self._review(request)
        target = Target.parse(request.path)
        verb = self._verb(request, target)
        if self._is_denied(verb, target.resource.plural, target.namespace):
            raise _forbidden(verb, target)
        return getattr(self, "_" + verb)(request, target)

    # who may what

    def _authenticate(self, request):
        given = request.headers.get("authorization", "")
        if not self.tokens or request.connection.certificate():
            return
        if given.removeprefix("Bearer ") not in self.tokens:
            raise ApiError(401, "Unauthorized", "Unauthorized")

    def _is_denied(self, verb, plural, namespace):
        asked = {"verb": verb, "resource": plural, "namespace": namespace}
        return any(all(asked[key] == value for key, value in rule.items()) for rule in self.denied)

    def _review(self, request):
        review = decode(request)
        spec = review.get("spec", {})
        if review.get("kind") == "TokenReview":
            known = spec.get("token") in self.tokens
            user = {"username": "test-user", "uid": "1", "groups": ["system:authenticated"]}
            audiences = [each for each in spec.get("audiences", []) if each == "kube-scheduler"]
            known = known and (audiences or "audiences" not in spec)
            status = {"authenticated": True, "user": user, "audiences": audiences} if known else {"authenticated": False}
        else:
            asked = spec.get("resourceAttributes") or {"resource": spec["nonResourceAttributes"]["path"]}
            asked["resource"] = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
            denied = self._is_denied(asked.get("verb"), asked.get("resource"), asked.get("namespace", ""))
            status = {"allowed": not denied}
        return json_answer(201, {**review, "status": status})

    def _verb(self, request, target):
        if target.sub == "log":
            return "log"
        many = not target.name
        watch = request.query.get("watch") in ("true", "1")
        verbs = {"GET": "watch" if many and watch else "list" if many else "get", "POST": many and "create",
                 "PUT": not many and "update", "PATCH": not many and "patch",
                 "DELETE": "deletecollection" if many else "delete"}
        verb = verbs.get(request.method)
        if not verb:
            raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        return verb

    # verbs

    def _get(self, request, target):
        return json_answer(200, self.store.get(target.resource, target.namespace, target.name))

    def _create(self, request, target):
        dry_run = request.query.get("dryRun") == "All"
        obj = self.store.create(target.resource, target.namespace, decode(request), dry_run)
        return json_answer(201, obj)

    def _update(self, request, target):
        new, place = decode(request), (target.resource, target.namespace, target.name)
        if target.resource.put_creates and self.store.find(*place) is None:
            return json_answer(201, self.store.put_new(*place, new))
        return json_answer(200, self.store.update(*place, lambda old: new, target.sub == "status"))

    def _patch(self, request, target):
        kind = request.headers.get("content-type", "").split(";")[0]
        if kind not in PATCH_TYPES:
            raise ApiError(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted "
                           f"media types include: {', '.join(PATCH_TYPES)}")
        patch, change = decode(request), strategic_merge if "strategic" in kind else merge
        return json_answer(200, self.store.update(target.resource, target.namespace, target.name,
                                                  lambda old: change(old, patch), target.sub == "status"))

    def _delete(self, request, target):
        options = _delete_options(request)
        last, gone = self.store.delete(target.resource, target.namespace, target.name, options)
        if target.resource.plural == "pods" or not gone:
            return json_answer(200, last)
        details = {**fake_schema.about(target.resource, target.name), "uid": last["metadata"]["uid"]}
        return json_answer(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
                                 "details": details})

    def _deletecollection(self, request, target):
        chosen, options = self._select(request, target), _delete_options(request)
        for obj in chosen:
            self.store.delete(target.resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"], options)
        return json_answer(200, self._list_object(target.resource, chosen))

    def _log(self, request, target):
        def find():
            return self.store.find(target.resource, target.namespace, target.name)
        self.store.get(target.resource, target.namespace, target.name)
        reader = fake_logs.LogReader(self.logs, find, request.query)
        return reader.stream if reader.follow else reader.answer()

    # lists

    def _select(self, request, target):
        matches = _selector(target.resource, request.query)
        return [obj for obj in self.store.list(target.resource, target.namespace) if matches(obj)]

    def _list(self, request, target):
        query = request.query
        if _version(query) > self.store.version:
            raise fake_schema.too_large_version(query["resourceVersion"], self.store.version)
        if query.get("continue"):
            version, items = self._next_page(query["continue"])
        else:
            version, items = self.store.version, self._select(request, target)
        limit = int(query.get("limit") or 0) or len(items)
        return json_answer(200, self._list_object(target.resource, items[:limit], version, items[limit:]))

    def _next_page(self, token):
        if token not in self.pages:
            raise ApiError(410, "Expired", "The provided continue parameter is too old to display a consistent list "
                           "result. You can start a new list without the continue parameter.")
        return self.pages[token]

    def _list_object(self, resource, items, version=None, rest=()):
        meta = {"resourceVersion": str(version or self.store.version)}
        if rest:
            token = base64.urlsafe_b64encode(b"page-%d" % next(self.page_ids)).decode()
            self.pages[token] = (version, rest)
            meta.update({"continue": token, "remainingItemCount": len(rest)})
        bare = [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")} for obj in items]
        return {"kind": resource.kind + "List", "apiVersion": resource.api_version, "metadata": meta, "items": bare}

    # watches

    def _watch(self, request, target):
        watch = Watch(self, target, request.query)
        try:
            self.store.check_version(watch.version)
        except ApiError as error:
            if self.expired_as == "http":
                raise
            return _watch_of_one_error(event_line("ERROR", error.status()))
        return watch.stream


def _watch_of_one_error(line):
    async def stream(exchange):
        exchange.stream.start(200, {})
        await exchange.stream.write(line)
        exchange.stream.end()
    return stream


def event_line(kind, obj):
    return json.dumps({"type": kind, "object": obj}, separators=(",", ":")).encode() + b"\n"


class Watch:
    """One watch: reads the store's history from its version on."""

    def __init__(self, api, target, query):
        self.api, self.store = api, api.store
        self.resource, self.namespace = target.resource, target.namespace
        self.matches = _selector(self.resource, query)
        self.bookmarks = query.get("allowWatchBookmarks") == "true"
        self.seconds = float(query.get("timeoutSeconds") or 1800)
        self.version = _version(query)
        self.initial = []
        if self.version == 0:
            self.initial = [obj for obj in self.store.list(self.resource, self.namespace) if self.matches(obj)]
            self.version = self.store.version

    async def stream(self, exchange):
        exchange.stream.start(200, {})
        for obj in self.initial:
            await exchange.send(event_line("ADDED", obj))
        loop = asyncio.get_running_loop()
        end, bookmark_at = loop.time() + self.seconds, loop.time() + self.api.bookmark_seconds
        while loop.time() < end:
            changed, nudge = self.store.changed, self.api.nudge
            await self._send_changes(exchange)
            until = min(end, bookmark_at) if self.bookmarks else end
            if await _first(changed, nudge, until - loop.time()) is not changed and self.bookmarks:
                await self._send_bookmark(exchange)
                bookmark_at = loop.time() + self.api.bookmark_seconds
        exchange.stream.end()

    async def _send_changes(self, exchange):
        for change in self.store.since(self.version):
            self.version = change.version
            kind = self._seen_as(change)
            if kind:
                await exchange.send(event_line(kind, change.object))

    def _seen_as(self, change):
        """The event for a change, given that a selector can hide the object before or after it."""
        if change.resource is not self.resource:
            return None
        if self.namespace not in ("", change.object["metadata"].get("namespace", "")):
            return None
        before = change.previous is not None and self.matches(change.previous)
        after = change.type != "DELETED" and self.matches(change.object)
        if before and after:
            return "MODIFIED"
        return "ADDED" if after else "DELETED" if before else None

    async def _send_bookmark(self, exchange):
        await self._send_changes(exchange)
        meta = {"resourceVersion": str(self.store.version), "creationTimestamp": None}
        await exchange.send(event_line("BOOKMARK", {"kind": self.resource.kind, "metadata": meta,
                                                    "apiVersion": self.resource.api_version}))


async def _first(changed, nudge, seconds):
    """Waits until one of two events is set, or for so many seconds. Returns that event or None."""
    waits = {asyncio.ensure_future(event.wait()): event for event in (changed, nudge)}
    try:
        done, _ = await asyncio.wait(waits, timeout=max(seconds, 0), return_when=asyncio.FIRST_COMPLETED)
        return next((event for wait, event in waits.items() if wait in done), None)
    finally:
        for wait in waits:
            wait.cancel()


def _selector(resource, query):
    by_label = fake_selectors.labels(query.get("labelSelector", ""))
    by_field = fake_selectors.fields(query.get("fieldSelector", ""), resource.fields)
    return lambda obj: by_label(obj) and by_field(obj)


def _version(query):
    try:
        return int(query.get("resourceVersion") or 0)
    except ValueError as error:
        text = query["resourceVersion"]
        raise fake_schema.internal(f'resourceVersion: Invalid value: "{text}": invalid syntax') from error


def _delete_options(request):
    options = decode(request) if request.body else {}
    if "propagationPolicy" in request.query:
        options["propagationPolicy"] = request.query["propagationPolicy"]
    if "gracePeriodSeconds" in request.query:
        options["gracePeriodSeconds"] = int(request.query["gracePeriodSeconds"])
    policy = options.get("propagationPolicy", "Background")
    if policy not in ("Foreground", "Background", "Orphan"):
        raise ApiError(422, "Invalid", 'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: '
                       f'"{policy}": supported values: "Foreground", "Background", "Orphan", "nil"')
    return options


def _forbidden(verb, target):
    resource: Resource = target.resource
    scope = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    message = (f'{fake_schema.qualified(resource)} is forbidden: User "test-user" cannot {verb} resource '
               f'"{resource.plural}" in API group "{resource.group}" {scope}')
    return ApiError(403, "Forbidden", message, fake_schema.about(resource, target.name or ""))
