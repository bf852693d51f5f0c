"""A second implementation of the duet protocol, version 1, written from docs/protocol.md.

It exists to prove that document, and to talk to `duet pipe` in tests; it is slow, and keeps its
secrets in plain Python objects. Frames and keys are in frames.py. Section numbers (§) are those of
the document.
"""

import os
import secrets
import struct

import mlkem
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dialect import Dialect
from frames import (BOTTOM, CLOSE, HELLO, MORE, PAD, PING, PONG, READY,  # noqa: F401
                    REFRESH, RESERVED, ROTATE, TOP, Direction, Violation, bytes_of, expand, extract,
                    sha256)

SECRET, EPHEMERAL, IDENTITY = 0, 1, 2
KEM, MLKEM768, KEM_PAYLOAD_LEAST = 1, 1, 2048


# ---- Noise (§4) ----

class Noise:
    TOKENS = {EPHEMERAL: (("psk", "e"), ("e", "ee")),
              IDENTITY: (("e",), ("e", "ee", "s", "es"), ("s", "se", "psk"))}
    NAMES = {EPHEMERAL: b"Noise_NNpsk0_25519_AESGCM_SHA256",
             IDENTITY: b"Noise_XXpsk3_25519_AESGCM_SHA256"}

    def __init__(self, pattern, initiator, prologue, psk, static=None, ephemeral=None):
        self.messages = list(self.TOKENS[pattern])
        self.initiator = initiator
        self.h = self.ck = self.NAMES[pattern]
        self.key, self.n = None, 0
        self.psk, self.s = psk, static
        self.e = X25519PrivateKey.from_private_bytes(ephemeral or os.urandom(32))
        self.re = self.rs = None
        self._mix_hash(prologue)

    def _mix_hash(self, data):
        self.h = sha256(self.h + data)

    def _derive(self, ikm, count):
        out = expand(extract(self.ck, ikm), b"", 32 * count)
        return [out[32 * i:32 * i + 32] for i in range(count)]

    def _mix_key(self, ikm):
        self.ck, self.key = self._derive(ikm, 2)
        self.n = 0

    def _cipher(self):
        nonce = bytes(4) + struct.pack(">Q", self.n)
        self.n += 1
        return AESGCM(self.key), nonce

    def _encrypt(self, plain):
        out = plain
        if self.key:
            cipher, nonce = self._cipher()
            out = cipher.encrypt(nonce, plain, self.h)
        self._mix_hash(out)
        return out

    def _decrypt(self, data):
        plain = data
        if self.key:
            cipher, nonce = self._cipher()
            try:
                plain = cipher.decrypt(nonce, data, self.h)
            except (InvalidTag, ValueError) as error:
                raise Violation("noise") from error
        self._mix_hash(data)
        return plain

    def _dh(self, token):
        mine = {"ee": self.e, "es": self.e if self.initiator else self.s,
                "se": self.s if self.initiator else self.e}[token]
        theirs = {"ee": self.re, "es": self.rs if self.initiator else self.re,
                  "se": self.re if self.initiator else self.rs}[token]
        self._mix_key(exchange(mine, theirs))

    def _common(self, token):
        if token == "psk":
            self.ck, mixed, key = self._derive(self.psk, 3)
            self._mix_hash(mixed)
            self.key, self.n = key, 0
        else:
            self._dh(token)

    def write(self, payload):
        out = b""
        for token in self.messages.pop(0):
            if token == "e":
                out += public(self.e)
                self._mix_hash(public(self.e))
                self._mix_key(public(self.e))
            elif token == "s":
                out += self._encrypt(public(self.s))
            else:
                self._common(token)
        return out + self._encrypt(payload)

    def read(self, message):
        for token in self.messages.pop(0):
            if token == "e":
                self.re, message = message[:32], message[32:]
                self._mix_hash(self.re)
                self._mix_key(self.re)
            elif token == "s":
                self.rs, message = self._decrypt(message[:48]), message[48:]
            else:
                self._common(token)
        return self._decrypt(message)

    def split(self):
        return b"".join(self._derive(b"", 2))


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def exchange(mine, theirs):
    try:
        return mine.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError as error:  # an all-zero result, or not 32 bytes
        raise Violation("key") from error


# ---- A session (§4, §5) ----

