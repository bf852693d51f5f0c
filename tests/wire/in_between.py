#!/usr/bin/env python3
"""An attacker between two ends of duet bends one frame of an established session: neither end shows
what was bent, in exit code, message, bytes, or the time and manner of the close (docs/protocol.md §4
"Probing").

    in_between.py DUET COUNT END

COUNT connections of each kind, in random order. END is the end that gets the bent frame: `pipe-l`,
`recv` and `server`, which listen, or `pipe`, `send` and `client`, which dial; the other end is its
partner. Or one of FAULTS below: a listener with this fault takes the place of `pipe-l`, and the fault
must be found.

Both ends have paused before the frame, so it is known where it begins. Noise follows it, for a
LENGTH that became longer.
"""
import asyncio
import os
import random
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, "../support"), HERE]
sys.dont_write_bytecode = True
from judge import BENT, bend, check_tests, judge_times, summary, told_apart  # noqa: E402
from ports import next_port  # noqa: E402

DUET, COUNT, END = sys.argv[1], int(sys.argv[2]), sys.argv[3]
# What a planted fault must be found by.
FAULTS = {
    "flips": "the time of the close tells",
    "live-constant": "all close after a constant",
    "live-reset": "the manner of the close tells",
    "live-speaks": "bytes after the bent one tell",
}
DIALS = END in ("pipe", "send", "client")
LEAST, MOST = (0.3, 1.7) if END in FAULTS else (0.3, 2.8)  # far apart beside a busy machine's delays
AT_ONCE = 6 if END in FAULTS else 24  # the second implementation is slow
PAUSE = 0.08  # seconds of silence that end a write
# In which write a frame that is not of the handshake comes first.
AT_WRITE = 2 if DIALS else 3
PAYLOAD = 2900  # bit 10 is not set: 1 KiB more is one bit
NOISE = 4096
PATIENCE = 240  # seconds until a connection counts as stuck


async def writes(reader):
    """What comes, put together until nothing comes for a moment."""
    while whole := await reader.read(65536):
        try:
            while part := await asyncio.wait_for(reader.read(65536), PAUSE):
                whole += part
        except TimeoutError:
            pass
        yield whole


async def drain(reader):
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass


def end_like(writer, manner):
    if manner == "FIN":
        writer.write_eof()  # what the partner has under way must not make an RST of it
        return
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                               struct.pack("ii", 1, 0))
    writer.close()


class Wire:
    """One connection through the attacker: what the victim, which gets the bent frame, does then."""

    def __init__(self, kind, on_write):
        self.kind, self.on_write = kind, on_write
        self.began = self.took = self.manner = None
        self.bytes_after = 0

    async def run(self, dialling, listening):
        """dialling, listening: (reader, writer) of either end. Sets took where a frame was bent."""
        victim, honest = (dialling, listening) if DIALS else (listening, dialling)
        towards = asyncio.create_task(self.towards_victim(honest[0], victim[1]))
        try:
            await asyncio.wait_for(self.from_victim(victim[0], honest[1]), PATIENCE)
        except TimeoutError:
            self.manner = "open"
        if self.began is not None:
            self.took = time.monotonic() - self.began
        victim[1].close()
        try:
            end_like(honest[1], self.manner)
            await asyncio.wait_for(towards, PATIENCE)
        except (OSError, TimeoutError):
            pass
        honest[1].close()

    async def towards_victim(self, reader, writer):
        number = 0
        try:
            async for whole in writes(reader):
                number += 1
                if number == AT_WRITE:
                    self.began = time.monotonic()
                    writer.write(bend(whole, self.kind) + os.urandom(NOISE))
                    break
                writer.write(whole)
                await self.on_write(number)
        except ConnectionError:
            pass
        await drain(reader)

    async def from_victim(self, reader, writer):
        self.manner = "FIN"
        try:
            while part := await reader.read(65536):
                if self.began is not None:
                    self.bytes_after += len(part)
                writer.write(part)
        except ConnectionError:
            self.manner = "RST"


