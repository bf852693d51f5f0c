#!/usr/bin/env python3
"""An adversary on TCP between two `duet pipe`: he holds no secret and does as he likes with bytes.

    proxy.py [--all] [--cases N] [--seed N] [--only ACTION]

DUET names the command. Every action is tried in both directions, all patterns, and at places within
the flights, behind them and at the end. Whatever he does: what either side writes is a beginning of
what the other sent; who was lied to says so by the exit code of docs (4 before READY, 5, 6 or 7
after it) and the other side sees no error of its own; it ends in time, in little memory. What only changes how bytes
come (delays, pieces) changes nothing. Prints how many cases of each action there were.
"""

import argparse
import collections
import os
import pathlib
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from ports import next_port  # noqa: E402
from alter import CRAWL, DAMAGE, HARMLESS, PATIENCE, Alter, Proxy, carry, quietly

DUET = os.environ["DUET"]
SENT = {"top": 150000, "bottom": 100000}  # bytes of plain text
TIMES = ["--handshake-timeout", "1.5", "--idle-timeout", "1.5", "--drain-timeout", "0.3-0.3", "--linger", "0.1-0.3"]
LONG = ["--handshake-timeout", "29", "--idle-timeout", "100", "--drain-timeout", "30-30"]  # all is well
PATTERNS = {"secret": ["--pattern", "secret"], "ephemeral": [], "identity": ["-i"]}


HEAP = os.environ.get("HEAP_PRELOAD")  # counts what a side allocates (tests/support/heap_preload.c)


class limits:
    memory = 8000  # KiB that either side may hold at a time
    taken = 0


class Failure(Exception):
    pass


def need(holds, *what):
    if not holds:
        raise Failure(" ".join(str(w) for w in what))


# ---- The two sides ----

def peak_of(path):
    """The most KiB that a side held at a time; 0 where that is not counted."""
    if not HEAP or not path.exists():
        return 0
    counts = path.read_bytes()
    return struct.unpack("=2q", counts)[1] // 1024 if len(counts) == 16 else 0


