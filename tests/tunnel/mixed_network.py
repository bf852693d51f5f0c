"""The networks and the wrong peers of mixed.py: a way between two ends of a tunnel that can be cut,
stand still, end or alter what it carries; and peers that have no key."""

import os
import random
import socket
import struct
import sys
import threading
import time

sys.dont_write_bytecode = True

from peer import parse, reset  # noqa: E402

STRANGERS_SOURCE = "127.0.0.2"


class Network:
    """Carries connections from one address to another."""

    def __init__(self, address, to):
        self.to = parse(to)[1]
        self.moves = threading.Event()
        self.moves.set()
        self.refuses = False
        self.flips = 0
        self.lock = threading.Lock()
        self.pairs = {}  # how many directions of each are open
        self.flights = []  # first flights, to be sent again
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(parse(address)[1])
        self.listener.listen(1024)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            s, _ = self.listener.accept()
            if self.refuses:
                reset(s)
                continue
            t = socket.socket()
            try:
                t.connect(self.to)
            except OSError:
                reset(s)
                reset(t)
                continue
            for end in (s, t):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (s, t)
            with self.lock:
                self.pairs[pair] = 2
            threading.Thread(target=self.carry, args=(s, t, pair, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(t, s, pair, False), daemon=True).start()

    def carry(self, source, sink, pair, record):
        try:
            while piece := source.recv(1 << 16):
                self.moves.wait()
                if record and len(piece) < 10000:
                    self.flights = [*self.flights[-9:], piece]
                record = False
                if self.flips and len(piece) > 1000:
                    self.flips -= 1
                    piece = bytearray(piece)
                    piece[len(piece) // 2] ^= 4
                sink.sendall(piece)
            self.moves.wait()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop(pair, False)
        finally:
            self.leave(pair)

    def leave(self, pair):
        """The second direction that ends closes both sockets."""
        with self.lock:
            self.pairs[pair] -= 1
            if self.pairs[pair]:
                return
            del self.pairs[pair]
        for end in pair:
            end.close()

    def drop(self, pair, orderly):
        for end in pair:
            try:
                if not orderly:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def drop_all(self, orderly=False):
        with self.lock:
            pairs = list(self.pairs)
        for pair in pairs:
            self.drop(pair, orderly)


def stand_still(network, seconds):
    network.moves.clear()
    time.sleep(seconds)
    network.moves.set()


def refuse(network, seconds):
    network.refuses = True
    network.drop_all()
    time.sleep(seconds)
    network.refuses = False


class Strangers:
    """Come from an address of their own, in crowds, and stay for a while."""

    def __init__(self):
        self.held = []

    def come(self, address, count, flights, draw):
        self.go()
        for _ in range(count):
            s = socket.socket()
            s.settimeout(5)
            try:
                s.bind((STRANGERS_SOURCE, 0))
                s.connect(parse(address)[1])
                kind = draw.choice(("silent", "noise", "again", "part", "gone"))
                if kind == "noise":
                    s.sendall(os.urandom(draw.randrange(1, 5000)))
                elif kind == "again" and flights:
                    s.sendall(draw.choice(flights))
                elif kind == "part" and flights:
                    s.sendall(draw.choice(flights)[:draw.randrange(1, 1000)])
                elif kind == "gone":
                    reset(s)
                    continue
                self.held.append(s)
            except OSError:
                s.close()

    def go(self):
        for s in self.held:
            random.choice((reset, socket.socket.close))(s)
        self.held = []
