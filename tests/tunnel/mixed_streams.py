"""The streams of mixed.py: a service and its clients, which hash every byte at both ends.

A client sends how many bytes it will send and wants, then its bytes and their SHA-256. The service
answers with its own bytes, the hash that it found, and the hash of its bytes. A stream is complete
when both hashes agree and each direction has ended after its last byte; it may be cut, by a reset
alone. An end before the last byte is a cut that was taken for an end, which may never happen.
"""

import hashlib
import os
import random
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True

from peer import parse, reset  # noqa: E402

PATIENCE = 150  # seconds without a byte, after which a stream is stuck
HEADER = struct.Struct("!IIHH")  # bytes up, bytes down, milliseconds between pieces, what ends it
HASH = 32
PIECE = 16384
NOISE = os.urandom(1 << 20)


class Truncated(Exception):
    pass


class Wrong(Exception):
    pass


class Tally:
    """What became of the streams, by name."""

    def __init__(self):
        self.lock = threading.Lock()
        self.counts = {}
        self.reasons = []
        self.bytes = 0

    def add(self, lane, outcome, reason=""):
        with self.lock:
            key = (lane, outcome)
            self.counts[key] = self.counts.get(key, 0) + 1
            if reason and len(self.reasons) < 50:
                self.reasons.append(f"{lane}: {outcome}: {reason}")

    def moved(self, count):
        with self.lock:
            self.bytes += count

    def get(self, outcome, lane=None):
        with self.lock:
            return sum(n for (of, what), n in self.counts.items()
                       if what == outcome and lane in (None, of))


def read_exactly(s, size):
    data = bytearray()
    while len(data) < size:
        piece = s.recv(size - len(data))
        if not piece:
            raise Truncated(f"the end after {len(data)} of {size} bytes")
        data += piece
    return bytes(data)


def read_hashed(s, size):
    """The hash of so many bytes that come, after which their hash comes."""
    digest = hashlib.sha256()
    left = size
    while left:
        piece = s.recv(min(left, 1 << 17))
        if not piece:
            raise Truncated(f"the end, {left} bytes before the last")
        digest.update(piece)
        left -= len(piece)
    return digest.digest()


def send_hashed(s, size, pause):
    """Sends so many bytes, paused between the pieces; returns their hash, which was not sent."""
    digest = hashlib.sha256()
    left = size
    while left:
        begin = random.randrange(len(NOISE) - PIECE)
        piece = NOISE[begin:begin + min(left, PIECE)]
        digest.update(piece)
        s.sendall(piece)
        left -= len(piece)
        if pause and left:
            time.sleep(pause)
    return digest.digest()


def expect_end(s):
    if s.recv(1):
        raise Wrong("bytes after the last")


