#!/usr/bin/python3
"""The Lua module kube, from a script of one's own, against the fake API server."""

import os

from harness import FakeApi, main, run_binary, temporary_folder, test

MAPS = "/api/v1/namespaces/default/configmaps"
PRELUDE = """
local kube, json, task = require "kube", require "json", require "task"
local client = assert(kube.connect())
local function map(name, more)
  local made = {apiVersion = "v1", kind = "ConfigMap", metadata = {name = name}, data = {a = "1", b = "2"}}
  return more and json.merge(made, more) or made
end
local function tell(object, problem)
  if object then print("ok", object.kind, object.metadata and object.metadata.name)
  else print(problem.status, problem.reason, problem.message ~= "") end
end
"""


def write_script(text):
    path = os.path.join(temporary_folder(), "script.lua")
    with open(path, "w") as file:
        file.write(text)
    return path


def run(api, script, *arguments, prelude=PRELUDE):
    """Runs a Lua script; gives what it printed, one list of values a line."""
    path = write_script(prelude + script)
    environment = {"KUBECONFIG": getattr(api, "kubeconfig", api), "no_proxy": "127.0.0.1"}
    done = run_binary([path, *arguments], environment=environment)
    assert done.returncode == 0, done.stderr
    run.errors = done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


@test("get and create: 404, 201, 409; the client's namespace is meant when none is named")
def _():
    api = FakeApi()
    out = run(api, """
        tell(client:get("ConfigMap", "default", "m"))
        tell(client:create(map("m")))
        tell(client:create(map("m")))
        tell(client:get("ConfigMap", nil, "m"))
        print(client:namespace(), client:server() == arg[1], client:skew())""", api.url)
    assert out == [["404", "NotFound", "true"], ["ok", "ConfigMap", "m"], ["409", "AlreadyExists", "true"],
                   ["ok", "ConfigMap", "m"], ["default", "true", "0"]], out


@test("each kind has its own path; others are refused")
def _():
    api = FakeApi()
    out = run(api, """
        for _, kind in ipairs{"Pod", "Job", "Lease", "ConfigMap", "Event", "Namespace"} do
          client:get(kind, "x/y", "n?")
        end
        print(pcall(client.get, client, "Secret", "default", "s"))
        print(pcall(client.get, client, "Pod", "default"))""")
    paths = [request["target"] for request in api.requests("GET")]
    assert paths == ["/api/v1/namespaces/x%2Fy/pods/n%3F", "/apis/batch/v1/namespaces/x%2Fy/jobs/n%3F",
                     "/apis/coordination.k8s.io/v1/namespaces/x%2Fy/leases/n%3F",
                     "/api/v1/namespaces/x%2Fy/configmaps/n%3F", "/api/v1/namespaces/x%2Fy/events/n%3F",
                     "/api/v1/namespaces/n%3F"], paths
    assert "kind Secret is not known" in out[0][1] and "name is missing" in out[1][1], out


@test("replace is refused for an old version, and goes by the object's own path")
def _():
    api = FakeApi()
    out = run(api, """
        local old = client:create(map("m"))
        old.data.a = "3"
        tell(client:replace(old, {lane = "lease", timeout = 5}))
        old.data.a = "4"
        tell(client:replace(old))
        print(client:get("ConfigMap", nil, "m").data.a)""")
    assert out == [["ok", "ConfigMap", "m"], ["409", "Conflict", "true"], ["3"]], out


@test("patch merges; json.null removes")
def _():
    api = FakeApi()
    run(api, """
        client:create(map("m"))
        assert(client:patch("ConfigMap", "default", "m", {data = {a = json.null, c = "3"}}))""")
    assert api.objects("configmaps")[0]["data"] == {"b": "2", "c": "3"}
    assert api.requests("PATCH")[0]["headers"]["content-type"] == "application/merge-patch+json"


