#!/usr/bin/python3
"""The whole daemon against the fake API server: what it does when the server, the network, another scheduler or
its own end come in between. A Pod here is hollow: it goes through its phases without a container."""

import collections
import json
import os
import re
import shutil
import signal
import time

from harness import Daemon, FakeApi, Receiver, main, never, run_binary, temporary_folder, test, wait_for

PODS = "/api/v1/namespaces/default/pods"
LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/kube-scheduler-jobs"
POST = {"method": "POST", "path": PODS + "$"}
RUN = ["run", "--executor", "kubernetes"]
KEY = "hbptopsecret"


def manifest(**annotations):
    """A Pod template; the annotations tell the hollow kubelet what to play: run_seconds, exit_code, log, …"""
    notes = {"test/" + name.replace("_", "-"): str(value) for name, value in annotations.items()}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"annotations": notes},
                       "spec": {"containers": [{"name": "main", "image": "busybox"}]}})


def schedule(jobs, **settings):
    return json.dumps({"settings": {"cron_dialect": "standard", **settings}, **jobs})


def every_second(**options):
    return {"cron": "* * * * * *", "template": "pod.yml", **options}


EACH_SLOT = every_second(overlap="allow", catch_up="all")  # none is skipped, however slow the machine is


def hollow_api(tls=False, **settings):
    api = FakeApi(tls=tls)
    api.control("hollow", {"run_seconds": 0.1, **settings})
    return api


def start(api, job=None, alerts_to=None, **annotations):
    """The daemon with one job `tick`, each second unless told otherwise, in a folder of its own."""
    settings, environment = {}, {}
    if alerts_to:
        settings = {"alerts": {"group_wait": 0, "group_interval": 0, "honeybadger": {"endpoint": alerts_to.url}}}
        environment = {"HONEYBADGER_API_KEY": KEY, "SSL_CERT_FILE": alerts_to.ca, "no_proxy": "127.0.0.1"}
    files = {"schedule.yml": schedule({"tick": job or every_second()}, **settings), "pod.yml": manifest(**annotations)}
    return Daemon(RUN, files, environment, api)


def names_made(api):
    return [change["name"] for change in api.history("pods")]


def slot_of(name):
    return int(name.rsplit("-", 1)[1])


def assert_each_made_once(api):
    made = collections.Counter(names_made(api))
    assert made and max(made.values()) == 1, made


def missing_slots(api):
    slots = set(map(slot_of, names_made(api)))
    return set(range(min(slots), max(slots) + 1)) - slots


def assert_no_slot_lost(api):
    """A create that met trouble waits for its next try, and later ones overtake it meanwhile."""
    wait_for(lambda: not missing_slots(api), 20, "object of a slot before the newest")


def succeeded(daemon):
    """The names of the runs that the daemon reported as succeeded."""
    return re.findall(r"run succeeded job=\S+ run=(\S+)", daemon.log())


def wait_succeeded(daemon, name, seconds=15):
    wait_for(lambda: name in succeeded(daemon), seconds, f"success of {name}")


def wait_more(daemon, count=2, seconds=15):
    """Waits for so many more successes: the daemon is well."""
    before = len(succeeded(daemon))
    wait_for(lambda: len(succeeded(daemon)) >= before + count, seconds, f"{count} more successes")


def wait_notice(receiver, pattern, seconds=15):
    """Waits for an alert that arrived at the receiver and whose text matches."""
    return wait_for(lambda: [entry for entry in receiver.requests("POST") if re.search(pattern, entry["body"])],
                    seconds, f"alert {pattern!r}")


# --- an ordinary day ---


def certs_folder(api, *files):
    """What CERTS_PATH names: files of the fake server's CA under the names that the first kube-scheduler wanted."""
    folder = temporary_folder()
    for source, target in files:
        shutil.copy(os.path.join(api.tls, source), os.path.join(folder, target))
    return folder