class Side:
    def __init__(self, name, arguments, pattern, stdin, times):
        self.name, self.out, self.err = name, pathlib.Path(name + ".out"), pathlib.Path(name + ".err")
        self.heap = pathlib.Path(name + ".heap")
        self.heap.unlink(missing_ok=True)
        link = ["-k", "key", *times, *PATTERNS[pattern]]
        counting = {"LD_PRELOAD": HEAP, "HEAP_FILE": str(self.heap)} if HEAP else {}
        if pattern == "identity":
            link += [name + ".identity"]
        with open(stdin, "rb") as source, open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([DUET, "pipe", "-v", *link, *arguments], stdin=source,
                                            stdout=out, stderr=err, env=dict(os.environ, **counting))
        self.code = None

    def wait(self, seconds):
        """The exit code; None while it runs."""
        end = time.monotonic() + seconds
        while self.code is None:
            self.code = self.process.poll()
            if time.monotonic() > end:
                break
            time.sleep(0.003)
        return self.code

    def end(self):
        if self.wait(0) is None:
            self.process.kill()
            self.process.wait()
            self.code = "waits"
        taken = peak_of(self.heap)
        need(taken <= limits.memory, self.name, "held", taken, "KiB")
        limits.taken = max(limits.taken, taken)

    def said(self):
        return self.err.read_text(errors="replace").strip().replace("\n", " | ")

    def listening(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and b"listening on" not in self.err.read_bytes():
            time.sleep(0.003)


def listen(pattern, times=TIMES):
    port = next_port()
    bottom = Side("bottom", ["-l", f"127.0.0.1:{port}"], pattern, "from-bottom", times)
    bottom.listening()
    return bottom, port


def connect(pattern, port, name="top", times=TIMES):
    return Side(name, [f"127.0.0.1:{port}"], pattern, "from-top", times)


def is_beginning(side, source):
    """What a side wrote is a beginning of what was sent. Returns whether it is all."""
    got, sent = side.out.read_bytes(), pathlib.Path(source).read_bytes()
    need(sent.startswith(got), side.name, "wrote a wrong byte among", len(got))
    return got == sent


def settle(bottom):
    """Wait until a listener has ended, or says of a peer that it did not authenticate: then it waits for
    another one, with nothing written."""
    end = time.monotonic() + PATIENCE
    while bottom.wait(0) is None and time.monotonic() < end:
        if re.search(r"^duet: 127\.0\.0\.1 ", bottom.err.read_text(), re.M):
            bottom.wait(0.1)
            break
        time.sleep(0.01)


# ---- Cases ----

def through(pattern, alters, records=(None, None), times=TIMES):
    """Both sides through a proxy. Returns them, ended."""
    bottom, port = listen(pattern, times)
    proxy = Proxy(port, alters, records)
    top = connect(pattern, proxy.port, times=times)
    try:
        need(top.wait(PATIENCE) is not None, "top hangs:", top.said())
        settle(bottom)
    finally:
        bottom.end()
        top.end()
    return top, bottom


def check_damage(action, to, top, bottom):
    lied = top if to == "top" else bottom
    whole = is_beginning(top, "from-bottom"), is_beginning(bottom, "from-top")
    said = f"{lied.name}: exit {lied.code}: {lied.said()}"
    allowed = {4, 6} if action in ("cut", "reset") else {4, 5, 6, 7}
    need(lied.code in allowed or (lied.code == "waits" and lied is bottom), said)
    if lied.code in (4, "waits"):
        need(not lied.out.read_bytes(), "bytes before READY:", said)
    for side, all_there in ((top, whole[0]), (bottom, whole[1])):
        need(side.code in (0, 4, 5, 6, 7, "waits"), side.name, side.code, side.said())
        need(side.code != 0 or all_there, side.name, "exit 0, but bytes are missing")


def altered(action, pattern, to, at, draw):
    """One place of one direction altered. Returns 1, or 0 where that place was never reached."""
    make = {**HARMLESS, **CRAWL}.get(action) or (lambda where, how: Alter(where, DAMAGE[action](how)))
    alter = make(at, draw)
    alters = (Alter(), alter) if to == "top" else (alter, Alter())
    top, bottom = through(pattern, alters, times=LONG if action in HARMLESS else TIMES)
    if action not in HARMLESS and alter.applied:
        check_damage(action, to, top, bottom)
    else:
        need(top.code == 0 and bottom.code == 0, "exit codes", top.code, bottom.code, "after what is "
             "harmless:", top.said(), bottom.said())
        need(is_beginning(top, "from-bottom") and is_beginning(bottom, "from-top"), "not all came")
    return int(alter.applied)


def record(pattern):
    """What both directions of an honest session are."""
    records = bytearray(), bytearray()
    top, bottom = through(pattern, (Alter(), Alter()), records, LONG)
    need(top.code == 0 and bottom.code == 0, "an honest session fails:", top.said(), bottom.said())
    return records


def send_to(port, data, seconds):
    """Send bytes to a listener; returns what it answers within some time."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(seconds)
        quietly(connection.sendall, data)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except OSError:
            pass
        return answer


def replay(pattern, draw):
    """Yesterday's bytes: a listener that saw them is silent; one that did not gives one answer, which
    leads nowhere; either still serves its peer. A client takes no answer of yesterday."""
    to_bottom, to_top = record(pattern)
    bottom, port = listen(pattern, LONG)
    first = send_to(port, bytes(to_bottom), 0.6)
    need(first != bytes(to_top[:len(first)]) or not first, "the same answer twice")
    need(not send_to(port, bytes(to_bottom), 0.6), "a replay is answered twice")
    need(not send_to(port, bytes(to_top), 0.6), "an answer is answered")
    need(not bottom.out.read_bytes(), "bytes before READY")
    top = connect(pattern, port, times=LONG)
    try:
        need(top.wait(PATIENCE) == 0 and bottom.wait(PATIENCE) == 0, "then the peer fails:", top.said(),
             bottom.said())
        need(is_beginning(top, "from-bottom") and is_beginning(bottom, "from-top"), "not all came")
    finally:
        top.end()
        bottom.end()
    answer_of(lambda end: end.sendall(to_top), pattern)
    return 5


def answer_of(speak, pattern):
    """A client whose listener is the adversary: he speaks, and gets exit 4 and not a byte out."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        top = connect(pattern, server.getsockname()[1])
        end, _ = server.accept()
        quietly(speak, end)
        try:
            need(top.wait(PATIENCE) == 4, "exit", top.code, top.said())
            need(not top.out.read_bytes(), "bytes before READY")
        finally:
            end.close()
            top.end()


def echo(end):
    end.settimeout(1)
    while part := quietly(end.recv, 65536):
        end.sendall(part)


def reflect(pattern, draw):
    """A client gets its own bytes back, from the first on or once it is open."""
    answer_of(echo, pattern)
    bottom, port = listen(pattern)
    at = draw.randrange(2000, 60000)
    own = bytearray()

    class Mirror(Alter):
        def __call__(self, part):
            begin, self.n = self.n, self.n + len(part)
            if self.n > at:
                self.applied = True
                yield part[:max(0, at - begin)] + bytes(own[at:at + 4096])
            else:
                yield part

    mirror = Mirror()
    proxy = Proxy(port, (Alter(), mirror), (own, None))
    top = connect(pattern, proxy.port)
    try:
        top.wait(PATIENCE)
        settle(bottom)
    finally:
        top.end()
        bottom.end()
    if mirror.applied:
        check_damage("reflect", "top", top, bottom)
    return 2


def swap(pattern, draw):
    """Two clients are led to each other: the directions exchanged."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sides = connect(pattern, port), connect(pattern, port, "other" if pattern != "identity" else "top")
        ends = server.accept()[0], server.accept()[0]
        for way in (ends, ends[::-1]):
            threading.Thread(target=carry, args=(*way, Alter()), daemon=True).start()
        try:
            for side in sides:
                need(side.wait(PATIENCE) == 4, "exit", side.code, side.said())
                need(not side.out.read_bytes(), "bytes before READY")
        finally:
            for end in ends:
                end.close()
            for side in sides:
                side.end()
    return 2


def flood(pattern, draw):
    """First flights that were seen before, beginnings of such, and noise, all at once: the peer gets
    in, in time, and memory stays small."""
    to_bottom, _ = record(pattern)
    bottom, port = listen(pattern, LONG)
    flights = [bytes(to_bottom[:draw.randrange(30, 1500)]) for _ in range(100)]
    flights += [draw.randbytes(draw.randrange(1, 3000)) for _ in range(100)]
    ends = []
    for flight in flights:
        end = socket.create_connection(("127.0.0.1", port))
        end.setblocking(False)
        quietly(end.send, flight)
        ends.append(end)
    top = connect(pattern, port, times=LONG)
    try:
        need(top.wait(PATIENCE) == 0 and bottom.wait(PATIENCE) == 0, "the peer does not get in:",
             top.said(), bottom.said())
        need(is_beginning(top, "from-bottom") and is_beginning(bottom, "from-top"), "not all came")
    finally:
        for end in ends:
            end.close()
        top.end()
        bottom.end()
    return len(flights)


WHOLE = {"replay": replay, "reflect": reflect, "swap": swap, "flood": flood}


def place(draw, to):
    """A byte within the flights, behind them, or near the end."""
    size = SENT["bottom" if to == "top" else "top"]
    return draw.choice((draw.randrange(0, 130), draw.randrange(0, 1500), draw.randrange(1500, size),
                        draw.randrange(size - 100, size + 100)))


def plan(chosen):
    """(action, pattern, to, at): each action in each pattern and direction, at several places."""
    draw = random.Random(chosen.seed)
    for action in (*DAMAGE, *CRAWL, *HARMLESS):
        for pattern in PATTERNS:
            for to in ("top", "bottom"):
                for _ in range(chosen.cases):
                    yield action, pattern, to, place(draw, to)


def thin(cases, chosen):
    """In the short mode one case of an action and direction, the patterns in turn."""
    for i, case in enumerate(cases):
        if chosen.all or i % 6 in (i // 6 % 3 * 2, i // 6 % 3 * 2 + 1):
            yield case


def prepare(draw):
    for name, arguments in (("key", []), ("top.identity", ["--identity"]), ("bottom.identity", ["--identity"])):
        subprocess.run([DUET, "keygen", *arguments, "-o", name], check=True, stdout=subprocess.DEVNULL)
    for name, size in SENT.items():
        pathlib.Path("from-" + name).write_bytes(draw.randbytes(size))


def attempt(name, call, *arguments):
    """Returns how many cases that was, and 1 when it failed."""
    began = time.monotonic()
    try:
        count = call(*arguments)
        need(time.monotonic() - began < 2 * PATIENCE, "took", time.monotonic() - began, "s")
        return count, 0
    except Failure as failure:
        print(f"FAILED: {name}: {failure}", flush=True)
        return 1, 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true", help="every pattern and place")
    parser.add_argument("--cases", type=int, default=1, help="places for each action and direction")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=(*DAMAGE, *CRAWL, *HARMLESS, *WHOLE))
    parser.add_argument("--memory", type=int, default=limits.memory, help="KiB that either side may hold")
    chosen = parser.parse_args()
    limits.memory = chosen.memory
    draw = random.Random(chosen.seed)
    counts, failures, began = collections.Counter(), 0, time.monotonic()
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        prepare(draw)
        for action, pattern, to, at in thin(plan(chosen), chosen):
            if chosen.only in (None, action):
                name = f"{action} at {at} to {to}, {pattern} (--seed {chosen.seed})"
                n, bad = attempt(name, altered, action, pattern, to, at, draw)
                counts[action] += n
                failures += bad
        for action, call in WHOLE.items():
            for pattern in PATTERNS if chosen.all else ("ephemeral",):
                if chosen.only in (None, action):
                    n, bad = attempt(f"{action}, {pattern}", call, pattern, draw)
                    counts[action] += n
                    failures += bad
        os.chdir(before)
    print(", ".join(f"{action} {n}" for action, n in counts.items()))
    print(f"{sum(counts.values())} cases, {failures} failed, {limits.taken} KiB at most, "
          f"{time.monotonic() - began:.0f} s")
    return 1 if failures or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
