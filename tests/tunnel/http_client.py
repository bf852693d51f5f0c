"""A raw client of the HTTP for monitoring: what curl would not send.

http_client.py PORT WHAT [WORKERS] prints nothing when all is as it should be.
"""
import socket
import sys
import time

GOOD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test\r\n\r\n"
CLIENTS_MOST = 16


def connect(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.settimeout(100)
    return s


def read_all(s):
    data = b""
    try:
        while piece := s.recv(1 << 16):
            data += piece
    except ConnectionResetError:
        data += b"<reset>"
    return data


def ask(port, data, ends=False):
    s = connect(port)
    s.sendall(data)
    if ends:
        s.shutdown(socket.SHUT_WR)
    return read_all(s)


def status(answer):
    return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def expect(port, wanted, data, what=None):
    answer = ask(port, data)
    if status(answer) != wanted:
        sys.exit(f"{what or data[:80]}: {answer[:80]}, not {wanted}")
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
    if fields[b"Connection"] != b"close" or int(fields[b"Content-Length"]) != len(body):
        sys.exit(f"{what or data[:80]}: {answer[:300]}")
    if (wanted == 405) != (b"Allow" in fields):
        sys.exit(f"Allow: {head}")


def request(first, *headers):
    return b"\r\n".join((first, *headers, b"", b""))


def refusals(port):
    """Each kind of request gets its status, with a length and the connection's end."""
    host = b"Host: 127.0.0.1:9"
    get = b"GET /healthz HTTP/1.1"
    expect(port, 200, GOOD)
    expect(port, 200, request(get, b"hOsT:\t[::1]:80 "))
    expect(port, 200, request(get, b"Host: LOCALHOST"))
    expect(port, 200, request(b"GET /healthz HTTP/1.0"))
    expect(port, 200, request(b"GET /metrics?all HTTP/1.1", host))
    for name in (b"example.org", b"localhost.example.org", b"127.0.0.1.example.org:80", b"", b"[::1", b"::1",
                 b"[::1]x", b"127.1", b"localhost:x", b"x" * 3000):
        expect(port, 403, request(get, b"Host: " + name))
    expect(port, 400, request(get), "no Host")
    expect(port, 400, request(get, host, host), "two Hosts")
    for first in (b"GET", b"GET /healthz", b" /healthz HTTP/1.1", b"GET  HTTP/1.1", b"GET /healthz HTTP/x.1",
                  b"GET healthz HTTP/1.1", b"GET http://localhost/healthz HTTP/1.1", b"G(T /healthz HTTP/1.1",
                  b"GET /healthz HTTP/1.1 ", b"GET /health z HTTP/1.1", b"", b"\x16\x03\x01\x02", b"GET /\0 HTTP/1.1"):
        expect(port, 400, request(first, host))
    for header in (b"Header", b": value", b"He ader: value", b" folded", b"Header : value", b"A: \0", b"A: \r", b"A\n"):
        expect(port, 400, request(get, host, header))
    expect(port, 400, b"GET /healthz HTTP/1.1\nHost: localhost\n\n", "LF alone")
    expect(port, 505, request(b"GET /healthz HTTP/2.0", host))
    for method in (b"POST", b"OPTIONS", b"DELETE", b"get", b"CONNECT"):
        expect(port, 405, request(method + b" /healthz HTTP/1.1", host))
    for path in (b"/", b"/metrics/", b"/metricsx", b"/../metrics", b"/%6detrics", b"//metrics"):
        expect(port, 404, request(b"GET " + path + b" HTTP/1.1", host))
    expect(port, 404, request(b"GET /" + b"x" * 7000 + b" HTTP/1.1", host))
    expect(port, 431, request(get, host, b"A: " + b"x" * 9000))
    expect(port, 431, request(get, host, *[b"A: b"] * 3000))
    expect(port, 431, b"G" * 200000)
    expect(port, 200, GOOD * 100, "pipelined")
    expect(port, 200, request(get, host, b"Content-Length: 100000") + b"x" * 100000, "with a body")


def truncations(port):
    """A request that ends early is not answered; one that comes byte by byte is."""
    for size in range(len(GOOD)):
        answer = ask(port, GOOD[:size], ends=True)
        if answer:
            sys.exit(f"{GOOD[:size]}: {answer[:80]}")
    s = connect(port)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in GOOD:
        s.sendall(bytes([byte]))
    if status(read_all(s)) != 200:
        sys.exit("byte by byte")


def slow(port):
    """Who does not finish its request is told so, and who sends nothing is closed; nobody stays."""
    silent, late, reader = connect(port), connect(port), connect(port)
    late.sendall(GOOD[:-1])
    reader.sendall(GOOD)
    if status(read_all(late)) != 408:
        sys.exit("no 408")
    if read_all(silent) != b"":
        sys.exit("an answer to nothing")
    time.sleep(0.1)
    if status(read_all(reader)) != 200:
        sys.exit("no answer that was left unread")


def flood(port, workers):
    """Whoever holds all places shuts nobody out: the oldest gives way."""
    held = [connect(port) for _ in range(10 * CLIENTS_MOST)]
    for s in held:
        s.sendall(GOOD[:10])
    for _ in range(50):
        expect(port, 200, GOOD)
    lost = sum(read_all(s)[:5] != b"HTTP/" for s in held)
    if lost < len(held) - workers * CLIENTS_MOST:
        sys.exit(f"only {lost} gave way")


if __name__ == "__main__":
    {"refusals": refusals, "truncations": truncations, "slow": slow, "flood": flood}[sys.argv[2]](
        int(sys.argv[1]), *map(int, sys.argv[3:])
    )
