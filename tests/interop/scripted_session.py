"""The session that every case of handshake.json runs, by two sessions of the second implementation."""

import itertools

from duet import BOTTOM, CLOSE, PAD, TOP, Session
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


def payload(n):
    return bytes((7 * i + n) % 256 for i in range(n))


def make(case, role):
    """The party of a role as a case says."""
    hexed = lambda name: bytes.fromhex(case.get(f"{name}_{role}", ""))
    params = hexed("params")
    static = hexed("static")
    return Session(
        role, bytes.fromhex(case["W"]), case["pattern"], case["label"].encode(),
        (bytes.fromhex(case["prelude_top"]), bytes.fromhex(case["prelude_bottom"])),
        padding=hexed("hello_padding"), rotate=(params[2], params[3]),
        max_payload=int.from_bytes(params[4:8], "big"),
        time=int.from_bytes(params[8:16], "big"), extensions=params[16:],
        nonce=bytes.fromhex(case["N_t" if role == TOP else "N_b"]),
        ephemeral=hexed("ephemeral") or None,
        static=X25519PrivateKey.from_private_bytes(static) if static else None)


def run_case(case):
    """Runs a case between two sessions. Returns them, closed."""
    top, bottom = make(case, TOP), make(case, BOTTOM)
    seen = {TOP: 0, BOTTOM: 0}

    def carry():
        for source, target in itertools.cycle(((top, bottom), (bottom, top))):
            new = source.out[seen[source.role]:]
            seen[source.role] = len(source.out)
            target.receive(new)
            if len(top.out) == seen[TOP] and len(bottom.out) == seen[BOTTOM]:
                return

    carry()
    top.send(0, payload(20))
    bottom.send(7, payload(100))
    carry()
    if case["pad_before_refresh"]:
        top.send(PAD, payload(9))
    if case["crossing_refresh"]:
        bottom.ask_refresh(bytes.fromhex(case["refresh_private_bottom_dropped"]))
    top.ask_refresh(bytes.fromhex(case["refresh_private_top"]))
    if case["crossing_refresh"]:
        top.receive(bottom.out[seen[BOTTOM]:])
        seen[BOTTOM] = len(bottom.out)
    bottom.send(8, payload(3))
    private = bytes.fromhex(case["refresh_private_bottom"])
    read = bottom._read_refresh
    bottom._read_refresh = lambda refresh: read(refresh, private)
    carry()
    top.send(1, payload(40))
    bottom.send(2, payload(41))
    top.send(CLOSE)
    bottom.send(CLOSE)
    carry()
    return top, bottom
