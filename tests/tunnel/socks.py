"""Programs that speak SOCKS5 to a tunnel:

  socks.py ask ADDRESS HOST PORT     prints the reply's code; after 0 has a piece of the stream echoed,
                                     which is sent together with the request, and more after it
  socks.py meet ADDRESS HOST PORT    after reply 0 prints the line that the service begins with
  socks.py raw ADDRESS HEX...        sends these one after the other, and prints what comes to the end
  socks.py cut ADDRESS               closes after each number of bytes of a request
"""

import ipaddress
import sys

sys.dont_write_bytecode = True

from peer import connect, fail, read_exactly  # noqa: E402

GREETING = b"\x05\x01\x00"


def request(host, port, command=1):
    try:
        address = ipaddress.ip_address(host)
        where = (b"\x01" if address.version == 4 else b"\x04") + address.packed
    except ValueError:
        where = b"\x03" + bytes([len(host)]) + host.encode()
    return bytes([5, command, 0]) + where + int(port).to_bytes(2, "big")


def read_reply(s):
    if read_exactly(s, 2) != b"\x05\x00":
        fail("another method")
    reply = read_exactly(s, 10)
    if reply[0] != 5 or reply[2:4] != b"\x00\x01":
        fail(f"a malformed reply: {reply.hex()}")
    print(reply[1], flush=True)
    return reply[1]


def at_end(s):
    try:
        rest = s.recv(1)
    except ConnectionResetError:
        fail("a reset where an end is due")
    if rest:
        fail("more than a reply")


def ask(address, host, port):
    s = connect(address)
    s.sendall(GREETING + request(host, port) + b"early")
    if read_reply(s) != 0:
        at_end(s)
        return
    if read_exactly(s, 5) != b"early":
        fail("what came with the request is lost")
    piece = bytes(range(256)) * 256
    for _ in range(8):
        s.sendall(piece)
        if read_exactly(s, len(piece)) != piece:
            fail("another echo")


def meet(address, host, port):
    s = connect(address)
    s.sendall(GREETING)
    s.sendall(request(host, port))
    if read_reply(s) == 0:
        line = b""
        while not line.endswith(b"\n"):
            line += read_exactly(s, 1)
        print(line.decode().strip())


def raw(address, *pieces):
    s = connect(address)
    for piece in pieces:
        s.sendall(bytes.fromhex(piece))
    got = b""
    while piece := s.recv(1024):
        got += piece
    print(got.hex() or "nothing")


def cut(address):
    whole = GREETING + request("example.invalid", 80)
    for size in range(len(whole)):
        s = connect(address)
        s.sendall(whole[:size])
        s.close()


if __name__ == "__main__":
    {"ask": ask, "meet": meet, "raw": raw, "cut": cut}[sys.argv[1]](*sys.argv[2:])
