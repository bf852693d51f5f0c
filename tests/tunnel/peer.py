"""Plain programs at both ends of a tunnel, for the scripts here: what they send, and what they must
see. An address is HOST:PORT or unix:PATH. A server says "listening on" once it does; on an unexpected event a
program ends with a message and status 1."""

import hashlib
import os
import resource
import select
import socket
import struct
import sys
import threading
import time

PATIENCE = 120  # seconds that anything here waits for what must come


def parse(address):
    if address.startswith("unix:"):
        return socket.AF_UNIX, address[5:]
    host, port = address.rsplit(":", 1)
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    return family, (host.strip("[]"), int(port))


def connect(address):
    family, where = parse(address)
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(PATIENCE)
    s.connect(where)
    return s


def serve(address, handle):
    family, where = parse(address)
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(where)
    listener.listen(4096)
    print("listening on", address, file=sys.stderr, flush=True)
    while True:
        s, _ = listener.accept()
        threading.Thread(target=handle, args=(s,), daemon=True).start()


def wait_for(end):
    """Waits for some seconds, or until a file of that name exists."""
    try:
        time.sleep(float(end))
    except ValueError:
        until = time.monotonic() + 300
        while not os.path.exists(end) and time.monotonic() < until:
            time.sleep(0.02)


def read_all(s):
    data = bytearray()
    while piece := s.recv(1 << 18):
        data += piece
    return bytes(data)


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def fail(message):
    sys.exit("peer: " + message)


def expect_reset(s):
    try:
        read_all(s)
    except ConnectionResetError:
        print("reset")
        return
    except BrokenPipeError:
        print("reset")
        return
    fail("a clean end where a cut was to be seen")


# ---- Servers ----


def echo(address):
    def handle(s):
        while piece := s.recv(1 << 18):
            s.sendall(piece)
        s.close()

    serve(address, handle)


def late(address):
    """Answers only once its client has ended its sending."""

    def handle(s):
        data = read_all(s)
        s.sendall(hashlib.sha256(data).hexdigest().encode())
        s.close()

    serve(address, handle)


def early(address):
    """Says what it has to say, ends its sending, and goes on reading."""

    def handle(s):
        s.sendall(b"hello")
        s.shutdown(socket.SHUT_WR)
        print(hashlib.sha256(read_all(s)).hexdigest(), flush=True)
        s.close()

    serve(address, handle)


def cutter(address):
    """Cuts the connection after the first bytes."""

    def handle(s):
        s.recv(1)
        reset(s)

    serve(address, handle)


def witness(address):
    """Answers the first bytes, and prints how each connection ended."""

    def handle(s):
        try:
            data = s.recv(1 << 18)
            s.sendall(b"!")
            data += read_all(s)
            print("end", len(data), flush=True)
        except ConnectionResetError:
            print("reset", flush=True)
        s.close()

    serve(address, handle)


def sleeper(address):
    """Reads nothing for a while, then all."""

    def handle(s):
        time.sleep(4)
        s.sendall(str(len(read_all(s))).encode())
        s.close()

    serve(address, handle)


def read_exactly(s, size):
    data = b""
    while len(data) < size:
        piece = s.recv(size - len(data))
        if not piece:
            fail("the end where more was to come")
        data += piece
    return data


PROXY_MARK = b"\r\n\r\n\0\r\nQUIT\n"


def proxy_header(source):
    if source.startswith("unix:"):
        family, ends = 0x31, struct.pack("108s108s", source[5:].encode(), b"service")
    else:
        family, ends = 0x11, socket.inet_aton(source) + socket.inet_aton("198.51.100.1")
        ends += struct.pack("!HH", 7, 8)
    return PROXY_MARK + struct.pack("!BBH", 0x21, family, len(ends)) + ends


def teller(address):
    """Reads a PROXY header and says what it holds."""

    def handle(s):
        head = read_exactly(s, 16)
        rest = read_exactly(s, struct.unpack("!H", head[14:])[0])
        if head[13] == 0x31:
            fields = [path.rstrip(b"\0").decode() for path in (rest[0:108], rest[108:216])]
            rest = rest[216:]
        else:
            fields = [socket.inet_ntoa(rest[0:4]), socket.inet_ntoa(rest[4:8])]
            rest = rest[12:]
        while rest:
            size = struct.unpack("!H", rest[1:3])[0]
            fields.append(f"{rest[0]:x}={rest[3 : 3 + size].decode()}")
            rest = rest[3 + size :]
        word = read_exactly(s, 4)
        s.sendall((" ".join(fields) + " " + word.decode()).encode())
        s.close()

    serve(address, handle)


