"""What the tests of alert routes share: a script that sends events by one route, as a program of one's own would."""

import base64
import json
import os

from harness import Receiver, run_binary, temporary_folder

KEY = base64.b64encode(b"k" * 32).decode()
SECRETS = {"SLACK_URL": "{url}/services/T/B/topsecret", "PD_KEY": "topsecretpd", "OG_KEY": "topsecretog",
           "HOOK_URL": "{url}/hook/topsecret", "HOOK_KEY": "whsec_" + KEY, "PING_KEY": "topsecretping",
           "MAIL_PASSWORD": "secret", "HB_KEY": "topsecrethb", "DSN": "{dsn}", "LIFE_URL": "{url}/life/topsecret"}

# Sends what arg[2] lists, one after the other, to the route arg[1]; a second of waiting takes 10 ms.
SCRIPT = """
local alert, cjson, task = require "alert", require "cjson", require "task"
local settings, events = cjson.decode(arg[1]), cjson.decode(arg[2])
local name = next(settings)
local pauses = {}
local sender, err = alert.new{instance = "test", environment = "ci", settings = settings, routes = {name},
  sleep = function(seconds)
    if seconds >= 1 then pauses[#pauses + 1] = seconds end
    task.sleep(seconds / 100)
  end}
if not sender then print("refused: " .. err) return 1 end
for _, e in ipairs(events) do sender:send(e) end
while not sender:flush(1) do end
print(cjson.encode{stats = sender.stats[name], pauses = pauses})
"""

FAILED = {"kind": "failed", "job": "nightly", "namespace": "batch", "run": "nightly-1", "slot_time": 60, "exit_code": 3,
          "incident": "failing", "since": 60, "log_tail": ["fine €", "<bad> & .", "."]}
OVER = {"kind": "recovered", "job": "nightly", "namespace": "batch", "run": "nightly-2", "incident": "failing", "since": 60}


class Sent:
    """What became of the events: .counts of the route, .pauses in seconds, .log."""

    def __init__(self, done):
        self.log = done.stdout + done.stderr
        for secret in ("topsecret", KEY):
            assert secret not in self.log, self.log
        assert done.returncode == 0, self.log
        said = json.loads(done.stdout.splitlines()[-1])
        self.counts, self.pauses = said["stats"], said["pauses"]


def send(name, settings, events, url="", ca=None):
    """settings: of the route; {url} in its texts is replaced, and in the secrets."""
    path = os.path.join(temporary_folder(), "script.lua")
    with open(path, "w") as file:
        file.write(SCRIPT)
    environment = {"no_proxy": "127.0.0.1", "SSL_CERT_FILE": ca or ""}
    dsn = url.replace("://", "://topsecretpublic@") + "/prefix/42"
    environment.update({key: value.replace("{url}", url).replace("{dsn}", dsn) for key, value in SECRETS.items()})
    given = json.dumps({name: settings}).replace("{url}", url)
    return Sent(run_binary([path, given, json.dumps(events)], environment=environment, seconds=60))


def post(name, settings, events=(FAILED, OVER), receiver=None):
    """The same to a receiver, with .requests: what it got."""
    receiver = receiver or Receiver()
    sent = send(name, settings, list(events), receiver.url, receiver.ca)
    sent.requests = receiver.requests()
    return sent