def run_sample(api, certs):
    """A Pod and a Job to success, found by environment variables alone, over TLS."""
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": json.loads(manifest(log="from a job"))}}
    files = {"schedule.yml": schedule({"pod": every_second(), "job": every_second(template="job.json")}),
             "pod.yml": manifest(log="3.14159\n2.71828"), "job.json": json.dumps(job)}
    environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port),
                   "CERTS_PATH": certs, "KUBECONFIG": "", "HOME": "/nowhere", "SCHEDULER_NAMESPACE": "default"}
    daemon = Daemon(RUN, files, environment)
    for pattern in (r"output +pod/main: 3\.14159$", r"output +pod/main: 2\.71828$", r"output +job/main: from a job$",
                    r"run started job=pod run=pod-\S+ slot=\S+Z", r"run succeeded job=pod .*exit_code=0",
                    r"run succeeded job=job "):
        daemon.wait_log(pattern, 20)
    assert_each_made_once(api)


@test("by CERTS_PATH with a token, over TLS: a Pod and a Job to success, with each line of output", seconds=40)
def _():
    api = hollow_api(tls=True)
    certs = certs_folder(api, ("ca.crt", "ca.crt"))
    with open(os.path.join(certs, "token"), "w") as file:
        file.write("secret-token\n")
    run_sample(api, certs)
    assert all(entry["headers"]["authorization"] == "Bearer secret-token" for entry in api.requests("POST"))


@test("by CERTS_PATH with a client certificate", seconds=40)
def _():
    api = FakeApi("--auth", "cert", tls=True)
    api.control("hollow", {"run_seconds": 0.1})
    run_sample(api, certs_folder(api, ("ca.crt", "ca.crt"), ("client.crt", "tls.crt"), ("client.key", "tls.key")))


@test("a failure is told with its exit code and last lines, in the log and to the service", seconds=40)
def _():
    api, receiver = hollow_api(), Receiver()
    daemon = start(api, alerts_to=receiver, exit_code=3, log="this went wrong")
    daemon.wait_log(r"run failed job=tick .*exit_code=3", 15)
    notice = wait_notice(receiver, "tick")[0]
    assert "this went wrong" in notice["body"] and KEY in json.dumps(notice["headers"]), notice


@test("a slot that meets a running one is skipped, and told", seconds=40)
def _():
    api, receiver = hollow_api(run_seconds="inf"), Receiver()
    daemon = start(api, alerts_to=receiver)
    daemon.wait_log(r"slot skipped job=tick", 15)
    wait_notice(receiver, "skipped")
    assert len(names_made(api)) == 1, names_made(api)


@test("finished objects beyond the history are deleted, once, in the background", seconds=40)
def _():
    api = hollow_api()
    files = {"schedule.yml": schedule({"tick": every_second(history={"succeeded": 1})}, retention="0s"),
             "pod.yml": manifest()}
    daemon = Daemon(RUN, files, api=api)
    wait_for(lambda: len(api.history("pods", "DELETED")) >= 3, 25, "three deletions")
    deleted = [change["name"] for change in api.history("pods", "DELETED")]
    assert len(deleted) == len(set(deleted)), deleted
    assert set(deleted) <= set(succeeded(daemon)), "deleted before it was reported"
    assert_each_made_once(api)


# --- namespaces ---


def watched(api):
    """What lists of Pods were asked for: namespaces, or "all"."""
    found = (re.match(r"/api/v1/(?:namespaces/([^/]+)/)?pods$", entry["path"]) for entry in api.requests("GET"))
    return {match.group(1) or "all" for match in found if match}


def run_in_two_namespaces(api, *arguments):
    files = {"schedule.yml": schedule({"here": every_second(), "there": every_second(namespace="kube-system")}),
             "pod.yml": manifest()}
    daemon = Daemon([*RUN, *arguments], files, api=api)
    daemon.wait_log("run succeeded job=here", 15)
    return daemon


@test("its own namespace and those of its jobs are watched, no other", seconds=40)
def _():
    api = hollow_api()
    run_in_two_namespaces(api).wait_log("run succeeded job=there", 15)
    assert watched(api) == {"default", "kube-system"}, watched(api)


@test("--watch-namespaces all: one watch of all of them", seconds=40)
def _():
    api = hollow_api()
    run_in_two_namespaces(api, "--watch-namespaces", "all").wait_log("run succeeded job=there", 15)
    assert watched(api) == {"all"}, watched(api)