def front(address, to, source):
    """A proxy in front of a server: its header first, then the bytes both ways."""

    def handle(s):
        t = connect(to)
        for byte in proxy_header(source):  # a header that comes in pieces
            t.sendall(bytes([byte]))
        threading.Thread(target=forward, args=(t, s), daemon=True).start()
        forward(s, t)

    serve(address, handle)


def gate(address, to, go, which):
    """Carries bytes both ways, but holds the client's until the file `go` is there: its first, or its
    last, which follow the server's answer. Says when it holds some, and what comes back once it
    holds none."""

    def handle(s):
        t = connect(to)
        heard = threading.Semaphore(0)
        threading.Thread(target=answer, args=(t, s, heard), daemon=True).start()
        if which == "last":
            t.sendall(s.recv(1 << 16))
            heard.acquire()
        piece = s.recv(1 << 16)
        print("held", flush=True)
        while not os.path.exists(go):
            time.sleep(0.02)
        try:
            t.sendall(piece)
            forward(s, t)
        except OSError:
            pass

    def answer(source, sink, heard):
        try:
            while piece := source.recv(1 << 16):
                if os.path.exists(go):
                    print("back", len(piece), flush=True)
                sink.sendall(piece)
                heard.release()
            print("closed", flush=True)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    serve(address, handle)


def reached(address):
    """Prints a line for each connection, and echoes."""

    def handle(s):
        print("reached", flush=True)
        while piece := s.recv(1 << 18):
            s.sendall(piece)
        s.close()

    serve(address, handle)


def visited(address):
    """Prints where each connection comes from, and echoes."""

    def handle(s):
        print("from", s.getpeername()[0], flush=True)
        while piece := s.recv(1 << 18):
            s.sendall(piece)
        s.close()

    serve(address, handle)


def forward(source, sink):
    while piece := source.recv(1 << 16):
        sink.sendall(piece)
    sink.shutdown(socket.SHUT_WR)


def silent(address):
    """Accepts, says so, and then neither reads nor sends anything."""
    kept = []

    def handle(s):
        print("accepted", file=sys.stderr, flush=True)
        kept.append(s)

    serve(address, handle)


def blackhole(address):
    """Takes no connection: its queue is full, so the system answers no more than it would for a
    machine that is gone."""
    family, where = parse(address)
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind(where)
    listener.listen(0)
    kept = []
    for _ in range(8):
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setblocking(False)
        s.connect_ex(where)
        kept.append(s)
    print("listening on", address, file=sys.stderr, flush=True)
    time.sleep(300)


def closer(address):
    serve(address, lambda s: s.close())


def tamper(address, to):
    """Carries bytes both ways, and changes one of those that follow the handshake."""

    def carry(source, sink, alter):
        try:
            seen = 0
            while piece := bytearray(source.recv(1 << 16)):
                seen += len(piece)
                if alter and seen > 8000 + len(piece):
                    piece[-1] ^= 1
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def handle(s):
        t = connect(to)
        threading.Thread(target=carry, args=(t, s, False), daemon=True).start()
        carry(s, t, True)

    serve(address, handle)


# ---- Clients ----


def both(address, mib, count="1"):
    """Sends and receives at once, on several connections, and compares."""
    failures = []

    def run():
        data = os.urandom(1 << 20) * int(mib)
        try:
            s = connect(address)
            sender = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
            sender.start()
            if read_all(s) != data:
                failures.append("what came back differs")
            sender.join()
        except OSError as error:
            failures.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(int(count))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        fail(f"{len(failures)} of {count} failed: {failures[0]}")


def ask(address, kib):
    """Ends its sending, and waits for the answer of late()."""
    data = os.urandom(1024) * int(kib)
    s = connect(address)
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    if read_all(s).decode() != hashlib.sha256(data).hexdigest():
        fail("another answer than expected")


def hear(address, kib, count="1"):
    """Hears the server's end, of early(), before it sends anything."""
    data = os.urandom(1024) * int(kib)
    for _ in range(int(count)):
        s = connect(address)
        if read_all(s) != b"hello":
            fail("not what the server said")
        s.sendall(data)
        s.close()
    print(hashlib.sha256(data).hexdigest())


