#!/usr/bin/python3
"""--auth kubernetes: who somebody is and what they may do, as the cluster says."""

import json

from harness import Daemon, FakeApi, main, run_binary, temporary_folder, test
from http_client import JOBS, Web

ARGUMENTS = ["--auth", "kubernetes"]
TOKEN = {"Authorization": "Bearer secret-token"}
JSON = {"Content-Type": "application/json", **TOKEN}
TRIGGER = "/v1/jobs/default/pi/trigger"


def reviews(api, kind):
    return len(api.requests("POST", f".*/{kind}$"))


@test("whom the cluster knows may what it allows, and is asked about once", seconds=90)
def _():
    api = FakeApi()
    web = Web(api=api, arguments=ARGUMENTS)
    assert web.get("/livez") == (200, "ok")
    for headers in ({}, {"Authorization": "Bearer another"}):
        response = web.response("GET", "/v1/jobs", headers=headers)
        assert response.status == 401 and "kube-scheduler" in response.headers["WWW-Authenticate"], response.text
    for _ in range(3):
        assert len(web.get("/v1/jobs", TOKEN)[1]["items"]) == len(JOBS)
    assert web.get("/metrics", TOKEN)[0] == 200
    assert reviews(api, "tokenreviews") == 2, "a good token and a bad one"
    assert web.get("/v1/whoami", TOKEN)[1]["name"] == "test-user"
    status, answer = web.request("POST", TRIGGER, "{}", JSON)
    assert status == 202, answer
    run = web.daemon.wait_log("by=\"test-user by HTTP from 127.0.0.1\"", 20)
    assert run


@test("what is not allowed is 403, and a list shows only what may be seen", seconds=90)
def _():
    api = FakeApi()
    api.control("deny", [{"verb": "create", "resource": "jobs/trigger"}, {"verb": "list", "resource": "jobs", "namespace": ""},
                         {"verb": "list", "resource": "jobs", "namespace": "secret"}, {"resource": "audit"},
                         {"resource": "/metrics"}, {"verb": "get", "resource": "runs/log"}])
    web = Web(api=api, arguments=ARGUMENTS, jobs={**JOBS, "hidden": {**JOBS["pi"], "namespace": "secret"}})
    status, answer = web.request("POST", TRIGGER, "{}", JSON)
    assert status == 403 and "test-user may not create jobs/trigger 'pi'" in answer["message"], answer
    assert web.request("POST", "/v1/bulk", json.dumps({"action": "trigger", "jobs": ["default/pi"]}), JSON)[0] == 403
    assert [job["name"] for job in web.get("/v1/jobs", TOKEN)[1]["items"]] == ["pi", "report"]
    assert "trigger" not in web.get("/v1/jobs/default/pi", TOKEN)[1]["may"]
    assert "suspend" in web.get("/v1/jobs/default/pi", TOKEN)[1]["may"]
    assert web.get("/v1/audit", TOKEN)[0] == 403 and web.get("/metrics", TOKEN)[0] == 403
    assert {slot["namespace"] for slot in web.get("/v1/upcoming?to=%2B3d", TOKEN)[1]["items"]} == {"default"}


@test("a command that asks by HTTP shows its token, and needs the right of its own path", seconds=90)
def _():
    api, folder = FakeApi(), temporary_folder()
    api.control("deny", [{"verb": "create", "resource": "jobs/trigger"}])
    web = Web(api=api, arguments=ARGUMENTS)
    with open(f"{folder}/token", "w") as file:
        file.write("secret-token\n")

    def command(*words, code=0):
        done = run_binary([*words, "--server", f"http://127.0.0.1:{web.port}/"], cwd=folder)
        assert done.returncode == code, (words, done)
        return done.stderr if code else done.stdout
    assert "give --token-file" in command("jobs", code=1)
    assert "pi" in command("jobs", "--token-file", "token")
    assert "test-user may not create jobs/trigger 'pi'" in command("trigger", "pi", "--token-file", "token", code=1)
    assert "pi is suspended" in command("suspend", "pi", "--token-file", "token")
    assert "No such file" in command("jobs", "--token-file", "nothing", code=1)


@test("while the API server says nothing, nobody is let in", seconds=60)
def _():
    api = FakeApi()
    web = Web(api=api, arguments=ARGUMENTS)
    api.fault("answer", path=".*/tokenreviews$", status=500, times=1000)
    response = web.response("GET", "/v1/jobs", headers=TOKEN)
    assert response.status == 503 and response.headers["Retry-After"], response.text


@test("without a cluster there is nobody to ask; without a token file no token", seconds=60)
def _():
    folder = temporary_folder()
    for kind, message in (("kubernetes", "there is no cluster to ask"), ("token", "--token-file FILE is missing")):
        daemon = Daemon(["run", "--executor", "local", "--listen", "0", "--auth", kind], Web.FILES, folder=folder)
        assert daemon.wait(30) == 1 and message in daemon.log(), daemon.log()


main()
