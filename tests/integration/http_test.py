#!/usr/bin/python3
"""The daemon over HTTP: probes, who may ask, and limits that no client gets round."""

import socket
import time

from harness import Daemon, FakeApi, main, temporary_folder, test, wait_for
from http_client import Web

TOKEN = "a-token-of-some-length"


@test("probes answer, with their checks on demand", seconds=60)
def _():
    web = Web()
    assert web.get("/livez") == (200, "ok") and web.get("/healthz") == (200, "ok")
    assert web.get("/readyz") == (200, "ok")
    status, text = web.get("/readyz?verbose&exclude=api")
    assert status == 200 and "[+]ping ok\n" in text and "[+]api excluded: ok\n" in text, text


@test("without an API server it lives, but is not ready", seconds=60)
def _():
    api = FakeApi()
    api.fault("answer", path=".*", status=503, times=100000)
    web = Web(api=api, ready=False)
    assert web.get("/livez") == (200, "ok")
    status, text = web.get("/readyz")
    assert status == 503 and "[-]api failed" in text, text
    assert web.get("/readyz?exclude=api") == (200, "ok")


@test("a standby is ready too", seconds=60)
def _():
    api = FakeApi()
    Web(api=api)
    standby = Web(api=api, ready=False)
    standby.daemon.wait_log("another scheduler leads", 30)
    assert standby.get("/readyz") == (200, "ok")


@test("what does not exist is 404, a wrong method 405 with what is allowed", seconds=60)
def _():
    web = Web()
    status, answer = web.get("/nothing")
    assert (status, answer["kind"], answer["reason"]) == (404, "Status", "NotFound"), answer
    response = web.response("POST", "/livez")
    assert response.status == 405 and response.headers["Allow"] == "GET"


@test("a page of another site can neither read nor command", seconds=60)
def _():
    web = Web()
    status, answer = web.get("/livez", {"Host": "evil.example"})
    assert status == 403 and "evil.example" in answer["message"], answer
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"}):
        status, answer = web.request("POST", "/v1/jobs/default/pi/trigger", "{}", headers)
        assert status == 403, (headers, answer)


@test("with a token file nothing but probes is open", seconds=60)
def _():
    web = Web(files={"token": TOKEN + "\n"}, arguments=["--token-file", "token"])
    assert web.get("/livez") == (200, "ok")
    response = web.response("GET", "/metrics")
    assert response.status == 401 and response.headers["WWW-Authenticate"].startswith("Bearer")
    assert web.get("/metrics", {"Authorization": "Bearer another"})[0] == 401
    assert web.get("/metrics", {"Authorization": f"Bearer {TOKEN}"})[0] == 200


@test("a token file may come later: until then only probes are open", seconds=60)
def _():
    web = Web(arguments=["--token-file", "token"])
    shown = {"Authorization": f"Bearer {TOKEN}"}
    assert web.get("/livez") == (200, "ok")
    assert web.get("/metrics", shown)[0] == web.get("/metrics")[0] == 401
    web.daemon.write("token", TOKEN)
    wait_for(lambda: web.get("/metrics", shown)[0] == 200, 40, "the token to be taken up")


@test("it does not listen to others without a token, nor with a bad one", seconds=60)
def _():
    folder = temporary_folder()
    for arguments, message in ((["--listen", "0.0.0.0:0"], "--token-file"), (["--listen", "nowhere"], "PORT"),
                               (["--listen", "0", "--token-file", "short"], "short"), (["--listen", "1.2.3.4:0"], "1.2.3.4")):
        daemon = Daemon(["run", "--executor", "local", *arguments], {**Web.FILES, "short": "word"}, folder=folder)
        assert daemon.wait(30) == 1 and message in daemon.log(), daemon.log()


@test("a long header is 431, a long body 413, and neither harms the next request", seconds=60)
def _():
    web = Web()
    assert web.response("GET", "/livez", headers={"X-Long": "x" * 60000}).status == 431
    with socket.create_connection(("127.0.0.1", web.port), 30) as long:
        long.sendall(b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n")
        answer = long.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"RequestEntityTooLarge" in answer, answer
    assert web.get("/livez") == (200, "ok")


@test("clients that send slowly hold nobody, and are cut off", seconds=120)
def _():
    web = Web()
    slow = [socket.create_connection(("127.0.0.1", web.port)) for _ in range(100)]
    for each in slow:
        each.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
    began = time.monotonic()
    assert web.get("/livez") == (200, "ok") and time.monotonic() - began < 5

    def cut():
        try:
            slow[0].sendall(b"X-Drip: 1\r\n")
            slow[0].settimeout(1)
            return slow[0].recv(1000) == b""
        except TimeoutError:
            return False
        except OSError:
            return True
    wait_for(cut, 90, "end of the slow client's connection")
    for each in slow:
        each.close()


main()