def be_cut(address):
    try:
        s = connect(address)
        for _ in range(20):
            s.sendall(b"x" * 1000)
            time.sleep(0.02)
    except (ConnectionResetError, BrokenPipeError):
        print("reset")
        return
    expect_reset(s)


def cut(address):
    s = connect(address)
    s.sendall(b"x")
    s.recv(1)  # it has arrived
    reset(s)


def hold(address, end, count="1"):
    """Opens connections, has each echo a byte, holds them (wait_for), and has each echo another one."""
    held = []
    for i in range(int(count)):
        s = connect(address)
        s.sendall(b"a")
        if s.recv(1) != b"a":
            fail(f"connection {i}: no echo")
        held.append(s)
    print("held", len(held), flush=True)
    wait_for(end)
    for i, s in enumerate(held):
        s.sendall(b"b")
        if s.recv(1) != b"b":
            fail(f"connection {i}: no echo after the wait")
    print("all echo", flush=True)


def visit(end, *addresses):
    """Connects to each, and sends nothing."""
    held = [connect(address) for address in addresses]
    print("held", len(held), flush=True)
    wait_for(end)


def tell_end(s, seconds):
    """Says how a connection ends on which nothing comes, and after how long."""
    begin = time.monotonic()
    s.settimeout(float(seconds))
    try:
        how = "end" if s.recv(1) == b"" else "bytes"
    except ConnectionResetError:
        how = "reset"
    except TimeoutError:
        how = "nothing"
    print(how, round(time.monotonic() - begin, 1))


def linger(address, end):
    """Has a byte answered, and stays."""
    s = connect(address)
    s.sendall(b"a")
    s.recv(1)
    print("begun", flush=True)
    wait_for(end)


def wait_end(address, seconds):
    """Says how a quiet connection ends, and after how long."""
    s = connect(address)
    s.sendall(b"a")
    if s.recv(1) != b"a":
        fail("no echo")
    print("begun", flush=True)
    tell_end(s, seconds)


def patient(address, mib):
    """Sends to a sleeper() more than a tunnel's ends hold, and waits."""
    s = connect(address)
    s.sendall(bytes(int(mib) << 20))
    s.shutdown(socket.SHUT_WR)
    if int(read_all(s)) != int(mib) << 20:
        fail("not all arrived")


def source_of(address, source=None):
    """Sends a header if a source is given, or as path=PATH comes from there; prints what teller()
    saw of it."""
    if source and source.startswith("path="):
        s = socket.socket(socket.AF_UNIX)
        s.bind(source[5:])
        s.connect(parse(address)[1])
    else:
        s = connect(address)
    if source and not source.startswith("path="):
        s.sendall(proxy_header(source))
    s.sendall(b"word")
    answer = read_all(s).decode()
    if not answer.endswith(" word"):
        fail("another stream than was sent: " + answer)
    print(answer)


def probe(address, size, seconds):
    """Sends random bytes; prints what came, and after how long."""
    s = connect(address)
    s.sendall(os.urandom(int(size)))
    tell_end(s, seconds)


def crowd(address, count, least, end):
    """Opens many connections whatever becomes of them, and waits until at least some of them are
    answered or closed; then holds all (wait_for), and lets them go."""
    held = []
    for _ in range(int(count)):
        s = connect(address)
        s.setblocking(False)
        try:
            s.send(b"a")
        except OSError:
            pass
        held.append(s)
    until = time.monotonic() + PATIENCE
    while len(select.select(held, [], [], 0)[0]) < int(least) and time.monotonic() < until:
        time.sleep(0.05)
    print("waiting", flush=True)
    wait_for(end)
    print("answered", len(select.select(held, [], [], 0)[0]))


def trickle(address, end):
    """An echo every few milliseconds, each of which must come back, for some seconds or until a file
    exists."""
    s = connect(address)
    over = threading.Thread(target=wait_for, args=(end,), daemon=True)
    over.start()
    rounds = 0
    while over.is_alive() or not rounds:
        word = os.urandom(64)
        s.sendall(word)
        got = b""
        while len(got) < 64:
            piece = s.recv(64 - len(got))
            if not piece:
                fail(f"ended after {rounds} rounds")
            got += piece
        if got != word:
            fail("another echo")
        rounds += 1
        if rounds == 1:
            print("begun", flush=True)
        time.sleep(0.002)
    s.shutdown(socket.SHUT_WR)
    if s.recv(1) != b"":
        fail("bytes after the end")
    print("rounds", rounds)


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    globals()[sys.argv[1]](*sys.argv[2:])
