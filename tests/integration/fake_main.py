"""What the fake servers' programs share: their options, their wiring, their beginning and end."""

import argparse
import asyncio
import os
import signal
import threading

import fake_faults
import fake_http
import pki


def parser(description):
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--port", type=int, default=0)
    result.add_argument("--tls", metavar="DIR", help="serve TLS; makes ca.crt, server.* and client.* in DIR")
    result.add_argument("--http1", action="store_true", help="no HTTP/2")
    result.add_argument("--max-streams", type=int, default=250, help="of one HTTP/2 connection")
    result.add_argument("--no-stdin", action="store_true", help="do not end with stdin")
    return result


def server(options, clock):
    """A server as the options want it; its handler is still to be set."""
    context = None
    if options.tls:
        pki.make(options.tls)
        files = (os.path.join(options.tls, name) for name in ("server.crt", "server.key", "ca.crt"))
        context = fake_http.tls_context(*files, not options.http1)
    return fake_http.Server(clock, context, not options.http1, options.max_streams)


def handler(control, faults, handle):
    """The server's handler: /_test/ goes to the control, all else is recorded and answered by handle or a fault."""
    async def serve(request, stream):
        if request.path.startswith("/_test/"):
            await stream.answer(control.handle(request))
            return
        control.record(request)
        await faults.serve(fake_faults.Exchange(request, stream), handle)
    return serve


def run(build, options, on_listening=lambda port: None):
    """Serves what build() makes, inside the event loop, until stdin ends or a signal comes."""
    asyncio.run(_serve(build, options, on_listening))


async def _serve(build, options, on_listening):
    served = build()
    await served.listen(options.port)
    on_listening(served.port)
    print(f"listening {served.port}", flush=True)
    await _until_told(options)
    served.shut()


async def _until_told(options):
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    if not options.no_stdin:
        threading.Thread(target=_drain_stdin, args=(loop, over), daemon=True).start()
    await over.wait()


def _drain_stdin(loop, over):
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(over.set)
