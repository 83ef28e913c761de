#!/usr/bin/python3
"""A mail server for tests. Prints "listening PORT", serves until stdin ends or SIGTERM, and prints each mail as a line
of JSON. Its behaviour is one word of the command line:

  good     STARTTLS, AUTH PLAIN (me:secret), takes everything but recipients at refused.example
  implicit the same with TLS from the first byte
  clear    offers no STARTTLS      busy  answers MAIL by 451 twice, then is good
  refuses  answers MAIL by 550     hangs says nothing       closes  hangs up after EHLO
"""

import asyncio
import base64
import json
import os
import ssl
import sys

import pki


class Session:
    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.secure, self.known = server.mode == "implicit", False
        self.sender, self.recipients = None, []

    async def say(self, line):
        self.writer.write(line.encode() + b"\r\n")
        await self.writer.drain()

    async def run(self):
        if self.server.mode == "hangs":
            await asyncio.sleep(3600)
        await self.say("220 test")
        while line := (await self.reader.readline()).decode().rstrip("\r\n"):
            if not await getattr(self, "on_" + line.split(" ")[0].lower(), self.on_unknown)(line):
                return

    async def on_unknown(self, line):
        await self.say("500 what?")
        return True

    async def on_ehlo(self, line):
        if self.server.mode == "closes":
            return False
        if not self.secure and self.server.mode != "clear":
            await self.say("250-test\r\n250 STARTTLS")
        else:
            await self.say("250-test\r\n250 AUTH PLAIN")
        return True

    async def on_starttls(self, line):
        await self.say("220 go")
        await self.writer.start_tls(self.server.context)
        self.secure = True
        return True

    async def on_auth(self, line):
        words = line.split(" ")
        if len(words) == 2:
            await self.say("334 ")
            words.append((await self.reader.readline()).decode().strip())
        self.known = base64.b64decode(words[2]) == b"\0me\0secret"
        await self.say("235 welcome" if self.known else "535 no")
        return True

    async def on_mail(self, line):
        if self.server.mode == "refuses" or not self.secure:
            await self.say("550 not from you")
        elif self.server.mode == "busy" and self.server.refusals < 2:
            self.server.refusals += 1
            await self.say("451 later")
        else:
            self.sender = line
            await self.say("250 ok")
        return True

    async def on_rcpt(self, line):
        if "refused.example" in line:
            await self.say("550 nobody")
        else:
            self.recipients.append(line)
            await self.say("250 ok")
        return True

    async def on_data(self, line):
        await self.say("354 go")
        lines = []
        while (line := await self.reader.readline()) != b".\r\n":
            lines.append(line)
        print(json.dumps({"sender": self.sender, "recipients": self.recipients, "known": self.known,
                          "text": b"".join(lines).decode()}), flush=True)
        await self.say("250 taken")
        return True

    async def on_quit(self, line):
        await self.say("221 bye")
        return False


class Server:
    def __init__(self, mode, folder):
        self.mode, self.refusals = mode, 0
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(os.path.join(folder, "server.crt"), os.path.join(folder, "server.key"))

    async def talk(self, reader, writer):
        try:
            await Session(self, reader, writer).run()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def serve(self):
        context = self.context if self.mode == "implicit" else None
        listener = await asyncio.start_server(self.talk, "127.0.0.1", 0, ssl=context)
        print(f"listening {listener.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        os._exit(0)


if __name__ == "__main__":
    mode, folder = sys.argv[1], sys.argv[sys.argv.index("--tls") + 1]
    pki.make(folder)
    asyncio.run(Server(mode, folder).serve())
