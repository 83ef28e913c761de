#!/usr/bin/python3
"""The Lua module http, from a script of one's own, against the fake server."""

import json
import os

from harness import FakeApi, main, run_binary, temporary_folder, test


def run(script, *arguments):
    """Runs a Lua script; gives what it printed, one value a line."""
    path = os.path.join(temporary_folder(), "script.lua")
    with open(path, "w") as file:
        file.write('local http, task = require "http", require "task"\n' + script)
    done = run_binary([path, *arguments], environment={"no_proxy": "127.0.0.1"})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@test("any status is an answer, with body and lower-case headers")
def _():
    api = FakeApi()
    out = run("""
        local r = assert(http.request{url = arg[1] .. "/nowhere", headers = {Authorization = "Bearer secret-token"}})
        print(r.status) print(r.headers["content-type"]) print(r.body)""", api.url)
    assert out[:2] == ["404", "application/json"], out
    assert json.loads(out[2])["reason"] == "NotFound", out


@test("a body makes it a POST, and headers go out as given")
def _():
    api = FakeApi()
    run("""http.request{url = arg[1] .. "/hook?a=1", body = "{}",
           headers = {["Content-Type"] = "application/json", ["X-Many"] = {"a", "b"}}}""", api.url)
    request = api.requests("POST")[0]
    assert request["target"] == "/hook?a=1" and request["body"] == "{}", request
    assert request["headers"]["content-type"] == "application/json", request
    assert request["headers"]["x-many"] in ("a, b", "b"), request


@test("failures are nil, message, code")
def _():
    api = FakeApi()
    api.fault("stall", path="/stall")
    out = run("""
        local function fails(request) print(select(3, http.request(request))) end
        fails{url = "http://127.0.0.1:1/"}
        fails{url = arg[1] .. "/stall", timeout = 0.05}
        fails{url = arg[1] .. "/version", max_body = 3}
        fails{url = arg[1], headers = {A = "x\\r\\nHost: elsewhere"}}
        print(pcall(http.request, {}))""", api.url)
    assert out[:4] == ["io", "timeout", "limit", "invalid"], out
    assert out[4] == "false\thttp.request: url is missing", out


@test("requests of different tasks overlap, and the loop goes on meanwhile")
def _():
    api = FakeApi()
    api.fault("delay", path="/version", seconds=0.3, times=0)
    out = run("""
        local left, ticks = 4, 0
        for _ = 1, left do
            task.spawn(function() http.request{url = arg[1] .. "/version"} left = left - 1 end)
        end
        while left > 0 do ticks = ticks + 1 task.sleep(0.01) end
        print(ticks)""", api.url)
    assert 5 < int(out[0]) < 80, out


@test("TLS: the named authority is trusted, and it alone")
def _():
    api = FakeApi(tls=True)
    out = run("""
        local url = arg[1] .. "/version"
        print((http.request{url = url}))
        print(http.request{url = url, ca_file = arg[2]}.status)
        print(http.request{url = url, insecure = true}.status)""", api.url, api.ca)
    assert out[0] == "nil" and out[1] == out[2] and out[1] in ("200", "401"), out


@test("a script may end with a request under way")
def _():
    api = FakeApi()
    api.fault("stall", path="/stall")
    run("""task.spawn(function() http.request{url = arg[1] .. "/stall"} end)""", api.url)


main()