class Run:
    def __init__(self, folder):
        self.folder = folder
        self.left = list(BENT) * COUNT
        random.shuffle(self.left)
        self.wires = []
        self.ended = {"victim": {}, "partner": {}}  # how each end's program ended: code and message
        self.retried = 0
        self.running = set()  # programs
        self.fault = self.fault_port = None
        self.options = ["-k", f"{folder}/k", "--linger", f"{LEAST}-{MOST}", "--handshake-timeout", "29"]

    def note(self, wire):
        """Count it, or have its kind tried again: a busy machine lost it before a frame was bent."""
        if wire.took is not None:
            self.wires.append(wire)
            return True
        self.retried += 1
        self.left.append(wire.kind)
        return False

    # ---- Programs for one connection each ----

    async def program(self, *words):
        program = await asyncio.create_subprocess_exec(
            *words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.running.add(program)
        return program

    async def faulty(self):
        """The listener with the planted fault, for all connections. Returns its port."""
        self.fault = await self.program(sys.executable, "-B", f"{HERE}/../cli/probe_faults.py", END,
                                        f"{self.folder}/k")
        return int((await self.fault.stderr.readline()).split()[-1])

    async def listener(self, number):
        """A listening program, and its port."""
        words = ["recv", "-o", f"{self.folder}/{number}"] if END in ("recv", "send") else ["pipe"]
        for _ in range(20):
            port = next_port()
            program = await self.program(DUET, *words, *self.options, "-l", f"127.0.0.1:{port}")
            if b"listening" in await program.stderr.readline():
                return program, port
            await program.wait()  # another connection has taken the port meanwhile
        raise RuntimeError("the listener does not listen")

    async def session(self, number, kind):
        """One connection between two programs."""
        os.mkdir(f"{self.folder}/{number}")
        if self.fault is None:
            listening, port = await self.listener(number)
        else:
            listening, port = None, self.fault_port
        accepted = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(lambda *ends: accepted.set_result(ends), "127.0.0.1", 0)
        at = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        words = ["send", "-k"] if END in ("recv", "send") else ["pipe", "-k"]
        file = [f"{self.folder}/file"] if words[0] == "send" else []
        dialling = await self.program(DUET, words[0], *self.options, *file, at)
        fed = dialling if AT_WRITE == 3 else listening

        async def feed(number):
            if number == AT_WRITE - 1 and not file:
                fed.stdin.write(bytes(PAYLOAD))

        wire = Wire(kind, feed)
        ends = await asyncio.wait_for(accepted, 60)
        await wire.run(ends, await asyncio.open_connection("127.0.0.1", port))
        server.close()
        told = {}
        for program, role in (dialling, DIALS), (listening, not DIALS):
            if program is not None:
                program.stdin.close()
                told[role] = (await program.stderr.read()).decode(), await program.wait()
                self.running.discard(program)
        shutil.rmtree(f"{self.folder}/{number}")
        if self.note(wire):
            for role, (text, code) in told.items():
                self.ended["victim" if role else "partner"].setdefault((code, text), set()).add(kind)

    async def programs(self):
        async def one():
            while self.left:
                await self.session(next(numbers), self.left.pop())

        numbers = iter(range(10 ** 9))
        with open(f"{self.folder}/file", "wb") as file:
            file.write(bytes(PAYLOAD))
        if END in FAULTS:
            self.fault_port = await self.faulty()
        await asyncio.gather(*(one() for _ in range(AT_ONCE)))

    # ---- One client and one server for all connections ----

    async def tunnel(self):
        async def relay(*dialling):
            if offered.empty():  # the client dials once more: a machine so busy
                dialling[1].close()
                return
            wire = Wire(offered.get_nowait(), nothing)
            await wire.run(dialling, await asyncio.open_connection("127.0.0.1", server_port))
            self.note(wire)

        async def nothing(number):
            pass

        async def greet(reader, writer):
            """The server's target speaks first; then the handshake is over at both ends."""
            writer.write(bytes(PAYLOAD))
            await drain(reader)
            writer.close()

        async def use():
            while self.left:
                offered.put_nowait(self.left.pop())
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", client_port)
                    if await reader.read(65536):
                        writer.write(bytes(PAYLOAD))
                    await drain(reader)
                    writer.close()
                except ConnectionError:
                    pass

        port_of = lambda listener: listener.sockets[0].getsockname()[1]
        offered = asyncio.Queue()
        target = await asyncio.start_server(greet, "127.0.0.1", 0)
        attacker = await asyncio.start_server(relay, "127.0.0.1", 0)
        server_port, client_port = next_port(), next_port()
        await self.service("server", server_port, port_of(target))
        await self.service("client", client_port, port_of(attacker))
        while self.left:
            await asyncio.gather(*(use() for _ in range(AT_ONCE)))
            while len(self.wires) + len(self.left) < COUNT * len(BENT):
                await asyncio.sleep(0.1)
        self.read_logs()

    async def all(self):
        try:
            await (self.tunnel() if END in ("server", "client") else self.programs())
        finally:
            for program in self.running:
                if program.returncode is None:
                    program.kill()
                    await program.wait()

    async def service(self, side, port, target):
        with open(f"{self.folder}/{side}.log", "wb") as log:
            self.running.add(await asyncio.create_subprocess_exec(
                DUET, side, *self.options, "--listen", f"127.0.0.1:{port}", "--target",
                f"127.0.0.1:{target}", "--max-connections", "1000", stderr=log))
        for _ in range(600):
            with open(f"{self.folder}/{side}.log", encoding="utf-8") as log:
                if "listening" in log.read():
                    return
            await asyncio.sleep(0.1)
        raise RuntimeError("the service does not listen")

    def read_logs(self):
        for side in "server", "client":
            with open(f"{self.folder}/{side}.log", encoding="utf-8") as log:
                lines = re.findall(r"outcome (\w+): (.*)", log.read())
            role = "victim" if side == END else "partner"
            for outcome, text in lines:
                self.ended[role].setdefault((outcome, text), set())


def judge(run):
    """What gives away what was bent."""
    by_kind = {kind: [w for w in run.wires if w.kind == kind] for kind in BENT}
    times = {kind: [w.took for w in wires] for kind, wires in by_kind.items()}
    manners = {kind: [w.manner != "FIN" for w in wires] for kind, wires in by_kind.items()}
    after = {kind: [w.bytes_after for w in wires] for kind, wires in by_kind.items()}
    for line in summary(times):
        print(line)
    print(f"closes by FIN: {sum(w.manner == 'FIN' for w in run.wires)} of {len(run.wires)}; with bytes "
          f"after the bent one: {sum(w.bytes_after > 0 for w in run.wires)}; tried again: {run.retried}")
    found = judge_times(times, LEAST, MOST)
    found += told_apart(manners, "the manner of the close") + told_apart(after, "bytes after the bent one")
    if END in FAULTS:
        return found
    for role, ended in run.ended.items():
        for (code, text), _ in sorted(ended.items(), key=str):
            print(f"{role}: {code}: {text.strip()}")
    if any(w.manner != "FIN" for w in run.wires):
        found.append("not all end by FIN")
    # A sign of life may cross the bent frame.
    if sum(w.bytes_after > 0 for w in run.wires) > max(2, len(run.wires) / 50):
        found.append("bytes follow the bent one")
    return found + judge_ends(run.ended)


def judge_ends(ended):
    """One exit code at the victim, and one line, which names the cause for its user alone; one code
    and one message at its partner."""
    found = []
    codes = {code for code, _ in ended["victim"]}
    if codes not in ({5}, {"cut"}):
        found.append(f"the exit codes: {codes}")
    for (_, text), kinds in ended["victim"].items():
        if text.count("\n") > 1 or not text:
            found.append(f"the message: {text!r} {kinds}")
    if len(ended["partner"]) != 1:
        found.append(f"the partner tells the kinds: {ended['partner']}")
    return found


def main():
    check_tests()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([DUET, "keygen", "-q", "-o", f"{folder}/k"], check=True, stdout=subprocess.DEVNULL)
        run = Run(folder)
        asyncio.run(run.all())
        found = judge(run)
    if END in FAULTS:
        hit = any(FAULTS[END] in fault for fault in found)
        print(f"planted: {END}: {'found' if hit else 'NOT FOUND'}")
        sys.exit(0 if hit else 1)
    for fault in found:
        print("WRONG", fault)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