@test("--watch-namespaces NS: a job elsewhere is a mistake, the others run", seconds=40)
def _():
    api = hollow_api()
    daemon = run_in_two_namespaces(api, "--watch-namespaces", "default")
    daemon.wait_log(r"schedule\.yml:1:\d+: error: job 'there' runs in namespace kube-system, which is not watched")
    assert watched(api) == {"default"}, watched(api)
    assert {change["namespace"] for change in api.history("pods")} == {"default"}


# --- the answers to a create ---


@test("409, and it is ours: a create whose answer was lost makes one object", seconds=40)
def _():
    api = hollow_api()
    daemon = start(api, EACH_SLOT)
    wait_more(daemon, 1)
    api.fault("answer", method="GET", path=r"/pods\?.*watch", status=503, times=0)  # or the watch tells it first
    break_watch(api, action="close")
    before = len(names_made(api))
    api.fault("close-after-commit", **POST)
    name = wait_for(lambda: names_made(api)[before:], 15, "a Pod")[0]
    wait_for(lambda: api.requests("GET", f"{PODS}/{name}$"), 15, "a look at whose it is")
    api.request("DELETE", "/_test/fault")
    wait_succeeded(daemon, name)
    assert succeeded(daemon).count(name) == 1
    wait_more(daemon)
    assert_each_made_once(api)
    assert_no_slot_lost(api)


@test("409, and it is another's: the name is taken, it is told, and theirs stays", seconds=40)
def _():
    api, receiver = hollow_api(run_seconds="inf"), Receiver()
    folder = temporary_folder()
    for name, text in (("schedule.yml", schedule({"tick": every_second()})), ("pod.yml", manifest())):
        with open(os.path.join(folder, name), "w") as file:
            file.write(text)
    done = run_binary(["template", "tick", "--dir", folder, "--format", "json", "--namespace", "default"])
    assert done.returncode == 0, done.stderr
    stem = json.loads(done.stdout)["metadata"]["name"].rsplit("-", 1)[0]
    slots = range(int(time.time()) + 1, int(time.time()) + 15)
    for slot in slots:
        api.create(PODS, {**json.loads(manifest()), "metadata": {"name": f"{stem}-{slot}"}})
    daemon = start(api, alerts_to=receiver)
    daemon.wait_log(r"run failed job=tick .*outcome=start_failed reason=NameTaken", 15)
    wait_notice(receiver, "NameTaken")
    assert not [c for c in api.history("pods", "DELETED") if slot_of(c["name"]) in slots], "theirs was deleted"


@test("429: again when Retry-After has passed, with the same bytes", seconds=40)
def _():
    api = hollow_api()
    api.fault("answer", **POST, status=429, reason="TooManyRequests", headers={"retry-after": "2"})
    daemon = start(api, EACH_SLOT)
    name = json.loads(wait_for(lambda: api.requests("POST", PODS + "$"), 15, "a create")[0]["body"])["metadata"]["name"]
    wait_succeeded(daemon, name)
    first, second = [entry for entry in api.requests("POST", PODS + "$") if name in entry["body"]]
    assert second["time"] - first["time"] >= 2, second["time"] - first["time"]
    assert first["body"] == second["body"]
    assert_no_slot_lost(api)


@test("500s and a 503: again until it works", seconds=40)
def _():
    api = hollow_api()
    api.fault("answer", **POST, status=500, times=2)
    api.fault("answer", **POST, status=503, reason="ServiceUnavailable")
    daemon = start(api, EACH_SLOT)
    wait_more(daemon)
    assert_each_made_once(api)
    assert_no_slot_lost(api)


@test("a refusal for good is told at once, with the server's words", seconds=40)
def _():
    api, receiver = hollow_api(), Receiver()
    api.control("deny", [{"verb": "create", "resource": "pods"}])
    daemon = start(api, alerts_to=receiver)
    daemon.wait_log(r"run failed job=tick .*message=.*pods.* is forbidden.* outcome=start_failed", 15)
    wait_notice(receiver, "forbidden")


# --- watches and connections ---