class Service:
    """Listens at an address, until it is stopped: then it resets what is open."""

    def __init__(self, address, name, tally):
        self.address, self.name, self.tally = address, name, tally
        self.open = set()
        self.listener = None

    def start(self):
        family, where = parse(self.address)
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(where)
        self.listener.listen(1024)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.listener = None
        for s in list(self.open):
            try:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.shutdown(socket.SHUT_RD)  # its thread wakes up, and closes it by a reset
            except OSError:
                pass

    def accept(self, listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            s.settimeout(PATIENCE * 2)
            self.open.add(s)
            threading.Thread(target=self.handle, args=(s, listener), daemon=True).start()

    def handle(self, s, listener):
        try:
            self.serve(s)
            self.tally.add(self.name, "complete")
            s.close()
        except (ConnectionError, OSError) as error:
            stuck = isinstance(error, TimeoutError)
            self.tally.add(self.name, "stuck" if stuck else "cut", str(error) if stuck else "")
            reset(s)
        except (Truncated, Wrong) as error:
            if listener is self.listener or isinstance(error, Wrong):
                self.tally.add(self.name, type(error).__name__.lower(), str(error))
            reset(s)
        finally:
            self.open.discard(s)

    def serve(self, s):
        first = s.recv(1)
        if not first:
            return  # a look at whether it is there
        up, down, pause, _ = HEADER.unpack(first + read_exactly(s, HEADER.size - 1))
        sent = []
        sender = threading.Thread(target=self.answer, args=(s, down, pause / 1000, sent), daemon=True)
        sender.start()
        try:
            found = read_hashed(s, up)
            said = read_exactly(s, HASH)
        except Truncated:
            sender.join()
            if not sent:  # it took the error of a reset
                raise ConnectionError("cut while it answered") from None
            raise
        if said != found:
            raise Wrong("another hash than was sent")
        sender.join()
        if not sent:
            raise ConnectionError("cut while it answered")
        s.sendall(found + sent[0])
        s.shutdown(socket.SHUT_WR)
        expect_end(s)
        self.tally.moved(up)

    def answer(self, s, down, pause, sent):
        try:
            s.sendall(self.name.encode().ljust(16))
            sent.append(send_hashed(s, down, pause))
        except OSError:
            pass


def exchange(address, name, up, down, pause, half_close):
    """One stream; raises what went wrong with it."""
    family, where = parse(address)
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(PATIENCE)
    sent = []
    try:
        s.connect(where)

        def send():
            try:
                s.sendall(HEADER.pack(up, down, int(pause * 1000), 0))
                hashed = send_hashed(s, up, pause)
                s.sendall(hashed)
                sent.append(hashed)
                if half_close:
                    s.shutdown(socket.SHUT_WR)
            except OSError as error:
                sent.append(error)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        who = read_exactly(s, 16).decode().strip()
        if who != name:
            raise Wrong(f"the service {who} instead of {name}")
        found = read_hashed(s, down)
        tail = read_exactly(s, 2 * HASH)
        sender.join()
        if not isinstance(sent[0], bytes):
            raise sent[0]
        if tail[:HASH] != sent[0]:
            raise Wrong("the service found another hash")
        if tail[HASH:] != found:
            raise Wrong("another hash than the service sent")
        if not half_close:
            s.shutdown(socket.SHUT_WR)
        expect_end(s)
        s.close()
    except Truncated:
        sender.join()
        reset(s)
        # Of a reset the sender may take the error, and leave an end to the reader.
        if sent and isinstance(sent[0], OSError):
            raise sent[0] from None
        raise
    except BaseException:
        reset(s)
        raise


class Lane:
    """Clients of one tunnel, one stream after another each; `strict` where none may be cut."""

    def __init__(self, name, address, service, tally, strict, clients, rate):
        self.name, self.address, self.service = name, address, service
        self.tally, self.strict, self.clients, self.rate = tally, strict, clients, rate
        self.busy = 0
        self.lock = threading.Lock()

    def start(self, running):
        for number in range(self.clients):
            threading.Thread(target=self.run, args=(running, random.Random(number)), daemon=True).start()

    def run(self, running, draw):
        while True:
            running.wait()
            with self.lock:
                self.busy += 1
            try:
                self.once(draw)
            finally:
                with self.lock:
                    self.busy -= 1
            time.sleep(draw.expovariate(self.rate))

    def once(self, draw):
        sizes = [draw.choice((0, 1, 100, 16384, 70000, 400000, 2000000)) for _ in range(2)]
        pause = draw.choice((0, 0, 0, 0, 0.01, 0.2))
        if pause:
            sizes = [min(size, int(6 / pause) * PIECE) for size in sizes]
        try:
            exchange(self.address, self.service, *sizes, pause, draw.random() < 0.5)
            self.tally.add(self.name, "complete")
            self.tally.moved(sum(sizes))
        except TimeoutError as error:
            self.tally.add(self.name, "stuck", str(error))
        except (Truncated, Wrong) as error:
            self.tally.add(self.name, type(error).__name__.lower(), str(error))
        except OSError as error:
            self.tally.add(self.name, "cut", str(error) if self.strict else "")