@test("what was got is put back as it was: empty lists and objects, numbers")
def _():
    api = FakeApi()
    spec = {"containers": [{"name": "c", "image": "i", "args": [], "resources": {}}], "nodeSelector": {},
            "tolerations": [], "activeDeadlineSeconds": 9007199254740993}
    made = api.create("/api/v1/namespaces/default/pods", {"metadata": {"name": "p"}, "spec": spec})
    run(api, 'assert(client:replace(client:get("Pod", nil, "p")))')
    kept = api.objects("pods")[0]["spec"]
    assert kept == made["spec"], kept


@test("delete says how dependents go")
def _():
    api = FakeApi()
    out = run(api, """
        client:create(map("m"))
        tell(client:delete("ConfigMap", nil, "m", {propagation = "Foreground"}))
        tell(client:delete("ConfigMap", nil, "m"))""")
    assert [line[0] for line in out] == ["ok", "404"], out
    assert api.history("configmaps", "DELETED")[0]["options"]["propagationPolicy"] == "Foreground"


@test("list: by label, of one namespace or all, and all pages")
def _():
    api = FakeApi()
    for i in range(501):
        label = "odd" if i % 2 else "even"
        api.create(MAPS, {"metadata": {"name": f"m{i:03}", "labels": {"n": label}}})
    other = MAPS.replace("default", "other")
    api.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
    api.create(other, {"metadata": {"name": "x", "labels": {"n": "odd"}}})
    out = run(api, """
        local function count(...)
          local items = assert(client:list("ConfigMap", ...))
          print(#items, items[1] and items[1].kind, items[1] and items[1].apiVersion)
        end
        count("default")
        count(nil)
        count("default", {selector = "n=odd"})
        count(nil, {selector = "n in (odd,none)"})
        count("empty")""")
    assert out == [["501", "ConfigMap", "v1"], ["502", "ConfigMap", "v1"], ["250", "ConfigMap", "v1"],
                   ["251", "ConfigMap", "v1"], ["0", "nil", "nil"]], out


@test("list: when the rest is too old to be read on, everything is read at once")
def _():
    api = FakeApi()
    for i in range(501):
        api.create(MAPS, {"metadata": {"name": f"m{i:03}"}})
    api.fault("answer", path="continue=", status=410)
    out = run(api, 'print(#assert(client:list("ConfigMap", "default")))')
    assert out == [["501"]], out
    assert [request["target"].partition("?")[2] for request in api.requests("GET")][::2] == \
        ["limit=500", "limit=0"], api.requests("GET")


@test("request: any answer is a table, as text; the caller's mistakes are errors")
def _():
    api = FakeApi()
    out = run(api, """
        local r = client:request("GET", "/version")
        print(r.status, r.body:match("gitVersion"), r.reason, r.message)
        r = client:request("GET", "/nowhere", {lane = "lease", timeout = 2})
        print(r.status, r.reason)
        print(pcall(client.request, client, "GET", "nowhere"))
        print(pcall(client.request, client, "GET", "/", {lane = "watch"}))
        print(pcall(client.request, client, "GET", "/", {timeout = 0}))
        print(pcall(client.request, client, "FETCH", "/"))""")
    assert out[0] == ["200", "gitVersion", "", ""] and out[1] == ["404", "NotFound"], out
    assert all(line[0] == "false" for line in out[2:]) and len(out) == 6, out


@test("no answer: status 0 and why; a timeout too; an answer that is no JSON")
def _():
    api = FakeApi()
    api.fault("stall", path="/version")
    api.fault("answer", path="/configmaps/m", status=200, body="<html>")
    out = run(api, """
        print(client:request("GET", "/version", {timeout = 0.2}).status)
        tell(client:get("ConfigMap", nil, "m"))""")
    assert out == [["0"], ["0", "", "true"]], out
    with open(api.kubeconfig) as file:
        text = file.read().replace(f":{api.port}", ":1")
    path = write_script(text)
    out = run(path, 'tell(client:get("Pod", nil, "p"))')
    assert out == [["0", "", "true"]], out


