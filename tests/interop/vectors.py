#!/usr/bin/env python3
"""Known answers that the second implementation draws anew, replayed by the first.

    vectors.py [--count N] [--seed N] [--only KIND] [-o FOLDER] [PROGRAM...]

Writes frames.json, negative.json, handshake.json and dialect.json as the public vectors are, of N
cases each: raw directions with frames of any code and length, frames that are altered, and whole
sessions in all patterns, without and with a dialect (tests/vectors/dialect.json is
`--count 6 --seed 2 --only dialect`). Then runs the programs of tests/vectors on them. The same seed gives the same cases.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
except ImportError:
    print("this Python has no package cryptography: skipped")
    sys.exit(77)

import duet
import scripted_session
from dialect import Dialect
from duet import BOTTOM, IDENTITY, SECRET, TOP, Direction, Violation

CODES = (0, 1, 255, 0xDEADBEEF, 0xFFFFFEFF, *range(0xFFFFFF00, 0xFFFFFF0A))
EDGES = (0, 1, 7, 8, 15, 16, 39, 40, 47, 48, 55, 56, 63, 64, 104, 1000, 4096)


def raw_direction(draw):
    """A raw direction, and how a case writes it down."""
    d = Direction(TOP, "hello", bytes(32), bytes(32))
    d.key = draw.randbytes(32)
    d.counter = draw.choice((draw.getrandbits(128), 2 ** 128 - draw.randrange(1, 40)))
    d.chain = [draw.getrandbits(32) for _ in range(8)]
    d.seq = draw.choice((1, draw.getrandbits(32), 2 ** 32 - draw.randrange(1, 4)))
    return d


def state(d):
    return {"K": d.key.hex(), "C": d.counter.to_bytes(16, "big").hex(),
            "H": duet.bytes_of(d.chain).hex(), "seq": d.seq}


def frames_case(draw):
    d = raw_direction(draw)
    case = {"name": "drawn", "start": state(d), "steps": []}
    for _ in range(draw.randrange(1, 6)):
        n = draw.choice((draw.choice(EDGES), draw.randrange(300)))
        code = draw.choice(CODES)
        wire = d.seal(code, scripted_session.payload(n))
        step = {"code": code, "payload_len": n, "wire": wire.hex(), "after": state(d)}
        if n > 512:
            del step["wire"]
            step |= {"wire_sha256": hashlib.sha256(wire).hexdigest(), "wire_head": wire[:32].hex(),
                     "wire_tail": wire[-32:].hex()}
        case["steps"].append(step)
    return case


def verdict(d, wire):
    try:
        if len(wire) < 16:
            return "incomplete"
        length, _ = d.open_header(wire[:16])
        if len(wire) < length + 24:
            return "incomplete"
        d.open(wire[:length + 24])
        return "ok"
    except Violation as violation:
        return str(violation)


def negative_case(draw):
    d = raw_direction(draw)
    case = {"name": "drawn", "start": state(d), "limit": draw.choice((0, 100, 1 << 20))}
    twin = raw_direction(draw)
    twin.__dict__.update(d.__dict__)
    twin.limit = case["limit"]
    n = draw.choice(EDGES[:-2])
    wire = bytearray(d.seal(draw.choice(CODES), scripted_session.payload(n)))
    for _ in range(draw.randrange(3)):
        wire[draw.randrange(len(wire))] ^= 1 << draw.randrange(8)
    if draw.randrange(4) == 0:  # LENGTH and CHECKSUM bent the same way
        at, bit = draw.randrange(4), 1 << draw.randrange(8)
        wire[at] ^= bit
        wire[12 + at] ^= bit
    if draw.randrange(4) == 0:
        wire = wire[:draw.randrange(len(wire))]
    case |= {"wire": wire.hex(), "payload_len": n, "expect": verdict(twin, bytes(wire))}
    return case


def params(draw):
    extensions = b""
    for kind in draw.sample(range(65536), draw.randrange(3)):
        value = draw.randbytes(draw.randrange(20))
        extensions += kind.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value
    most = draw.choice((256, 1 << 20, 2 ** 32 - 1))
    return (bytes([1, 0, draw.randrange(1, 31), draw.randrange(4, 31)]) + most.to_bytes(4, "big") +
            draw.getrandbits(40).to_bytes(8, "big") + extensions).hex()


def handshake_case(draw):
    case = {"pattern": draw.randrange(3), "label": draw.choice(("", "acme", "x" * 300)),
            "W": draw.randbytes(2 * draw.randrange(32, 600)).hex(), "export_label": draw.randbytes(9).hex(),
            "pad_before_refresh": draw.random() < 0.5, "crossing_refresh": draw.random() < 0.5,
            "refresh_private_bottom_dropped": draw.randbytes(32).hex()}
    for role, nonce in ((TOP, "N_t"), (BOTTOM, "N_b")):
        case |= {nonce: draw.randbytes(32).hex(), f"params_{role}": params(draw),
                 f"prelude_{role}": draw.choice((b"", draw.randbytes(20))).hex(),
                 f"hello_padding_{role}": draw.randbytes(draw.randrange(200)).hex(),
                 f"refresh_private_{role}": draw.randbytes(32).hex()}
        if case["pattern"] != SECRET:
            case[f"ephemeral_{role}"] = draw.randbytes(32).hex()
        if case["pattern"] == IDENTITY:
            static = draw.randbytes(32)
            case[f"static_{role}"] = static.hex()
            case[f"static_{role}_public"] = duet.public(X25519PrivateKey.from_private_bytes(static)).hex()
    return play(case)


def play(case):
    """The case with what both parties send and get."""
    top, bottom = scripted_session.run_case(case)
    return case | {"top_sends": top.out.hex(), "bottom_sends": bottom.out.hex(),
                   "session_secret": top.session_secret.hex(),
                   "export_32": top.export(bytes.fromhex(case["export_label"]), 32).hex(),
                   "receipt_top": top.receipts[TOP].hex(), "receipt_bottom": top.receipts[BOTTOM].hex()}


def dialect_case(draw):
    """A whole session with a dialect, and all numbers of it."""
    case = handshake_case(draw)
    dialect = Dialect(bytes.fromhex(case["W"]), case["label"].encode())
    case |= {"dialect": "secret", "G": dialect.g.hex(), "hello_size": dialect.hello_size,
             "first_size": dialect.first_size, "silence_ms": dialect.silence_ms,
             "linger_ms": dialect.linger_ms}
    for role in (TOP, BOTTOM):
        case |= {f"fields_{role}": dialect.fields[role], f"first_{role}": dialect.first[role],
                 f"opening_{role}": dialect.opening(role, draw.choice).hex()}
    return play(case)


KINDS = {"frames": frames_case, "negative": negative_case, "handshake": handshake_case,
         "dialect": dialect_case}


def write(folder, count, seed, kinds):
    draw = random.Random(seed)
    for name in kinds:
        cases = [KINDS[name](draw) for _ in range(count)]
        text = json.dumps({"about": f"drawn by {os.path.basename(__file__)}, seed {seed}", "cases": cases})
        (folder / f"{name}.json").write_text(text, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=KINDS, help="cases of this kind alone")
    parser.add_argument("-o", type=pathlib.Path)
    parser.add_argument("programs", nargs="*")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.o or pathlib.Path(temporary)
        write(folder, chosen.count, chosen.seed, [chosen.only] if chosen.only else KINDS)
        codes = [subprocess.run([program, str(folder)], check=False).returncode
                 for program in chosen.programs]
    print(f"{chosen.count} cases of each kind, seed {chosen.seed}")
    return 1 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main())
