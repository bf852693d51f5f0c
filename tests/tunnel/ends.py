"""More plain programs for the scripts here, beside peer.py: ends that speak the PROXY protocol, and a
systemd of sorts. Everything ends by itself."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from peer import connect, parse, read_all, serve

LIMIT = 900  # seconds that anything here lives


MAGIC = b"\r\n\r\n\0\r\nQUIT\n"


def header(kind, source="203.0.113.7", port="1234"):
    """A header: v1, local, tcp4 or tcp6 with that source, or none."""
    if kind == "none":
        return b""
    if kind == "v1":
        return b"PROXY TCP4 %s 203.0.113.1 %s 80\r\n" % (source.encode(), port.encode())
    if kind == "local":
        return MAGIC + b"\x20\0\0\0"
    family = {"tcp4": socket.AF_INET, "tcp6": socket.AF_INET6}[kind]
    target = {"tcp4": "203.0.113.1", "tcp6": "2001:db8::1"}[kind]
    body = b"".join(socket.inet_pton(family, address) for address in (source, target))
    body += struct.pack(">HH", int(port), 80) + b"\x04\0\x02xy"  # and a field to be skipped
    return MAGIC + b"\x21" + {"tcp4": b"\x11", "tcp6": b"\x21"}[kind] + struct.pack(">H", len(body)) + body


def read_header(s):
    """Reads a PROXY header; returns it as text, and the bytes that were none."""
    head = s.recv(16, socket.MSG_WAITALL)
    if head[:12] != MAGIC:
        return "no header", head
    body = s.recv(struct.unpack(">H", head[14:])[0], socket.MSG_WAITALL)
    size, family = {0x11: (12, socket.AF_INET), 0x21: (36, socket.AF_INET6)}[head[13]]
    half = (size - 4) // 2
    line = f"from {socket.inet_ntop(family, body[:half])}:{struct.unpack('>H', body[size - 4:size - 2])[0]}"
    line += f" to {socket.inet_ntop(family, body[half:2 * half])}:{struct.unpack('>H', body[size - 2:size])[0]}"
    rest = body[size:]
    while rest:
        kind, length = struct.unpack(">BH", rest[:3])
        line += f" {kind:02x}={rest[3:3 + length].decode()}"
        rest = rest[3 + length:]
    return line, b""


def print_source(address):
    """Prints each connection's header, and sends back what follows it."""
    def handle(s):
        line, more = read_header(s)
        print(line, flush=True)
        s.sendall(more + read_all(s))
        s.close()

    serve(address, handle)


def talk(address, text, *how):
    """Sends a header, byte by byte, then a text, and prints what comes back and how it ends."""
    s = connect(address)
    data = b""
    try:
        for byte in header(*how):
            s.sendall(bytes([byte]))
            time.sleep(0.002)
        s.sendall(text.encode())
        s.shutdown(socket.SHUT_WR)
        while more := s.recv(65536):
            data += more
        end = "end"
    except TimeoutError:
        end = "nothing"
    except OSError:  # it came while we wrote, read, or ended
        end = "reset"
    print(data.decode("latin-1"), end)


def check(address, count, *how):
    """Health checks, as a balancer makes them: connects, and closes at once."""
    for _ in range(int(count)):
        s = connect(address)
        s.sendall(header(*how))
        s.close()


def front(address, to, *how):
    """A balancer: puts a header before each connection."""
    def copy(source, target):
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def handle(s):
        t = connect(to)
        t.sendall(header(*how))
        back = threading.Thread(target=copy, args=(t, s), daemon=True)
        back.start()
        copy(s, t)
        back.join()
        s.close()
        t.close()

    serve(address, handle)


def systemd(folder, address, *command):
    """Runs a command with a socket called web, a watchdog, credentials and a place to notify, and
    prints its notifications."""
    notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notes.bind(folder + "/notify")
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(parse(address)[1])
    server.listen(100)
    environment = dict(os.environ, NOTIFY_SOCKET=folder + "/notify", LISTEN_FDS="1",
                       LISTEN_FDNAMES="web", WATCHDOG_USEC="400000",
                       CREDENTIALS_DIRECTORY=folder + "/credentials")
    # LISTEN_PID is the command's own, which takes the shell's place.
    child = subprocess.Popen(["sh", "-c", 'fd=$1; shift; exec 3<&$fd; LISTEN_PID=$$ exec "$@"', "sh",
                              str(server.fileno()), *command],
                             env=environment, pass_fds=(server.fileno(),))
    server.close()
    notes.settimeout(0.2)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, lambda number, _: child.send_signal(number))
    while child.poll() is None:
        try:
            print(notes.recv(4096).decode().replace("\n", " "), flush=True)
        except TimeoutError:
            pass
    print("exit", child.returncode, flush=True)


if __name__ == "__main__":
    signal.alarm(LIMIT)
    globals()[sys.argv[1]](*sys.argv[2:])
