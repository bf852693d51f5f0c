"""Programs of UDP at both ends of a tunnel, for 45-udp.sh and real-udp.sh. An address is HOST:PORT. A
server says "listening on" once it does; on an unexpected event a program ends with a message and status 1."""

import os
import socket
import sys
import time

PATIENCE = 40  # seconds that anything here waits for what must come
MOST = 65536


def parse(address):
    host, port = address.rsplit(":", 1)
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    return family, (host.strip("[]"), int(port))


def open_socket(address, bound=False):
    family, where = parse(address)
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    if bound:
        s.bind(where)
        print("listening on", address, file=sys.stderr, flush=True)
    s.settimeout(PATIENCE)
    return s, where


def fail(message):
    sys.exit("datagrams: " + message)


def echo(address, copies="1"):
    """Sends each datagram back, so many times."""
    s, _ = open_socket(address, True)
    s.settimeout(None)
    while True:
        data, source = s.recvfrom(MOST)
        for _ in range(int(copies)):
            s.sendto(data, source)


def slow(address, go):
    """As echo; but a datagram that begins with "later" is answered once the file exists."""
    s, _ = open_socket(address, True)
    s.settimeout(0.05)
    kept = []
    while True:
        try:
            data, source = s.recvfrom(MOST)
            kept.append((data, source))
        except socket.timeout:
            pass
        waits = not os.path.exists(go)
        for data, source in kept:
            if not (waits and data.startswith(b"later")):
                s.sendto(data, source)
        kept = [one for one in kept if waits and one[0].startswith(b"later")]


def record(address):
    """Prints the first word of each datagram, and answers nothing."""
    s, _ = open_socket(address, True)
    s.settimeout(None)
    while True:
        print(s.recv(MOST).split()[0].decode(), flush=True)


def ask(address, *sizes):
    """Sends a datagram of each size and expects it back from the address that was asked."""
    s, where = open_socket(address)
    for size in map(int, sizes):
        data = os.urandom(size)
        s.sendto(data, where)
        back, source = s.recvfrom(MOST)
        if back != data:
            fail(f"{size} bytes came back as {len(back)} others")
        if source[:2] != where:
            fail(f"asked {where}, answered by {source}")


def flows(address, count, each):
    """So many sources at once, each with numbered datagrams: each source sees its own, all of them, in
    order. 64 at most are under way, which the kernel's buffers hold."""
    sockets = [open_socket(address) for _ in range(int(count))]
    each, window = int(each), 64 // int(count)

    def datagram(flow, number):
        return b"%d %d " % (flow, number) + b"x" * (number * 37 % 1200)

    for start in range(0, each, window):
        numbers = range(start, min(start + window, each))
        for flow, (s, where) in enumerate(sockets):
            for number in numbers:
                s.sendto(datagram(flow, number), where)
        for flow, (s, where) in enumerate(sockets):
            for number in numbers:
                if (data := s.recv(MOST)) != datagram(flow, number):
                    fail(f"flow {flow} expects {number}, not {data[:20]!r}")


def numbered(address, count):
    """Sends so many numbered datagrams from one source, slowly enough for the kernel to keep all."""
    s, where = open_socket(address)
    for number in range(int(count)):
        s.sendto(b"%d ." % number, where)
        time.sleep(0.002)


def pour(address, count, size):
    """Sends that much from one source, and waits for nothing."""
    s, where = open_socket(address)
    for number in range(int(count)):
        s.sendto(b"%d " % number + b"x" * (int(size) - 12), where)
        if number % 16 == 0:
            time.sleep(0.002)


def unanswered(address, seconds="3"):
    """A datagram to which nothing may come back."""
    s, where = open_socket(address)
    s.sendto(b"anybody?", where)
    s.settimeout(float(seconds))
    try:
        fail(f"{s.recv(MOST)!r} came back")
    except TimeoutError:
        pass


def patient(address):
    """One echo, within some seconds; what else comes is of before."""
    s, where = open_socket(address)
    s.settimeout(3)
    s.sendto(data := os.urandom(16), where)
    while s.recv(MOST) != data:
        pass


def passed(address, *command):
    """Runs a command that has a bound socket; its number stands in the place of N."""
    s, _ = open_socket(address)
    s.bind(parse(address)[1])
    os.set_inheritable(s.fileno(), True)
    s.setblocking(True)
    os.execvp(command[0], [word.replace("fd:N", f"fd:{s.fileno()}") for word in command])


def service():
    """A service of UDP alone whose port is free: its name and port; "" where none is known."""
    for name in ("iax", "babel", "l2f", "icpv2", "rplay", "afs3-bos"):
        try:
            port = socket.getservbyname(name, "udp")
        except OSError:
            continue
        try:
            socket.getservbyname(name, "tcp")
            continue
        except OSError:
            pass
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return print(name, port)
    return print()


def stay(address, end):
    """A flow that is used until the file comes to be; its echo must be there each time."""
    s, where = open_socket(address)
    number = 0
    while not os.path.exists(end):
        s.sendto(b"%d" % number, where)
        if s.recv(MOST) != b"%d" % number:
            fail("another echo")
        if number == 0:
            print("held", flush=True)
        number += 1
        time.sleep(0.05)


def told(address, end):
    """Each source that asked is told a number, again and again, until the file exists."""
    s, _ = open_socket(address, True)
    s.settimeout(0.05)
    sources, number = [], 0
    while not os.path.exists(end):
        try:
            sources.append(s.recvfrom(MOST)[1])
        except socket.timeout:
            pass
        number += 1
        for source in sources:
            s.sendto(b"%d" % number, source)


def listen(address, seconds):
    """One datagram, and then nothing but listening for this long: what comes must never stop."""
    s, where = open_socket(address)
    s.sendto(b"tell me", where)
    s.recv(MOST)
    print("heard", flush=True)
    s.settimeout(float(seconds) / 2)
    until = time.monotonic() + float(seconds)
    while time.monotonic() < until:
        s.recv(MOST)


def across(address, go, answer):
    """One source asks, and again once the file exists; what it asked before may be answered then too."""
    s, where = open_socket(address)
    s.sendto(b"later, of before", where)
    s.sendto(b"now", where)
    if s.recv(MOST) != b"now":
        fail("another echo")
    print("asked", flush=True)
    while not os.path.exists(go):
        time.sleep(0.02)
    s.sendto(b"later, of after", where)
    open(answer, "w").close()
    if {s.recvfrom(MOST) for _ in range(2)} != {(b"later, of before", where), (b"later, of after", where)}:
        fail("other replies")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
