"""More plain programs at both ends of a tunnel, beside those of peer.py: services that tell which they
are, and their clients."""

import os
import socket
import sys
import time

sys.dont_write_bytecode = True

from peer import PATIENCE, connect, fail, read_exactly, serve  # noqa: E402


# ---- Services ----


def named(address, name):
    """Speaks first: a line with its name. Then echoes."""

    def handle(s):
        s.sendall(name.encode() + b"\n")
        while piece := s.recv(1 << 16):
            s.sendall(piece)
        s.close()

    serve(address, handle)


def full(path, go):
    """On a Unix socket whose queue is full until the file `go` exists: then it echoes."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(0)
    waiting = socket.socket(socket.AF_UNIX)
    waiting.connect(path)
    print("listening on", path, file=sys.stderr, flush=True)
    while not os.path.exists(go):
        time.sleep(0.02)
    waiting.close()
    while True:
        s, _ = listener.accept()
        try:
            while piece := s.recv(1 << 16):
                s.sendall(piece)
        except OSError:
            pass
        s.close()


# ---- Clients ----


def read_line(s):
    line = b""
    while not line.endswith(b"\n"):
        line += read_exactly(s, 1)
    return line.decode().strip()


def meet(address):
    """Prints the name of a named() service, and has a word echoed."""
    s = connect(address)
    name = read_line(s)
    s.sendall(b"word")
    if read_exactly(s, 4) != b"word":
        fail("another echo")
    print(name)


def stay(address, end):
    """Meets a service, and meets it still when the file `end` exists."""
    s = connect(address)
    read_line(s)
    print("held", flush=True)
    until = time.monotonic() + PATIENCE
    while not os.path.exists(end) and time.monotonic() < until:
        time.sleep(0.02)
    s.sendall(b"word")
    if read_exactly(s, 4) != b"word":
        fail("another echo")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