def break_watch(api, **rule):
    """Breaks the open watch of Pods, all of it at once; says how many were hit."""
    return wait_for(lambda: api.fault(in_flight=True, path=r"/pods\?.*watch", **rule), 10, "a watch to break")


@test("a watch that is cut within a line goes on where it was", seconds=40)
def _():
    api = hollow_api()
    daemon = start(api, EACH_SLOT)
    wait_more(daemon, 1)
    for after in (0, 1):
        break_watch(api, action="cut-watch-mid-line", after=after)
        wait_more(daemon)
    lists = [entry for entry in api.requests("GET", r"/pods\?") if "watch" not in entry["query"]]
    assert len(lists) == 1, "it listed anew"
    reported = succeeded(daemon)
    assert len(reported) == len(set(reported)), "one was reported twice"
    assert_no_slot_lost(api)


def lose_history(api, answer):
    """While nobody watches a Pod ends, and what happened is forgotten."""
    daemon = start(api)
    name = daemon.wait_log(r"run started job=tick run=(\S+)", 15).group(1)
    api.fault("answer", method="GET", path=r"/pods\?.*watch", status=503, times=2)
    break_watch(api, action="close")
    api.control("pod-phase", {"name": name, "phase": "Succeeded"})
    api.control("compact", {"answer": answer})
    wait_succeeded(daemon, name)
    api.control("hollow", {"run_seconds": 0.1})
    wait_more(daemon)
    assert succeeded(daemon).count(name) == 1
    assert_each_made_once(api)


@test("410 as an event: a new list, and nothing is lost", seconds=60)
def _():
    lose_history(hollow_api(run_seconds="inf"), "event")


@test("410 as an answer: the same", seconds=60)
def _():
    lose_history(hollow_api(run_seconds="inf"), "http")


@test("GOAWAY, refused streams and resets: nothing is lost, nothing is doubled", seconds=60)
def _():
    api = hollow_api()
    daemon = start(api, EACH_SLOT)
    wait_more(daemon, 1)
    for rule in ({"action": "goaway"}, {"action": "goaway", "refuse": True}, {"action": "reset", "code": 7},
                 {"action": "reset"}, {"action": "close", "commit": True, "reset": True}):
        api.fault(**rule, **POST)
    for rule in ({"action": "goaway"}, {"action": "reset"}, {"action": "close", "reset": True}):
        break_watch(api, **rule)
        wait_more(daemon)
    wait_for(lambda: all(rule["hits"] for rule in api.control("fault")), 15, "all faults to strike")
    wait_more(daemon)
    assert_each_made_once(api)
    assert_no_slot_lost(api)


@test("an API server that is away for a while: held up, nothing lost", seconds=60)
def _():
    api = hollow_api()
    daemon = start(api, EACH_SLOT)
    wait_more(daemon, 1)
    api.control("down", {"seconds": 3})
    time.sleep(3.5)
    wait_more(daemon, 5, 30)
    assert_each_made_once(api)
    assert_no_slot_lost(api)


# --- one leads ---


def shorten_lease(api):
    """The holder is dead: nobody need wait out its 15 s. (What a holder writes next makes it long again.)"""
    status, body = api.request("PATCH", LEASE, {"spec": {"leaseDurationSeconds": 1}},
                               {"content-type": "application/merge-patch+json"})
    assert status == 200, body


def take_lease(api, holder, **spec):
    status, body = api.request("PATCH", LEASE, {"spec": {"holderIdentity": holder, **spec}},
                               {"content-type": "application/merge-patch+json"})
    assert status == 200, body


def kill(daemon):
    daemon.kill(signal.SIGKILL)
    daemon.wait()


@test("killed after a create and before its answer: the next adopts it, and makes no other", seconds=60)
def _():
    api = hollow_api(run_seconds=4)
    api.fault("stall", **POST, commit=True)
    first = start(api, every_second(catch_up="all"))
    name = wait_for(lambda: names_made(api), 15, "a Pod")[0]
    kill(first)
    shorten_lease(api)
    second = start(api, every_second(catch_up="all"))
    wait_succeeded(second, name, 30)
    assert succeeded(second).count(name) == 1
    assert_each_made_once(api)


