"""Small proxies for the tests: SOCKS5 and HTTP's CONNECT, with a login or without. Each prints what it is
asked for; a name that ends with .test is this machine's, so that only the proxy can resolve it."""

import base64
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True

from peer import connect, forward, read_exactly, serve  # noqa: E402


def lead(s, host, port):
    """A connection to where the peer wants to go; both ways carried."""
    t = connect(f"127.0.0.1:{port}" if host.endswith(".test") else f"{host}:{port}")
    print("leads to", host, port, flush=True)
    return t


def carry(s, t):
    def back():
        try:
            forward(t, s)
        except OSError:
            pass

    threading.Thread(target=back, daemon=True).start()
    try:
        forward(s, t)
    except OSError:
        pass


def socks(address, user=None, password=None):
    def handle(s):
        _, count = read_exactly(s, 2)
        methods = read_exactly(s, count)
        method = 2 if user else 0
        if method not in methods:
            s.sendall(b"\5\xff")
            return s.close()
        s.sendall(bytes([5, method]))
        if user:
            _, size = read_exactly(s, 2)
            name = read_exactly(s, size).decode()
            word = read_exactly(s, read_exactly(s, 1)[0]).decode()
            right = (name, word) == (user, password)
            s.sendall(bytes([1, 0 if right else 1]))
            if not right:
                return s.close()
        _, _, _, kind = read_exactly(s, 4)
        if kind == 1:
            host = socket.inet_ntoa(read_exactly(s, 4))
        else:
            host = read_exactly(s, read_exactly(s, 1)[0]).decode()
        (port,) = struct.unpack("!H", read_exactly(s, 2))
        try:
            t = lead(s, host, port)
        except OSError:
            s.sendall(b"\5\5\0\1" + bytes(6))
            return s.close()
        s.sendall(b"\5\0\0\3\4name\0\0")
        carry(s, t)

    serve(address, handle)


def http(address, user=None, password=None):
    def handle(s):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += read_exactly(s, 1)
        lines = head.decode().split("\r\n")
        host, port = lines[0].split(" ")[1].rsplit(":", 1)
        login = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        if user and "Proxy-Authorization: " + login not in lines:
            s.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return s.close()
        try:
            t = lead(s, host, port)
        except OSError:
            s.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return s.close()
        s.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        carry(s, t)

    serve(address, handle)


def mute(address):
    """Takes connections and says nothing."""
    serve(address, lambda s: s.recv(1 << 16) and threading.Event().wait())


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