class Session:
    """Bytes in by receive(), bytes out from `out`, events in `events` as (code, payload)."""

    def __init__(self, role, secret, pattern=EPHEMERAL, label=b"", preludes=(b"", b""), padding=0,
                 static=None, rotate=(16, 22), max_payload=1 << 20, nonce=None, ephemeral=None,
                 extensions=b"", time=0, hybrid="off", kem_random=None, extensions_after=b"",
                 dialect=False, opening=None):
        self.role, self.secret, self.pattern, self.label = role, secret, pattern, label
        self.peer = BOTTOM if role == TOP else TOP
        self.prelude = dict(zip((TOP, BOTTOM), preludes))
        self.dialect = Dialect(secret, label) if dialect else None
        self.opening = b"" # ours
        if dialect:
            self.opening = self.dialect.opening(role) if opening is None else opening
        # bytes of padding, their number, or the least and most bytes of a HELLO's flight
        self.padding, self.static, self.ephemeral = padding, static, ephemeral
        self.params = struct.pack(">BBBBIQ", 1, 0, *rotate, max_payload, time)
        self.extensions = [extensions, extensions_after]
        # "off", "offer" or "require"; hybrid: once agreed on
        self.kem = hybrid if max_payload >= KEM_PAYLOAD_LEAST else "off"
        self.kem_random = kem_random or os.urandom(64)
        self.kem_out, self.kem_dk, self.kem_shared, self.hybrid = b"", None, b"", False
        self.max_payload = max_payload
        self.nonces = {role: nonce or os.urandom(32)}
        self.buffer, self.out, self.events = b"", b"", []
        self.tx = self.rx = self.noise = None
        self.hellos, self.messages = 0, b""
        self.phase, self.ready, self.closed, self.sent_close = "begin", False, False, False
        self.refresh, self.ignored, self.in_message = None, False, False
        self.receipts = {}
        if role == TOP:
            self._begin_noise()
            if self.noise and self.kem != "off":
                self.kem_out, self.kem_dk = mlkem.keygen(self.kem_random)
            self.tx = Direction(TOP, "hello", self._half(TOP), self.nonces[TOP], label)
            self.out += self.prelude[TOP] + self.opening + self.nonces[TOP] + self._hello()

    def _half(self, role, whole=None):
        whole = whole or self.secret
        half = len(whole) // 2
        return whole[:half] if role == TOP else whole[half:]

    def _begin_noise(self):
        d = sha256(self.label)
        if self.pattern == SECRET:
            return
        psk = expand(extract(b"duet/1 psk", self.secret), b"duet/1 noise\0" + d, 32)
        prologue = b"duet/1" + d + bytes([self.pattern]) + self.nonces[TOP]
        self.noise = Noise(self.pattern, self.role == TOP, prologue, psk, self.static,
                           self.ephemeral)

    def _hello(self):
        third = self.hellos == 1
        body = self._params()
        if self.noise:
            body = self.noise.write(b"" if third else body)
        message = struct.pack(">BH", self.pattern, len(body)) + body
        self.messages += message
        self.hellos += 1
        return self.tx.seal(HELLO, message + self._hello_padding(len(message), third))

    def _hello_padding(self, length, third):
        if isinstance(self.padding, bytes):
            return self.padding
        if isinstance(self.padding, int):
            return os.urandom(self.padding)
        least, most = self.padding
        size = least + secrets.randbelow(most - least + 1)
        return os.urandom(max(0, size - (24 if third else 56) - length))

    def _params(self):
        kem = b""
        if self.kem_out:
            kem = struct.pack(">HHB", KEM, 1 + len(self.kem_out), MLKEM768) + self.kem_out
        return self.params + self.extensions[0] + kem + self.extensions[1]

    # -- receiving --

    def receive(self, received):
        self.buffer += received
        while self._step():
            pass

    def _take(self, n):
        taken, self.buffer = self.buffer[:n], self.buffer[n:]
        return taken

    def _step(self):
        if self.closed:
            return False
        if self.rx is None:
            return self._step_opening()
        if len(self.buffer) < 16:
            return False
        length, _ = self.rx.open_header(self.buffer[:16])
        if len(self.buffer) < length + 24:
            return False
        code, payload = self.rx.open(self._take(length + 24))
        self._frame(code, payload)
        return True

    def _step_opening(self):
        prelude = self.prelude[self.peer]
        opening = self.dialect.size(self.peer) if self.dialect else 0
        if len(self.buffer) < len(prelude) + opening + 32:
            return False
        if self._take(len(prelude)) != prelude:
            raise Violation("prelude")
        if self.dialect and not self.dialect.fits(self.peer, self._take(opening)):
            raise Violation("opening")
        self.nonces[self.peer] = self._take(32)
        salt = self.nonces[TOP] if self.peer == TOP else self.nonces[TOP] + self.nonces[BOTTOM]
        self.rx = Direction(self.peer, "hello", self._half(self.peer), salt, self.label)
        return True

    def _frame(self, code, payload):
        if self.phase in ("begin", "third"):
            if code != HELLO:
                raise Violation("order")
            self._read_hello(payload)
            return
        if self.phase == "ready":
            if code != READY or payload:
                raise Violation("order")
            self.phase, self.ready = "open", True
            self.rx.decide(code)
            self.events.append((READY, b""))
            return
        if code == REFRESH:
            self._read_refresh(payload)
        else:
            self.rx.decide(code)
        if code in (HELLO, READY) or (code > MORE or code == RESERVED):
            raise Violation("order")
        if code in (CLOSE, ROTATE) and payload or code in (PING, PONG) and len(payload) != 8:
            raise Violation("payload")
        if code == PING and not self.sent_close:
            self.send(PONG, payload)
        if code == CLOSE and self.in_message:
            raise Violation("cut within a message")
        if code < RESERVED or code == MORE:
            self.in_message = code == MORE
        if code == CLOSE:
            self.closed = True
            self.receipts[self.peer] = sha256(b"duet/1 receipt" + bytes_of(self.rx.chain))
        self.events.append((code, payload))

    # -- initiation --

    def _read_hello(self, payload):
        if len(payload) < 3:
            raise Violation("hello")
        pattern, length = struct.unpack(">BH", payload[:3])
        body = payload[3:3 + length]
        if len(body) != length:
            raise Violation("hello")
        if self.role == BOTTOM and self.phase == "begin":
            self.pattern = pattern
            self._begin_noise()
        elif pattern != self.pattern:
            raise Violation("pattern")
        third = self.phase == "third"
        self.messages += payload[:3 + length]
        if self.noise:
            body = self.noise.read(body)
        if third and body:
            raise Violation("third")
        if not third:
            self._read_params(body)
        self._after_hello(third)

    def _read_params(self, body):
        if len(body) < 16:
            raise Violation("params")
        version, flags, frames, blocks, limit, self.their_time = struct.unpack(">BBBBIQ", body[:16])
        if version != 1 or flags or not 1 <= frames <= 30 or not 1 <= blocks <= 30 or limit < 256:
            raise Violation("params")
        self.their_rotate, self.limit = (frames, blocks), limit
        seen, rest = {}, body[16:]
        while rest:
            kind, length = struct.unpack(">HH", rest[:4]) if len(rest) >= 4 else (None, 0)
            if kind is None or kind in seen or len(rest) < 4 + length:
                raise Violation("extension")
            seen[kind] = rest[4:4 + length]
            rest = rest[4 + length:]
        if self.noise:
            self._read_kem(seen.get(KEM), limit)

    def _read_kem(self, value, limit):
        bottom = self.role == BOTTOM
        if bottom and self.kem == "off":
            return
        if value == b"":
            raise Violation("kem")
        if value is None or bottom and value[0] != MLKEM768:
            if self.kem == "require":
                raise Violation("kem required")
            return
        size = mlkem.KEY if bottom else mlkem.TEXT
        asked = bottom or self.kem_dk
        if not asked or value[0] != MLKEM768 or len(value) != 1 + size or limit < KEM_PAYLOAD_LEAST:
            raise Violation("kem")
        if not bottom:
            self.kem_shared = mlkem.decaps(self.kem_dk, value[1:])
        elif not mlkem.check_key(value[1:]):
            raise Violation("kem key")
        else:
            self.kem_shared, self.kem_out = mlkem.encaps(value[1:], self.kem_random[:32])
        self.hybrid = True

    def _after_hello(self, third):
        if self.role == BOTTOM and not third:
            self.nonces.setdefault(BOTTOM, os.urandom(32))
            salt = self.nonces[TOP] + self.nonces[BOTTOM]
            self.tx = Direction(BOTTOM, "hello", self._half(BOTTOM), salt, self.label)
            self.out += self.prelude[BOTTOM] + self.opening + self.nonces[BOTTOM] + self._hello()
            if self.pattern == IDENTITY:
                self.phase = "third"
                return
        elif self.role == TOP and self.pattern == IDENTITY:
            self.out += self._hello()
        self._turn()
        self.send(READY)

    def _turn(self):
        d = sha256(self.label)
        h, ikm = sha256(self.messages), self.secret
        if self.noise:
            h, ikm = self.noise.h, self.noise.split() + self.kem_shared
        prk = extract(sha256(h + self.nonces[TOP] + self.nonces[BOTTOM]), ikm)
        self.session_secret = expand(prk, b"duet/1 secret\0" + d, 1024)
        self.exporter = extract(b"duet/1 export", self.session_secret)
        self.rx.rotate(self._half(self.peer, self.session_secret))
        self.tx.rotate(self._half(self.role, self.session_secret))
        self.rx.rotate_frames, self.rx.rotate_blocks = self.their_rotate
        self.tx.rotate_frames, self.tx.rotate_blocks = self.params[2], self.params[3]
        self.rx.limit = self.max_payload
        self.phase = "ready"

    # -- sending --

    def send(self, code, payload=b""):
        self.out += self.tx.seal(code, payload)
        if not (code == REFRESH and payload[0] > 1):
            self.tx.decide(code)
        if code == CLOSE:
            self.sent_close = True
            self.receipts[self.role] = sha256(b"duet/1 receipt" + bytes_of(self.tx.chain))

    def export(self, label, n):
        return expand(self.exporter, label + struct.pack(">I", n), n)

    # -- refresh (§5) --

    def ask_refresh(self, private=None, kem_seed=None):
        key = X25519PrivateKey.from_private_bytes(private or os.urandom(32))
        ek, dk = mlkem.keygen(kem_seed or os.urandom(64)) if self.hybrid else (b"", None)
        self.refresh, self.ignored = ("asked", key, ek, dk), False
        self.send(REFRESH, b"\1" + public(key) + ek)

    def _fresh(self, key, asked, answered, kem):
        theirs = answered if public(key) == asked else asked
        return b"refresh" + asked + answered + exchange(key, theirs) + kem

    def _read_refresh(self, payload, private=None, kem_random=None):
        ek, ct = (mlkem.KEY, mlkem.TEXT) if self.hybrid else (0, 0)
        kind, key, rest = payload[:1], payload[1:33], payload[33:]
        if (kind, len(payload)) not in ((b"\1", 33 + ek), (b"\2", 33 + ct), (b"\3", 1)):
            raise Violation("refresh")
        state = self.refresh[0] if self.refresh else None
        if kind == b"\1":
            self.rx.decide(REFRESH)
            if state in ("answered", "unanswered") or self.ignored and state == "asked":
                raise Violation("refresh")
            if state == "asked" and self.role == TOP:
                self.ignored = True
                return
            if self.sent_close:
                self.refresh = ("unanswered",)
                return
            self._answer(key, rest, private, kem_random)
        elif kind == b"\2":
            if state != "asked":
                raise Violation("refresh")
            _, mine, sent, dk = self.refresh
            kem = sha256(sent + rest) + mlkem.decaps(dk, rest) if self.hybrid else b""
            fresh = self._fresh(mine, public(mine), key, kem)
            self.rx.rotate(fresh)
            self.refresh = None
            if not self.sent_close:
                self.send(REFRESH, b"\3")
                self.tx.rotate(fresh)
        else:
            if state != "answered":
                raise Violation("refresh")
            self.rx.rotate(self.refresh[1])
            self.refresh = None

    def _answer(self, key, ek, private, kem_random):
        """0x01 with e and ek has come: send 0x02."""
        mine = X25519PrivateKey.from_private_bytes(private or os.urandom(32))
        kem = ct = b""
        if self.hybrid:
            if not mlkem.check_key(ek):
                raise Violation("kem key")
            shared, ct = mlkem.encaps(ek, kem_random or os.urandom(32))
            kem = sha256(ek + ct) + shared
        fresh = self._fresh(mine, key, public(mine), kem)
        self.send(REFRESH, b"\2" + public(mine) + ct)
        self.tx.rotate(fresh)
        self.refresh = ("answered", fresh)
