"""Frames and keys of one direction, written from docs/protocol.md §1 and §3: SHA-256 from any chain,
HKDF, and the rotation of keys. The handshake and sessions are in duet.py.
"""

import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

HELLO, READY, CLOSE, PAD, PING, PONG, ROTATE, REFRESH, MORE = range(0xFFFFFF01, 0xFFFFFF0A)
RESERVED = 0xFFFFFF00
TOP, BOTTOM = "top", "bottom"


class Violation(Exception):
    """The peer, or the wire, broke the protocol."""


# ---- SHA-256 from any chain (§1), HKDF (Notation) ----

def _primes(count):
    found = []
    n = 2
    while len(found) < count:
        if all(n % p for p in found):
            found.append(n)
        n += 1
    return found


def _root_bits(n, root):
    """The first 32 bits of the fraction of the square or cube root of n."""
    low, high = 0, n << 40
    target = n << (32 * root)
    while high - low > 1:
        middle = (low + high) // 2
        if middle ** root <= target:
            low = middle
        else:
            high = middle
    return low & 0xFFFFFFFF


ROUNDS = [_root_bits(p, 3) for p in _primes(64)]
INITIAL = [_root_bits(p, 2) for p in _primes(8)]


def _rotate(x, n):
    return (x >> n | x << (32 - n)) & 0xFFFFFFFF


def _compress(chain, block):
    w = list(struct.unpack(">16I", block))
    for i in range(16, 64):
        a, b = w[i - 15], w[i - 2]
        s0 = _rotate(a, 7) ^ _rotate(a, 18) ^ a >> 3
        s1 = _rotate(b, 17) ^ _rotate(b, 19) ^ b >> 10
        w.append((w[i - 16] + s0 + w[i - 7] + s1) & 0xFFFFFFFF)
    a, b, c, d, e, f, g, h = chain
    for i in range(64):
        s1 = _rotate(e, 6) ^ _rotate(e, 11) ^ _rotate(e, 25)
        t1 = (h + s1 + (e & f ^ ~e & g) + ROUNDS[i] + w[i]) & 0xFFFFFFFF
        s0 = _rotate(a, 2) ^ _rotate(a, 13) ^ _rotate(a, 22)
        t2 = (s0 + (a & b ^ a & c ^ b & c)) & 0xFFFFFFFF
        a, b, c, d, e, f, g, h = (t1 + t2) & 0xFFFFFFFF, a, b, c, (d + t1) & 0xFFFFFFFF, e, f, g
    return [(x + y) & 0xFFFFFFFF for x, y in zip(chain, (a, b, c, d, e, f, g, h))]


def chained_sha256(chain, data):
    """SHA-256 of data, padded as if it began at byte zero, started from a chain."""
    text = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack(">Q", 8 * len(data))
    for at in range(0, len(text), 64):
        chain = _compress(chain, text[at:at + 64])
    return chain


def bytes_of(chain):
    return struct.pack(">8I", *chain)


def sha256(data):
    return hashlib.sha256(data).digest()


def extract(salt, ikm):
    return hmac.new(salt, ikm, hashlib.sha256).digest()


def expand(prk, info, n):
    out = t = b""
    i = 1
    while len(out) < n:
        t = hmac.new(prk, t + info + bytes([i]), hashlib.sha256).digest()
        out += t
        i += 1
    return out[:n]


# ---- One direction (§1, §3) ----

class Direction:
    def __init__(self, role, use, half, salt, label=b""):
        self.d = sha256(label)
        self.root = expand(extract(b"duet/1 " + role.encode(), half), self.info(use) + salt, 32)
        self.chain = list(INITIAL)
        self.seq = 1
        self.limit = 16384
        self.rotate_frames = self.rotate_blocks = 30
        self.epochs = -1
        self._enter()

    def info(self, x):
        return b"duet/1 " + x.encode() + b"\0" + self.d

    def _enter(self):
        epoch = expand(self.root, self.info("epoch"), 80)
        self.key, self.counter = epoch[:32], int.from_bytes(epoch[32:48], "big")
        self.chain = chained_sha256(self.chain, epoch[48:])
        self.frames = self.blocks = 0
        self.epochs += 1

    def rotate(self, fresh=b""):
        self.root = extract(expand(self.root, self.info("rotate"), 32), fresh)
        self._enter()

    def _keystream(self, first, n):
        counter = ((self.counter + first) % 2 ** 128).to_bytes(16, "big")
        return Cipher(algorithms.AES(self.key), modes.CTR(counter)).encryptor().update(bytes(n))

    def _done(self, clear):
        """The frame is done: the chain and counters move on. Returns its MAC."""
        self.chain = chained_sha256(self.chain, clear)
        used = (len(clear) + 8 + 15) // 16
        self.counter = (self.counter + used) % 2 ** 128
        self.blocks += used
        self.frames += 1
        self.seq = (self.seq + 1) % 2 ** 32
        return bytes_of(self.chain)[:8]

    def decide(self, code):
        """What follows a frame, but for a REFRESH that turns (§3)."""
        if code in (HELLO, CLOSE):
            return
        if code == ROTATE or self.frames >= 2 ** self.rotate_frames or \
                self.blocks >= 2 ** self.rotate_blocks:
            self.rotate()

    def seal(self, code, payload=b""):
        length = len(payload)
        clear = struct.pack(">4I", length, code, self.seq, length ^ code ^ self.seq) + payload
        pad = self._keystream(0, len(clear) + 8)
        clear += self._done(clear)
        return bytes(a ^ b for a, b in zip(clear, pad))

    def open_header(self, wire):
        """LENGTH and CODE of the frame that begins here."""
        clear = bytes(a ^ b for a, b in zip(wire, self._keystream(0, 16)))
        length, code, seq, checksum = struct.unpack(">4I", clear)
        if checksum != length ^ code ^ seq:
            raise Violation("checksum")
        if seq != self.seq:
            raise Violation("sequence")
        if length > self.limit:
            raise Violation("length")
        return length, code

    def open(self, wire):
        """CODE and payload of a whole frame."""
        _, code = self.open_header(wire[:16])
        clear = bytes(a ^ b for a, b in zip(wire, self._keystream(0, len(wire))))
        if not hmac.compare_digest(self._done(clear[:-8]), clear[-8:]):
            raise Violation("mac")
        return code, clear[16:-8]
