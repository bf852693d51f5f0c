#!/usr/bin/env python3
"""Violations: what was wrong shows neither in the time of the close nor in the exit code, and the
time is no constant (docs/protocol.md §4 "Probing").

    violations.py DUET COUNT server|client|pipe|answers|pipe-answers

COUNT connections of each kind. The second implementation completes the handshake, bends one frame
after READY, and sends more frames. server, client and pipe are the end that receives them; answers:
a client that gets an answer it cannot open, in the server's place; pipe-answers: pipe in its place.
"""
import asyncio
import base64
import os
import random
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, "../support"), os.path.join(HERE, "../interop"), HERE]
sys.dont_write_bytecode = True
from judge import BENT, bend, check_tests, judge_times, summary  # noqa: E402
from ports import next_port  # noqa: E402

try:
    from duet import BOTTOM, TOP, Session
except ImportError:
    print("this python has no package cryptography: skipped")
    sys.exit(77)

DUET, COUNT, END = sys.argv[1], int(sys.argv[2]), sys.argv[3]
LEAST, MOST = 0.3, 2.8  # far apart beside the delays of a busy machine
HANDSHAKE = 1.0 if "answers" in END else 29.0  # seconds; a busy machine takes its time
AT_ONCE = 20  # the second implementation is slow: more would delay its own clock
PAYLOAD = 3000  # bit 10 is not set: 1 KiB more is one bit
ANSWERS = {"nothing": 0, "16 bytes": 16, "47 bytes": 47, "48 bytes": 48, "200 bytes": 200,
           "70000 bytes": 70000}


def bent_frames(session, kind):
    session.out = b""
    session.send(0, os.urandom(PAYLOAD))
    frame = bend(session.out, kind)
    session.out = b""
    session.send(0, os.urandom(PAYLOAD))
    more, session.out = session.out, b""
    return frame + more


async def until_end(reader):
    """How the other end closes, and after how long."""
    begin, end = time.monotonic(), "FIN"
    try:
        while await asyncio.wait_for(reader.read(65536), 200):
            pass
    except ConnectionError:
        end = "RST"
    except TimeoutError:
        end = "open"
    return time.monotonic() - begin, end


async def violate(session, reader, writer, kind):
    while not session.ready:
        writer.write(session.out)
        session.out = b""
        part = await asyncio.wait_for(reader.read(65536), 60)
        if not part:
            raise ConnectionError("no handshake")
        session.receive(part)
    writer.write(session.out + bent_frames(session, kind))
    return await until_end(reader)


class Run:
    def __init__(self, folder):
        self.folder, self.times, self.ends, self.codes = folder, {}, set(), {}
        self.kinds = list(ANSWERS if "answers" in END else BENT)
        self.left = self.kinds * COUNT
        random.shuffle(self.left)
        text = open(f"{folder}/k", encoding="utf-8").read()
        self.secret = base64.b64decode("".join(re.search(r"Secret = (.*)", text, re.S).group(1).split()))
        self.options = ["-k", f"{folder}/k", "--linger", f"{LEAST}-{MOST}", "--handshake-timeout",
                        str(HANDSHAKE)]

    def note(self, kind, took, end):
        self.times.setdefault(kind, []).append(took)
        self.ends.add(end)

    async def as_peer(self, reader, writer):
        """In the place of a client's or a pipe's peer."""
        kind = self.left.pop() if self.left else None
        if kind is None:
            writer.close()
            return
        try:
            if kind in ANSWERS:
                writer.write(os.urandom(ANSWERS[kind]))
                self.note(kind, *await until_end(reader))
            else:
                self.note(kind, *await violate(Session(BOTTOM, self.secret), reader, writer, kind))
        except (ConnectionError, TimeoutError):
            self.left.append(kind)
        writer.close()

    async def peers(self):
        return (await asyncio.start_server(self.as_peer, "127.0.0.1", 0)).sockets[0].getsockname()[1]

    async def at_server(self):
        async def hold(reader, writer):
            await until_end(reader)
            writer.close()

        async def one(kind):
            async with gate:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                self.note(kind, *await violate(Session(TOP, self.secret), reader, writer, kind))
                writer.close()

        target = await asyncio.start_server(hold, "127.0.0.1", 0)
        at, port, gate = target.sockets[0].getsockname()[1], next_port(), asyncio.Semaphore(AT_ONCE)
        service = await self.service("server", port, at)
        await asyncio.gather(*map(one, self.left))
        service.kill()
        await service.wait()

    async def at_client(self):
        async def one():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                await until_end(reader)
                writer.close()
            except OSError:
                pass

        async def some():
            while self.left:
                await one()

        port = next_port()
        service = await self.service("client", port, await self.peers())
        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        while sum(map(len, self.times.values())) + len(self.left) < COUNT * len(self.kinds):
            await asyncio.sleep(0.1)
        service.kill()
        await service.wait()

    async def service(self, side, port, target):
        service = await asyncio.create_subprocess_exec(
            DUET, side, "-q", *self.options, "--timeout", "1", "--listen", f"127.0.0.1:{port}",
            "--target", f"127.0.0.1:{target}", stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                return service
            except OSError:
                await asyncio.sleep(0.1)
        sys.exit("violations: the service does not listen")

    async def at_pipe(self):
        async def one():
            async with gate:
                pipe = await asyncio.create_subprocess_exec(
                    DUET, "pipe", *self.options, f"127.0.0.1:{port}", stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                told = (await pipe.stderr.readline()).decode()
                code = await pipe.wait()
                self.codes.setdefault((code, bool(told)), []).append(told)

        port, gate = await self.peers(), asyncio.Semaphore(8)
        await asyncio.gather(*(one() for _ in range(COUNT * len(self.kinds))))


def main():
    check_tests()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([DUET, "keygen", "-q", "-o", f"{folder}/k"], check=True, stdout=subprocess.DEVNULL)
        run = Run(folder)
        asyncio.run({"server": run.at_server, "client": run.at_client, "answers": run.at_client}
                    .get(END, run.at_pipe)())
    added = HANDSHAKE if "answers" in END else 0
    for line in summary(run.times):
        print(line)
    found = judge_times(run.times, LEAST + added, MOST + added)
    if run.ends != {"FIN"}:
        found.append(f"ended by {sorted(run.ends)}")
    if set(run.times) != set(run.kinds):
        found.append(f"kinds not seen: {set(run.kinds) - set(run.times)}")
    if "pipe" in END and set(run.codes) != {(4 if "answers" in END else 5, True)}:
        found.append(f"exit codes and messages: { {k: v[:2] for k, v in run.codes.items()} }")
    for fault in found:
        print("WRONG", fault)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
