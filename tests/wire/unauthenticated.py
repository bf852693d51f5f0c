#!/usr/bin/env python3
"""Unauthenticated peers at a listener: many openings of many kinds, none of which may be answered, and
none of which may be distinguished from another by when and how its connection is closed
(docs/protocol.md §4 "Probing").

    unauthenticated.py DUET CONNECTIONS [DRAIN-SECONDS [pipe|recv|server]]

A server has a target, which nothing may ever reach. The kinds come in random order, so that a busy
machine delays all of them. The mean time of each kind is compared with that of all the others. A
listener of the script's own, which closes at once on what is not duet, is the control: it must be
distinguished.
"""
import asyncio
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from ports import next_port  # noqa: E402

DUET, COUNT = sys.argv[1], int(sys.argv[2])
DRAIN = float(sys.argv[3]) if len(sys.argv) > 3 else 1.5
LISTENER = sys.argv[4] if len(sys.argv) > 4 else "pipe"
AT_ONCE = 250  # below the listener's --max-connections
FLOOD = 200_000
SLACK = 0.05  # seconds that means may lie apart by chance alone on a busy machine


def noise(least, most):
    return random.randbytes(random.randint(least, most))


class Openings:
    """What each kind of peer sends: bytes, and whether its FIN follows at once."""

    def __init__(self, flight):
        self.flight = flight
        self.cut = 0
        self.kinds = {
            "nothing": lambda: (b"", False),
            "FIN alone": lambda: (b"", True),
            "noise": lambda: (noise(1, 2000), False),
            "noise, FIN": lambda: (noise(1, 2000), True),
            "truncated": self.truncated,
            "truncated, FIN": lambda: (self.truncated()[0], True),
            "replayed": lambda: (flight, False),
            "replayed, more": lambda: (flight + noise(1, 300), False),
            "one bit wrong": self.flipped,
            "flood": lambda: (noise(FLOOD, FLOOD), False),
            "zeros": lambda: (bytes(random.randint(1, 500)), False),
            "TLS": lambda: (bytes.fromhex("16030100c8010000c40303") + noise(194, 194), False),
            "HTTP": lambda: (b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", False),
            "SSH": lambda: (b"SSH-2.0-OpenSSH_9.2\r\n", False),
            "SOCKS5": lambda: (b"\x05\x01\x00", False),
            "SOCKS4": lambda: (b"\x04\x01\x00\x50\x0a\x00\x00\x01\x00", False),
        }

    def truncated(self):
        self.cut = self.cut % (len(self.flight) - 1) + 1
        return self.flight[: self.cut], False

    def flipped(self):
        flight = bytearray(self.flight)
        flight[random.randrange(len(flight))] ^= 1 << random.randrange(8)
        return bytes(flight), False


async def knock(port, opening, fin, gate):
    """One connection: how many bytes came back, how it ended, and after how long."""
    async with gate:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        begin = time.monotonic()
        got, end = 0, "FIN"
        try:
            writer.write(opening)
            if fin:
                writer.write_eof()
            while part := await asyncio.wait_for(reader.read(65536), DRAIN + 200):
                got += len(part)
        except ConnectionError:
            end = "RST"
        except TimeoutError:
            end = "open"
        took = time.monotonic() - begin
        writer.transport.abort()
        return got, end, took


async def knock_all(port, openings, count):
    """Connections of all kinds in random order. Returns for each kind what knock() did."""
    gate = asyncio.Semaphore(AT_ONCE)
    order = [name for name in openings.kinds for _ in range(count // len(openings.kinds))]
    random.shuffle(order)
    results = await asyncio.gather(
        *(knock(port, *openings.kinds[name](), gate) for name in order))
    results_by_kind = {}
    for name, result in zip(order, results):
        results_by_kind.setdefault(name, []).append(result)
    return results_by_kind


def faults(results_by_kind):
    """What gives the listener away."""
    found = []
    for name, results in results_by_kind.items():
        answered = sum(1 for got, _, _ in results if got)
        ends = {end for _, end, _ in results}
        if answered:
            found.append(f"{name}: {answered} were answered")
        if ends != {"FIN"}:
            found.append(f"{name}: ended by {sorted(ends)}")
        mine = [took for _, _, took in results]
        others = [took for other, list_ in results_by_kind.items() if other != name for _, _, took in list_]
        apart = abs(statistics.fmean(mine) - statistics.fmean(others))
        error = (statistics.variance(mine) / len(mine)
                 + statistics.variance(others) / len(others)) ** 0.5
        if apart > SLACK + 6 * error:
            found.append(f"{name}: closed {apart:.3f} s apart from the others")
    return found


def record_flight(folder):
    """The first flight of a peer that holds the secret, as a listener of ours hears it."""

    async def listen():
        heard = asyncio.get_running_loop().create_future()

        async def take(reader, writer):
            flight = await reader.read(65536)
            try:
                while part := await asyncio.wait_for(reader.read(65536), 0.3):
                    flight += part
            except TimeoutError:
                pass  # that was all
            heard.set_result(flight)
            writer.close()

        server = await asyncio.start_server(take, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        peer = await asyncio.create_subprocess_exec(
            DUET, "ping", "-q", "-k", f"{folder}/k", "--profile", f"{folder}/bare",
            "--handshake-timeout", "29", f"127.0.0.1:{port}",
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        flight = await asyncio.wait_for(heard, 200)
        await peer.wait()
        return flight

    return asyncio.run(listen())


def command(folder, address, target):
    """The listener's command line; its limits are beyond what knocks here."""
    common = ["-k", f"{folder}/k", "--profile", f"{folder}/bare", "--drain-timeout", f"{DRAIN}-{DRAIN}",
            "--max-connections", "1000"]
    return [DUET, LISTENER, *common, *{
        "pipe": ["-v", "--max-skew", "never", "-l", address],  # it would not answer what is older than itself
        "recv": ["-v", "--max-skew", "never", "-l", "-o", f"{folder}/taken", address],
        "server": ["-v", "--max-half-open", "1000", "--max-from-source", "0",
                   "--listen", address, "--target", target],
    }[LISTENER]]


def start_listener(folder, target):
    """The command as listener; returns it and its port."""
    port = next_port()
    with open(f"{folder}/said", "w", encoding="utf-8") as said:
        listener = subprocess.Popen(
            command(folder, f"127.0.0.1:{port}", target),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said)
    while "listening on" not in open(f"{folder}/said", encoding="utf-8").read():
        if listener.poll() is not None:
            sys.exit("unauthenticated: the listener ended: " + open(f"{folder}/said", encoding="utf-8").read())
        time.sleep(0.05)
    return listener, port


def was_reached(target):
    """1 when something has connected to the target."""
    target.setblocking(False)
    try:
        target.accept()
    except BlockingIOError:
        return False
    return True


async def control(openings):
    """A listener that gives itself away: it closes as soon as what came is no TLS."""

    async def take(reader, writer):
        first = await reader.read(1)
        if first == b"\x16":
            await asyncio.sleep(DRAIN)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    few = Openings(openings.flight)
    few.kinds = {name: few.kinds[name] for name in ("TLS", "HTTP", "noise")}
    return faults(await knock_all(port, few, 90))


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([DUET, "keygen", "-q", "-o", f"{folder}/k"], check=True,
                       stdout=subprocess.DEVNULL)
        with open(f"{folder}/bare", "w", encoding="utf-8") as profile:
            profile.write("[Profile]\nHelloSize = 0 0\n")
        openings = Openings(record_flight(folder))
        if not asyncio.run(control(openings)):
            sys.exit("unauthenticated: the control, which closes at once, was not distinguished")
        target = socket.create_server(("127.0.0.1", 0))
        listener, port = start_listener(folder, f"127.0.0.1:{target.getsockname()[1]}")
        # The recorded flight is answered once, by its first coming; from then on it is a replay.
        gate = asyncio.Semaphore(1)
        first = asyncio.run(knock(port, openings.flight, True, gate))
        results_by_kind = asyncio.run(knock_all(port, openings, COUNT))
        ended = listener.poll() is not None
        listener.kill()
        listener.wait()
    for name, results in sorted(results_by_kind.items()):
        times = [took for _, _, took in results]
        print(f"{name:16} {len(times):5} connections, {sum(got for got, _, _ in results)} bytes "
              f"back, closed after {statistics.fmean(times):.3f} s "
              f"(deviation {statistics.stdev(times):.3f})")
    found = faults(results_by_kind)
    if not first[0]:
        found.append("the flight that was recorded is none: it had no answer at its first coming")
    if was_reached(target):
        found.append("the target was reached")
    if ended:
        found.append("the listener ended")
    for fault in found:
        print("WRONG", fault)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