@test("a create that was on its way when its sender was killed arrives late, and doubles nothing", seconds=60)
def _():
    api = hollow_api()
    api.fault("hold", **POST)
    first = start(api, EACH_SLOT)
    name = json.loads(wait_for(lambda: api.requests("POST", PODS + "$"), 15, "a create")[0]["body"])["metadata"]["name"]
    kill(first)
    shorten_lease(api)
    second = start(api, EACH_SLOT)
    wait_succeeded(second, name, 30)
    api.control("release", {})
    wait_more(second)
    assert_each_made_once(api)
    assert_no_slot_lost(api)


@test("killed with a run going: the next adopts it and reports it once", seconds=60)
def _():
    api = hollow_api(run_seconds="inf")
    first = start(api)
    name = first.wait_log(r"run started job=tick run=(\S+)", 15).group(1)
    kill(first)
    shorten_lease(api)
    second = start(api)
    second.wait_log("ready", 20)
    api.control("pod-phase", {"name": name, "phase": "Succeeded"})
    wait_succeeded(second, name)
    assert succeeded(second).count(name) == 1
    assert_each_made_once(api)


@test("while another holds the lease it waits, then takes over", seconds=60)
def _():
    api = hollow_api()
    api.create(LEASE.rsplit("/", 1)[0], {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "kube-scheduler-jobs", "annotations": {"kube-scheduler/instance": "kube-scheduler"}},
        "spec": {"holderIdentity": "another", "leaseDurationSeconds": 4}})
    daemon = start(api)
    daemon.wait_log(r"waiting: another scheduler leads holder=another", 15)
    never(lambda: names_made(api), 2, "it created a Pod without leading")
    daemon.wait_log(r"run succeeded", 20)


@test("another's lease of the same name is left alone", seconds=40)
def _():
    api = hollow_api()
    api.create(LEASE.rsplit("/", 1)[0], {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kube-scheduler-jobs"},
        "spec": {"holderIdentity": "theirs", "leaseDurationSeconds": 1}})
    daemon = start(api)
    assert daemon.wait(15) == 1
    assert "choose another --instance" in daemon.log()
    assert not api.requests("PUT", LEASE) and not names_made(api)


@test("of two the second takes over at once when the first is stopped, and no slot is lost", seconds=60)
def _():
    api = hollow_api()
    first = start(api, EACH_SLOT)
    wait_more(first, 1)
    second = start(api, EACH_SLOT)
    second.wait_log("waiting: another scheduler leads", 15)
    first.kill(signal.SIGTERM)
    assert first.wait(15) == 0
    wait_more(second, 2, 10)
    assert_each_made_once(api)
    assert_no_slot_lost(api)


@test("the lease lost: nothing more is created, exit code 1", seconds=40)
def _():
    api = hollow_api()
    daemon = start(api, EACH_SLOT)
    wait_more(daemon, 1)
    take_lease(api, "another")
    daemon.wait_log("another scheduler leads now", 15)
    made = len(names_made(api))
    assert daemon.wait(10) == 1
    assert len(names_made(api)) <= made + 1, "it went on without the lease"
    assert api.objects("leases")[0]["spec"]["holderIdentity"] == "another"


@test("a lease that cannot be renewed: slots are held before it ends, told, and decided later", seconds=90)
def _():
    api, receiver = hollow_api(), Receiver()
    daemon = start(api, EACH_SLOT, alerts_to=receiver)
    wait_more(daemon, 1)
    api.fault("answer", method="PUT", path=LEASE, status=500, times=0)
    daemon.wait_log("slots are held: the lease could not be renewed", 30)
    wait_notice(receiver, "could not be renewed")
    made = len(names_made(api))
    never(lambda: len(names_made(api)) > made + 1, 3, "a create while slots are held")
    api.request("DELETE", "/_test/fault")
    daemon.wait_log("slots are decided again", 20)
    wait_more(daemon, 3)
    assert_each_made_once(api)
    assert_no_slot_lost(api)