@test("connect: no cluster is \"notfound\", a wrong one \"failed\"; an unchecked certificate is warned of")
def _():
    home = temporary_folder()
    environment = {"HOME": home, "KUBECONFIG": "", "KUBERNETES_SERVICE_HOST": ""}
    script = write_script("""
        local kube = require "kube"
        print(select(3, kube.connect()))
        print(select(3, kube.connect{path = arg[1]}))
        print(pcall(kube.connect, {path = 1}))""")
    done = run_binary([script, script], environment=environment)
    out = done.stdout.splitlines()
    assert out[:2] == ["notfound", "failed"] and "path must be a string" in out[2], (out, done.stderr)
    tls = FakeApi(tls=True)
    run(tls, "print(client:request('GET', '/version').status)")
    assert "insecure" not in run.errors, run.errors
    path = write_script(f"""{{"apiVersion": "v1", "kind": "Config", "current-context": "a",
        "contexts": [{{"name": "a", "context": {{"cluster": "a"}}}}],
        "clusters": [{{"name": "a", "cluster": {{"server": "{tls.url}", "insecure-skip-tls-verify": true}}}}]}}""")
    run(path, "")
    assert "insecure-skip-tls-verify" in run.errors, run.errors


@test("the program may end while tasks wait for answers")
def _():
    api = FakeApi(tls=True)
    api.fault("stall", path="/version", times=0)
    out = run(api, """
        for i = 1, 3 do task.spawn(function() client:request("GET", "/version") print("never") end) end
        task.sleep(0.5)
        task.spawn(function() client:request("GET", "/version") end) -- perhaps still queued
        print("end")""")
    assert out == [["end"]], out
    assert len(api.requests("GET", "/version")) >= 3


POD = """
local function pod(name)
  return {apiVersion = "v1", kind = "Pod", metadata = {name = name, labels = {app = "x"}},
    spec = {restartPolicy = "Never", containers = json.array{{name = "main", image = "x"}}}}
end
"""


@test("watch: what there is, then what happens, until stop, also from inside")
def _():
    api = FakeApi()
    out = run(api, POD + """
        client:create(pod("a"))
        local watch
        watch = client:watch("Pod", "default", {selector = "app=x"}, function(event, object)
          print(event, object and object.name, object and object.phase)
          if event == "synced" then
            client:create(pod("b")) -- a handler may wait
          elseif event == "deleted" then
            watch:stop()
          elseif event == "object" and object.name == "b" then
            client:delete("Pod", nil, "b")
          end
        end)
        task.sleep(0.5)
        client:create(pod("c"))
        task.sleep(0.2)
        print(pcall(client.watch, client, "Secret", nil, nil, print))""")
    assert out[:4] == [["relist", "nil", "nil"], ["object", "a", "Pending"], ["synced", "nil", "nil"],
                       ["object", "b", "Pending"]], out
    assert ["deleted", "b", "Pending"] in out and not any("c" in line for line in out), out
    assert out[-1][0] == "false" and "Secret" in out[-1][1], out


@test("logs: every line, and the end when the container ends")
def _():
    api = FakeApi()
    api.control("hollow", {"run_seconds": 0.3, "log": "one\ntwo"})
    out = run(api, POD + """
        client:create(pod("a"))
        print(client:logs("default", "a", "main", function(line) print("line", line) end))
        print(client:logs("default", "nobody", "main", print))""")
    lines = [line[1] for line in out if line[0] == "line"]
    assert lines == ["one", "two"] and out[-2] == ["true"], out
    assert out[-1][0] == "nil" and "not found" in out[-1][1], out


@test("a script may end with a watch and a log open")
def _():
    api = FakeApi()
    run(api, POD + """
        client:create(pod("a"))
        client:watch("Pod", nil, nil, function() end)
        local log = client:follow("default", "a", "main", print)
        task.spawn(function() log:wait() end)
        task.sleep(0.1)
        return 0""")


main()
