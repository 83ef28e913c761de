"""Faults on demand: rules that say which requests go wrong, and how.

A rule is a JSON object:
  method   regular expression for the whole method (default: any)
  path     regular expression to find in the path with its query (default: any)
  skip     let so many matching requests pass first (default 0)
  times    then hit so many (default 1; 0: all)
  action   one of ACTIONS below
  commit   true: carry the request out before the action; its answer is lost
  seconds  wait so long before all this (default 0)
  in_flight  true: hit now, once, the matching requests that are being answered (watches, followed logs, stalls);
           only with IN_FLIGHT actions
The first rule that matches a request decides.
"""

import asyncio
import json
import re

import h2.errors

import fake_schema
from fake_http import Answer

ACTIONS = {
    "answer": "status, reason, message, details: a Kubernetes Status; or status, body (text or JSON); and headers",
    "delay": "nothing but its seconds of waiting",
    "hold": "wait for POST /_test/release, then carry the request out, even when its client has gone",
    "stall": "never answer; in flight: not a byte more",
    "close": "cut the TCP connection; reset: true by a RST",
    "close-after-commit": "close, with commit",
    "reset": "HTTP/2 RST_STREAM with code (default 2, INTERNAL_ERROR; 7 is REFUSED_STREAM); HTTP/1.1: close",
    "goaway": "HTTP/2 GOAWAY, answer, close; refuse: true: this request is not among the answered; HTTP/1.1: close",
    "freeze": "the whole connection: open, but no byte in or out any more",
    "garbage": "200 with a body that is no JSON",
    "cut-body": "half of the answer, then cut the connection",
    "end": "200 and an end without more; in flight: the proper end, as of a watch that is old enough",
    "cut-watch-mid-line": "after `after` events, half of the next event, then cut the connection",
    "watch-expired": "after `after` events (0: at once), an ERROR event 410, and the end",
    "watch-garbage": "after `after` events, a line that is no JSON",
}
WATCH_ACTIONS = ("cut-watch-mid-line", "watch-expired", "watch-garbage")
IN_FLIGHT = ("stall", "close", "reset", "goaway", "freeze", "end", *WATCH_ACTIONS)
KEYS = {"method", "path", "skip", "times", "action", "commit", "in_flight", "seconds", "status", "reason",
        "message", "details", "body", "headers", "code", "refuse", "reset", "after"}
GARBAGE = b'{"kind":"Status",]'


class Finished(Exception):
    """A fault has ended the response that a handler was still writing."""