@test("a clock that differs by more than 5 s holds the slots, is told, and nothing is lost", seconds=60)
def _():
    api, receiver = hollow_api(), Receiver()
    daemon = start(api, EACH_SLOT, alerts_to=receiver)
    wait_more(daemon, 1)
    api.control("clock-skew", {"seconds": 10})
    daemon.wait_log("slots are held: our clock and the API server's differ", 20)
    wait_notice(receiver, "clock")
    made = len(names_made(api))
    never(lambda: len(names_made(api)) > made + 1, 3, "a create while slots are held")
    api.control("clock-skew", {"seconds": 0})
    daemon.wait_log("slots are decided again", 20)
    wait_more(daemon, 3)
    assert_each_made_once(api)
    assert_no_slot_lost(api)


# --- beginning and end ---


@test("SIGTERM: exit 0 within 5 s, the run stays, the lease is free", seconds=40)
def _():
    api = hollow_api(run_seconds="inf")
    daemon = start(api)
    daemon.wait_log("run started", 15)
    daemon.kill(signal.SIGTERM)
    assert daemon.wait(5) == 0
    assert len(api.objects("pods")) == 1 and not api.history("pods", "DELETED")
    lease = api.objects("leases")[0]
    assert lease["spec"]["holderIdentity"] == "", lease
    assert int(lease["metadata"]["annotations"]["kube-scheduler/watermark"]) >= slot_of(names_made(api)[0])


@test("SIGTERM ends it within 5 s also when the API server answers nothing", seconds=40)
def _():
    api = hollow_api()
    daemon = start(api)
    wait_more(daemon, 1)
    api.fault("stall", times=0)
    api.fault("stall", in_flight=True)
    wait_for(lambda: api.control("fault")[0]["hits"] >= 2, 15, "requests that stall")
    daemon.kill(signal.SIGTERM)
    assert daemon.wait(5) == 0


@test("SIGTERM while waiting for the lease: exit 0 within 5 s", seconds=40)
def _():
    api = hollow_api()
    api.fault("stall", path=LEASE, times=0)
    daemon = start(api)
    wait_for(lambda: api.requests("GET", LEASE), 15, "a look at the lease")
    daemon.kill(signal.SIGTERM)
    assert daemon.wait(5) == 0


BAD = """
settings: {cron_dialect: standard, alerts: {group_wait: 0s, honeybadger: {endpoint: %s}}}
good: {cron: "* * * * * *", template: pod.yml}
bad-cron: {cron: "* * * * 13 *", template: pod.yml}
no-template: {cron: "* * * * * *", template: nowhere.yml}
twice: {cron: "* * * * * *", template: pod.yml}
twice: {cron: "* * * * * *", template: pod.yml}
"""


@test("a schedule with mistakes: the good job runs, each mistake is logged and told", seconds=40)
def _():
    api, receiver = hollow_api(), Receiver()
    environment = {"HONEYBADGER_API_KEY": KEY, "SSL_CERT_FILE": receiver.ca, "no_proxy": "127.0.0.1"}
    files = {"schedule.yml": BAD % receiver.url, "pod.yml": manifest()}
    daemon = Daemon(RUN, files, environment, api)
    daemon.wait_log(r"run succeeded job=good", 15)
    for line, word in ((4, "bad-cron|month"), (5, "nowhere.yml"), (7, "twice")):
        daemon.wait_log(rf"schedule\.yml:{line}:\d+: error: .*({word})")
        wait_notice(receiver, rf"schedule\.yml:{line}:\d+: error")
    assert {name.split("-")[0] for name in names_made(api)} == {"good"}
    strict = Daemon([*RUN, "--strict"], files, environment, api)
    assert strict.wait(10) == 1


def start_without(*arguments):
    api = hollow_api()
    daemon = Daemon([*RUN, *arguments], {}, api=api)
    assert daemon.wait(10) == 1, "it runs without a schedule"
    return daemon.log()


@test("no schedule: exit 1, and the path and what to do are said", seconds=20)
def _():
    log = start_without()
    assert re.search(r"\./schedule\.yml.*No such file.*write one.*--schedule-name", log), log


@test("no file that matches: the same", seconds=20)
def _():
    log = start_without("--schedule-name", "*.yml", "--dir", "/")
    assert re.search(r"no file matches \*\.yml.*write one.*--schedule-name", log), log


main()
