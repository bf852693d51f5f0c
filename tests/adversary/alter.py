"""An adversary's hands: what is done to a direction of bytes, and the wire that does it."""

import socket
import struct
import threading
import time

PATIENCE = 200  # seconds in which everything ends, whatever the machine does


class Cut(Exception):
    pass


class Reset(Exception):
    pass


# ---- What is done to a direction ----

class Alter:
    """Lets bytes pass up to one place, does `act` there once, and lets the rest pass."""

    def __init__(self, at=None, act=None):
        self.at, self.act, self.n, self.applied = at, act, 0, False

    def __call__(self, part):
        begin, self.n = self.n, self.n + len(part)
        if self.at is None or self.applied or not begin <= self.at < self.n:
            yield part
            return
        head, tail = part[:self.at - begin], part[self.at - begin:]
        if head:
            yield head
        self.applied = True
        yield from self.act(tail)


def flip(draw):
    bit = 1 << draw.randrange(8)
    return lambda tail: [bytes([tail[0] ^ bit]) + tail[1:]]


def drop(draw):
    n = draw.choice((1, 8, 16, 24, 100))
    return lambda tail: [tail[n:]] if tail[n:] else []


def double(draw):
    n = draw.choice((1, 16, 24, 100))
    return lambda tail: [tail[:n] + tail]


def reorder(draw):
    n = draw.choice((1, 8, 24, 100))

    def act(tail):
        swapped = tail[n:2 * n] + tail[:n] + tail[2 * n:]
        return [swapped if swapped != tail else bytes([tail[0] ^ 1]) + tail[1:]]
    return act


def insert(draw):
    noise = draw.randbytes(draw.choice((1, 16, 24, 500)))
    return lambda tail: [noise + tail]


def cut(draw):
    def act(tail):
        raise Cut
    return act


def reset(draw):
    def act(tail):
        raise Reset
    return act


def delay(draw):
    def act(tail):
        time.sleep(0.3)
        return [tail]
    return act


class Pieces(Alter):
    """Bytes one by one, then in odd pieces."""

    def __call__(self, part):
        self.applied = True
        while part:
            size = 1 if self.n < 2000 else 1 + self.n % 1461
            yield part[:size]
            part, self.n = part[size:], self.n + size


class Joined(Alter):
    """Bytes held back until there are many, or nothing more comes."""

    def __call__(self, part):
        self.applied = True
        time.sleep(0.01)
        yield part


class Slow(Alter):
    """The first bytes one by one, with a pause before each."""

    def __init__(self, count, pause):
        super().__init__()
        self.count, self.pause = count, pause

    def __call__(self, part):
        self.applied = True
        for i, byte in enumerate(part):
            if self.n + i >= self.count:
                yield part[i:]
                break
            time.sleep(self.pause)
            yield bytes([byte])
        self.n += len(part)


DAMAGE = {"flip": flip, "drop": drop, "double": double, "reorder": reorder, "insert": insert,
          "cut": cut, "reset": reset}
HARMLESS = {"delay": lambda at, draw: Alter(at, delay(draw)), "split": lambda at, draw: Pieces(),
            "join": lambda at, draw: Joined(), "slow": lambda at, draw: Slow(80, 0.002)}
# A byte a second, with the timeouts of a minute and more in proportion: it never comes to READY.
CRAWL = {"crawl": lambda at, draw: Slow(10000, 0.03)}


# ---- The wire ----

def carry(source, sink, alter, record=None):
    """One direction, to its end."""
    try:
        while part := source.recv(65536):
            if record is not None:
                record.extend(part)
            for piece in alter(part):
                sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except Cut:
        quietly(sink.shutdown, socket.SHUT_WR)
        drain(source)
    except Reset:
        for end in (sink, source):
            quietly(end.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            quietly(end.shutdown, socket.SHUT_RDWR)
            end.close()
    except OSError:
        quietly(sink.shutdown, socket.SHUT_WR)


def quietly(call, *arguments):
    try:
        return call(*arguments)
    except OSError:
        return None


def drain(source):
    while quietly(source.recv, 65536):
        pass


class Proxy:
    """Takes one connection on and passes it to a port."""

    def __init__(self, target, alters, records=(None, None)):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.thread = threading.Thread(target=self.run, args=(target, alters, records), daemon=True)
        self.thread.start()

    def run(self, target, alters, records):
        top, _ = self.server.accept()
        self.server.close()
        bottom = socket.create_connection(("127.0.0.1", target))
        for end in (top, bottom):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ways = [threading.Thread(target=carry, args=way, daemon=True)
                for way in ((top, bottom, alters[0], records[0]), (bottom, top, alters[1], records[1]))]
        for way in ways:
            way.start()
        for way in ways:
            way.join(PATIENCE)
        top.close()
        bottom.close()