class Exchange:
    """A request, its response, and the fault that waits for the right moment in it."""

    def __init__(self, request, stream):
        self.request, self.stream = request, stream
        self.rule, self.left = None, 0  # a WATCH_ACTIONS rule, and the events to let pass before it

    def arm(self, rule):
        self.rule, self.left = rule, rule.get("after", 0)

    async def send(self, line):
        """Writes a line of a streamed response, unless its fault's moment has come."""
        if self.rule is None:
            await self.stream.write(line)
        elif self.left > 0:
            self.left -= 1
            await self.stream.write(line)
        else:
            await self._strike(line)

    async def _strike(self, line):
        action, self.rule = self.rule["action"], None
        if action == "watch-garbage":
            await self.stream.write(GARBAGE + b"\n")
            return
        if action == "cut-watch-mid-line":
            await self.stream.write(line[:len(line) // 2])
            self.stream.connection.close()  # what was written arrives before the end
        else:
            await self.expire()
        raise Finished()

    async def expire(self):
        """Ends a watch by the event 410."""
        self.start()
        event = {"type": "ERROR", "object": fake_schema.expired(1, 2).status()}
        await self.stream.write(json.dumps(event).encode() + b"\n")
        self.stream.end()

    def start(self):
        if not self.stream.started:
            self.stream.start(200, {})


class Faults:
    def __init__(self):
        self.rules = []
        self.in_flight = set()
        self.tasks = set()
        self.released = asyncio.Event()

    def clear(self):
        self.rules = []
        self.release()

    def release(self):
        self.released.set()
        self.released = asyncio.Event()

    def add(self, rule):
        """Returns how many requests in flight were hit. Raises ValueError for a rule that makes no sense."""
        unknown = set(rule) - KEYS
        if unknown:
            raise ValueError(f"unknown key in rule: {', '.join(sorted(unknown))}")
        if rule.get("action") not in ACTIONS:
            raise ValueError(f"unknown action {rule.get('action')!r}; write one of: {', '.join(ACTIONS)}")
        re.compile(rule.get("method", "")), re.compile(rule.get("path", ""))
        if rule.get("in_flight"):
            if rule["action"] not in IN_FLIGHT:
                raise ValueError(f"{rule['action']} cannot be in_flight; these can: {', '.join(IN_FLIGHT)}")
            return self._strike_in_flight(rule)
        self.rules.append({"skip": 0, "times": 1, **rule, "hits": 0})
        return 0

    def take(self, request):
        """The rule for this request, or None."""
        for rule in self.rules:
            if not matches(rule, request) or (rule["times"] and rule["hits"] >= rule["times"]):
                continue
            if rule["skip"] > 0:
                rule["skip"] -= 1
                continue
            rule["hits"] += 1
            return rule
        return None

    async def serve(self, exchange, handle):
        """Answers a request by handle(request), or by the fault that is due."""
        self.in_flight.add(exchange)
        try:
            await self._serve(exchange, handle, self.take(exchange.request))
        except Finished:
            pass
        finally:
            self.in_flight.discard(exchange)

    async def _serve(self, exchange, handle, rule):
        if rule is None:
            await deliver(exchange, handle(exchange.request))
            return
        action = rule["action"]
        await asyncio.sleep(rule.get("seconds", 0))
        if is_expiry_now(rule):
            await exchange.expire()
        elif action in WATCH_ACTIONS:
            exchange.arm(rule)
            await deliver(exchange, handle(exchange.request))
        elif action == "hold":
            held = asyncio.ensure_future(self._when_released(exchange.request, handle))
            await deliver(exchange, await asyncio.shield(held))
        elif action in ("delay", "goaway", "cut-body"):
            if action == "goaway":
                await _goaway(exchange, rule)
            answer = handle(exchange.request)
            await (_cut_body if action == "cut-body" else deliver)(exchange, answer)
        else:
            if rule.get("commit") or action == "close-after-commit":
                handle(exchange.request)
            await _answer_instead(exchange, rule)

    async def _when_released(self, request, handle):
        await self.released.wait()
        return handle(request)

    def _strike_in_flight(self, rule):
        struck = [exchange for exchange in self.in_flight if matches(rule, exchange.request)]
        for exchange in struck:
            if is_expiry_now(rule):
                task = asyncio.ensure_future(_expire_open(exchange))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            elif rule["action"] in WATCH_ACTIONS:
                exchange.arm(rule)
            elif rule["action"] == "goaway":
                _say_goaway(exchange)
            else:
                _interrupt(exchange, rule)
        return len(struck)


def is_expiry_now(rule):
    return rule["action"] == "watch-expired" and rule.get("after", 0) == 0


async def _expire_open(exchange):
    await exchange.expire()
    exchange.stream.task.cancel()


def matches(rule, request):
    return re.fullmatch(rule.get("method", ".*"), request.method) and re.search(rule.get("path", ""), request.target)


async def deliver(exchange, result):
    """result: an Answer, or a coroutine function that streams one."""
    if isinstance(result, Answer):
        await exchange.stream.answer(result)
    else:
        await result(exchange)


async def _answer_instead(exchange, rule):
    action, stream = rule["action"], exchange.stream
    if action == "answer":
        await stream.answer(_scripted(rule))
    elif action == "garbage":
        await stream.answer(Answer(200, GARBAGE))
    elif action == "stall":
        await asyncio.Event().wait()
    elif action == "reset":
        stream.reset(h2.errors.ErrorCodes(rule.get("code", 2)))
    elif action == "freeze":
        stream.connection.freeze()
        await asyncio.Event().wait()
    elif action == "end":
        exchange.start()
        stream.end()
    else:
        stream.connection.cut(rule.get("reset", False))


def _scripted(rule):
    headers = {name.lower(): str(value) for name, value in rule.get("headers", {}).items()}
    status = rule.get("status", 500)
    if "body" in rule:
        body = rule["body"]
        text = body if isinstance(body, str) else json.dumps(body)
        return Answer(status, text.encode(), headers)
    error = fake_schema.ApiError(status, rule.get("reason", "InternalError"), rule.get("message", "scripted"),
                                 rule.get("details"), headers)
    return error.answer()


def _say_goaway(exchange, last_stream_id=None):
    exchange.stream.connection.engine.goaway(last_stream_id)


async def _goaway(exchange, rule):
    if not rule.get("refuse"):
        _say_goaway(exchange)
        return
    _say_goaway(exchange, max(exchange.request.stream_id - 2, 0))
    exchange.stream.ended = True  # never answered: the client has to ask again elsewhere
    raise Finished()


async def _cut_body(exchange, answer):
    stream = exchange.stream
    stream.start(answer.status, {"content-type": "application/json", "content-length": str(len(answer.body))})
    await stream.write(answer.body[:len(answer.body) // 2])
    stream.connection.close()


def _interrupt(exchange, rule):
    """Ends, by force, what the exchange's own task is doing."""
    stream, action = exchange.stream, rule["action"]
    if action == "freeze":
        stream.connection.freeze()
    elif action == "stall":
        exchange.send = _swallow
    elif action == "end":
        exchange.start()
        stream.end()
        stream.task.cancel()
    elif action == "reset":
        stream.reset(h2.errors.ErrorCodes(rule.get("code", 2)))
        stream.task.cancel()
    else:
        stream.connection.cut(rule.get("reset", False))


async def _swallow(line):
    await asyncio.Event().wait()
