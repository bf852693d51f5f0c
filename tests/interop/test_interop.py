"""The second implementation against the test vectors, itself, and `duet pipe` (docs/protocol.md §1 to §6).

DUET names the command.
"""

import base64
import hashlib
import itertools
import json
import os
import socket
import subprocess
import tempfile
import unittest

import duet
import mlkem
import scripted_session
from dialect import Dialect
from scripted_session import payload
from duet import BOTTOM, CLOSE, EPHEMERAL, IDENTITY, PAD, READY, ROTATE, SECRET, TOP, Session
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

COMMAND = os.environ["DUET"]
NAMES = {SECRET: "secret", EPHEMERAL: "ephemeral", IDENTITY: "identity"}
TIMEOUT = 200


def vectors(name):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../vectors", name)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


class Vectors(unittest.TestCase):
    """handshake.json and hybrid.json, run by two Python sessions."""

    def check_case(self, case, run=scripted_session.run_case):
        top, bottom = run(case)
        self.assertEqual(top.out.hex(), case["top_sends"])
        self.assertEqual(bottom.out.hex(), case["bottom_sends"])
        self.assertEqual(top.session_secret.hex(), case["session_secret"])
        for session in (top, bottom):
            self.assertEqual(session.export(bytes.fromhex(case["export_label"]), 32).hex(),
                             case["export_32"])
            self.assertEqual(session.receipts[TOP].hex(), case["receipt_top"])
            self.assertEqual(session.receipts[BOTTOM].hex(), case["receipt_bottom"])

    def test_handshake(self):
        for number, case in enumerate(vectors("handshake.json")["cases"]):
            with self.subTest(case=number):
                self.check_case(case)

    def test_dialect(self):
        for number, case in enumerate(vectors("dialect.json")["cases"]):
            with self.subTest(case=number):
                self.check_case(case)
                dialect = Dialect(bytes.fromhex(case["W"]), case["label"].encode())
                self.assertEqual(dialect.g.hex(), case["G"])
                self.assertEqual(list(dialect.first_size), case["first_size"])

    def test_hybrid(self):
        for case in vectors("hybrid.json")["cases"]:
            with self.subTest(case=case["name"]):
                self.check_case(case, scripted_session.run_story)

    def test_hybrid_faults(self):
        """One party gets the other's flight: it ends, and sends nothing more."""
        for one in vectors("hybrid.json")["negative"]:
            with self.subTest(case=f"{one['name']}, pattern {one['pattern']}"):
                known = {"label": "", "prelude_top": "", "prelude_bottom": "", "N_t": "", "N_b": "",
                         **one}
                if one["at"] == BOTTOM:
                    known["params_bottom"] = "01001016001000000000000000000000"
                session = scripted_session.make(known, one["at"])
                sent = len(session.out)
                flight = one["bottom_sends" if one["at"] == TOP else "top_sends"]
                if one["at"] == TOP:
                    self.assertEqual(hashlib.sha256(session.out).hexdigest(),
                                     one["top_sends_sha256"])
                with self.assertRaises(duet.Violation):
                    session.receive(bytes.fromhex(flight))
                self.assertFalse(session.ready)
                if one["expect"] != "ready does not open":
                    self.assertEqual(len(session.out), sent)


class MlKem(unittest.TestCase):
    """mlkem.py gives NIST's known answers."""

    def test_answers(self):
        known, unhex = vectors("mlkem768.json"), bytes.fromhex
        sha256 = lambda data: hashlib.sha256(data).hexdigest()
        for one in known["keygen"]:
            ek, dk = mlkem.keygen(unhex(one["d"] + one["z"]))
            self.assertEqual((sha256(ek), sha256(dk)), (one["ek_sha256"], one["dk_sha256"]))
        for one in known["encaps"]:
            shared, text = mlkem.encaps(unhex(one["ek"]), unhex(one["m"]))
            self.assertEqual((shared.hex(), sha256(text)), (one["ss"], one["ct_sha256"]))
        for one in known["decaps"]:
            self.assertEqual(mlkem.decaps(unhex(one["dk"]), unhex(one["ct"])).hex(), one["ss"])
        for one in known["check_ek"]:
            self.assertEqual(mlkem.check_key(unhex(one["ek"])), one["ok"])


class Example(unittest.TestCase):
    """The worked example of docs/protocol.md holds."""

    def test_example(self):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/protocol.md")
        with open(path, encoding="utf-8") as file:
            text = "".join(file.read().split())
        for name, value in example().items():
            with self.subTest(value=name):
                self.assertIn(value, text)


def example():
    """The values of the worked example, by name."""
    secret = bytes(range(64))
    top = Session(TOP, secret, SECRET, padding=0, nonce=b"\xa0" * 32)
    bottom = Session(BOTTOM, secret, SECRET, padding=0, nonce=b"\xb0" * 32)
    values = {"R of TOP, hello": top.tx.root.hex(), "K": top.tx.key.hex(),
              "C": top.tx.counter.to_bytes(16, "big").hex()}
    values["TOP's first flight"] = top.out.hex()
    bottom.receive(top.out)
    values["BOTTOM's first flight, READY included"] = bottom.out.hex()
    sent = len(top.out)
    top.receive(bottom.out)
    values["S, its first 32 bytes"] = top.session_secret[:32].hex()
    values["TOP's READY"] = top.out[sent:].hex()
    sent = len(top.out)
    top.send(0, b"hello\n")
    values['TOP\'s CODE 0 with "hello" and a newline'] = top.out[sent:].hex()
    sent = len(top.out)
    top.send(CLOSE)
    values["TOP's CLOSE"] = top.out[sent:].hex()
    values["receipt of TOP"] = top.receipts[TOP].hex()
    values['export("test", 16)'] = top.export(b"test", 16).hex()
    return values


class Pipe:
    """`duet pipe` at the other end of a socket, and our session at this one."""

    def __init__(self, work, role, pattern=EPHEMERAL, profile=None, data=b"", hybrid="off",
                 **options):
        self.work, self.role = work, role
        self.errors = tempfile.TemporaryFile()
        arguments = [COMMAND, "pipe", "-v", "-k", f"{work}/key", "--pattern", NAMES[pattern],
                     "--handshake-timeout", "29", "--hybrid", hybrid]
        if pattern == IDENTITY:
            arguments += ["-i", f"{work}/theirs", "--peers", f"{work}/peers"]
            options["static"] = X25519PrivateKey.from_private_bytes(b"\x07" * 32)
        if profile:
            arguments += ["--profile", profile]
        ours, theirs = socket.socketpair()
        arguments += ["--top" if role == BOTTOM else "--bottom", f"fd:{theirs.fileno()}"]
        self.process = subprocess.Popen(arguments, pass_fds=[theirs.fileno()],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        self.process.stdin.write(data)  # less than a pipe holds
        self.process.stdin.flush()
        theirs.close()
        self.socket = ours
        self.socket.settimeout(TIMEOUT)
        self.session = Session(role, SECRET_BYTES, pattern, hybrid=hybrid, **options)
        self.piece = None

    def end_input(self):
        self.process.stdin.close()

    def flush(self, change=lambda out: out):
        out, self.session.out = change(self.session.out), b""
        try:
            for at in range(0, len(out), self.piece or max(len(out), 1)):
                self.socket.sendall(out[at:at + (self.piece or len(out))])
        except OSError:
            pass

    def until(self, done):
        """Receive until done(session) holds; False at the end of the stream."""
        while not done(self.session):
            self.flush()
            try:
                received = self.socket.recv(65536)
            except OSError:
                return False
            if not received:
                return False
            self.session.receive(received)
        self.flush()
        return True

    def finish(self, end_input=True):
        """The command's standard output, exit code and standard error."""
        if end_input:
            self.end_input()
        out = self.process.stdout.read()
        code = self.process.wait(TIMEOUT)
        self.errors.seek(0)
        errors = self.errors.read().decode()
        self.socket.close()
        self.process.stdout.close()
        self.process.stdin.close()
        self.errors.close()
        return out, code, errors

    def received(self):
        return b"".join(payload for code, payload in self.session.events if code == 0)


SECRET_BYTES = bytes(range(64))


def write_files(work):
    digest = duet.sha256(b"duet/1 id" + SECRET_BYTES)[:8].hex()
    identity = X25519PrivateKey.from_private_bytes(b"\x07" * 32)
    files = {
        "key": f"[Secret]\nVersion = 1\nId = {digest}\nSecret = "
               f"{base64.b64encode(SECRET_BYTES[:48]).decode()}\n"
               f"    {base64.b64encode(SECRET_BYTES[48:]).decode()}\n",
        "theirs": base64.b64encode(b"\x09" * 32).decode() + "\n",
        "peers": f"[Peer us]\nPublicKey = {base64.b64encode(duet.public(identity)).decode()}\n",
        "profile": "[Profile]\nLabel = acme ✓\nPreludeTop = GET / HTTP/1.1\\x0d\\x0a\n"
                   "PreludeBottom = HTTP/1.1 200\\x00\nHelloSize = 1000 16000\nRotateFrames = 1\n"
                   "RotateBlocks = 3\n",
        "dialect": "[Profile]\nLabel = acme\nDialect = secret\n",
    }
    for name, text in files.items():
        with open(os.open(f"{work}/{name}", os.O_CREAT | os.O_WRONLY, 0o600), "w",
                  encoding="utf-8") as file:
            file.write(text)


PROFILE = {"label": "acme ✓".encode(), "padding": 777, "rotate": (2, 4),
           "preludes": (b"GET / HTTP/1.1\r\n", b"HTTP/1.1 200\0")}


DIALECT = {"label": b"acme", "dialect": True, "padding": (1400, 2000)}


class WithPipe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = cls.folder.name
        write_files(cls.work)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def talk(self, role, pattern, piece=None, profile=None, count=20, hybrid="off"):
        """A whole session: data both ways, PAD, PING, ROTATE, refresh from our side, CLOSE."""
        data = payload(50000)
        options = {None: {}, "profile": PROFILE, "dialect": DIALECT}[profile]
        pipe = Pipe(self.work, role, pattern, f"{self.work}/{profile}" if profile else None, data,
                    hybrid, **options)
        pipe.piece = piece
        self.assertTrue(pipe.until(lambda s: s.ready))
        sent = b""
        for number in range(count):
            pipe.session.send(0, payload(number * 37))
            sent += payload(number * 37)
            if number == 5:
                pipe.session.send(PAD, payload(50))
                pipe.session.send(duet.PING, b"12345678")
                pipe.session.send(ROTATE)
            if number == 10:
                pipe.session.ask_refresh()
                self.assertTrue(pipe.until(lambda s: s.refresh is None))
        pipe.session.send(CLOSE)
        pipe.end_input()
        self.assertTrue(pipe.until(lambda s: s.closed))
        out, code, errors = pipe.finish()
        self.assertEqual(code, 0, errors)
        self.assertEqual(out, sent)
        self.assertEqual(pipe.received(), data)
        self.assertIn((duet.PONG, b"12345678"), pipe.session.events)
        for name, who in (("TOP", TOP), ("BOTTOM", BOTTOM)):
            self.assertIn(f"receipt of {name} {pipe.session.receipts[who].hex()}", errors)
        return pipe.session

    def test_all_patterns_both_roles(self):
        profiles = (None, "profile", "dialect")
        for pattern, role, profile in itertools.product(NAMES, (TOP, BOTTOM), profiles):
            with self.subTest(pattern=pattern, role=role, profile=profile):
                self.talk(role, pattern, profile=profile)

    def test_byte_by_byte(self):
        for pattern, role in itertools.product(NAMES, (TOP, BOTTOM)):
            with self.subTest(pattern=pattern, role=role):
                self.talk(role, pattern, piece=1, count=12)

    def test_hybrid(self):
        """With ML-KEM, a refresh included; `duet pipe` requires it."""
        probe = subprocess.run([COMMAND, "pipe", "-k", f"{self.work}/key", "--hybrid", "require",
                                "--top", "fd:0"], capture_output=True, text=True,
                               stdin=subprocess.DEVNULL)
        if "no ML-KEM-768" in probe.stderr:
            self.skipTest("this libcrypto has no ML-KEM-768 (OpenSSL 3.5 or newer has)")
        for pattern, role in itertools.product((EPHEMERAL, IDENTITY), (TOP, BOTTOM)):
            with self.subTest(pattern=pattern, role=role):
                session = self.talk(role, pattern, hybrid="require")
                self.assertTrue(session.hybrid)

    def flip_initiation(self, role, pattern, at):
        """One byte of our flights is changed: silence, nothing out, exit 4."""
        pipe = Pipe(self.work, role, pattern)
        position = 0

        def change(out):
            nonlocal position
            begin, position = position, position + len(out)
            if not begin <= at < position:
                return out
            return out[:at - begin] + bytes([out[at - begin] ^ 0x10]) + out[at - begin + 1:]

        before = 0
        try:
            for _ in range(3):
                pipe.flush(change)
                if position > at or pipe.session.ready:
                    break
                received = pipe.socket.recv(65536)
                before += len(received)
                pipe.session.receive(received)
        except duet.Violation:
            self.fail("the command's own bytes are wrong")
        if position <= at:
            pipe.process.kill()
            pipe.finish()
            return False
        pipe.socket.shutdown(socket.SHUT_WR)
        pipe.socket.settimeout(0.05)
        try:
            after = pipe.socket.recv(65536)
        except TimeoutError:
            after = b""
        except ConnectionResetError:
            after = b""
        # Where a HELLO that is right precedes our READY, its answer is due before that proves wrong:
        # a READY, with a PAD frame of 76 to 1,176 bytes.
        in_ready = at >= position - 24 and (role == BOTTOM) != (pattern == IDENTITY)
        self.assertTrue(not after or in_ready and 100 <= len(after) <= 1200,
                        f"byte {at}: it answered by {len(after)} bytes")
        pipe.socket.close()
        if role == TOP:  # it listens on in silence, for longer than a test can wait
            pipe.process.kill()
            out, _, _ = pipe.finish()
        else:
            out, code, errors = pipe.finish()
            self.assertEqual(code, 4, f"byte {at}: {errors}")
        self.assertEqual(out, b"")
        return True

    def test_flipped_initiation(self):
        for pattern, role in itertools.product(NAMES, (TOP, BOTTOM)):
            with self.subTest(pattern=pattern, role=role):
                at = 0
                while self.flip_initiation(role, pattern, at):
                    at += 11 if at % 2 else 7
                self.assertGreater(at, 70)

    def test_flipped_data(self):
        """One byte behind READY is changed: what was whole before is out, and nothing else."""
        frames = [payload(5), payload(100), b"", payload(33)]
        size = sum(len(frame) + 24 for frame in frames) + 24
        for at in range(0, size, 3):
            with self.subTest(at=at):
                pipe = Pipe(self.work, TOP)
                self.assertTrue(pipe.until(lambda s: s.ready))
                for frame in frames:
                    pipe.session.send(0, frame)
                pipe.session.send(CLOSE)
                wire, pipe.session.out = bytearray(pipe.session.out), b""
                wire[at] ^= 1 << at % 8
                pipe.socket.sendall(wire)
                pipe.socket.shutdown(socket.SHUT_WR)
                out, code, errors = pipe.finish()
                self.assertIn(code, (5, 6), errors)
                whole, end = b"", 0
                for frame in frames:
                    end += len(frame) + 24
                    if at < end:
                        break
                    whole += frame
                self.assertEqual(out, whole)

    def test_cut(self):
        for pieces in range(0, 60, 7):
            pipe = Pipe(self.work, BOTTOM)
            self.assertTrue(pipe.until(lambda s: s.ready))
            pipe.session.send(0, payload(9))
            whole = len(pipe.session.out)
            pipe.session.send(0, payload(30))
            pipe.session.out = pipe.session.out[:pieces]
            pipe.flush()
            pipe.socket.shutdown(socket.SHUT_WR)
            out, code, errors = pipe.finish()
            self.assertEqual(code, 6, errors)
            self.assertEqual(out, payload(9) if pieces >= whole else b"")

    def test_wrong(self):
        """What a peer that holds the secret may not say ends in exit 5."""
        for code, body in ((READY, b""), (duet.HELLO, b"abc"), (CLOSE, b"x"), (ROTATE, b"x"),
                             (duet.PING, b"1234567"), (duet.REFRESH, b"\2" + bytes(32)),
                             (duet.REFRESH, b"\1" + bytes(32)), (0xFFFFFF0A, b"")):
            with self.subTest(code=hex(code)):
                pipe = Pipe(self.work, TOP)
                self.assertTrue(pipe.until(lambda s: s.ready))
                pipe.session.send(0, b"before")
                pipe.session.out += pipe.session.tx.seal(code, body)
                pipe.flush()
                pipe.socket.shutdown(socket.SHUT_WR)
                # Its own CLOSE would let it ignore a REFRESH.
                out, exit_code, errors = pipe.finish(end_input=False)
                self.assertEqual((exit_code, out), (5, b"before"), f"{hex(code)} {body} {errors}")

    def told(self, say, end_input=False):
        """Output and exit code of a command to which we send what `say` seals, and then nothing."""
        pipe = Pipe(self.work, TOP)
        self.assertTrue(pipe.until(lambda s: s.ready))
        if end_input:
            pipe.end_input()
            self.assertTrue(pipe.until(lambda s: s.closed))
        pipe.session.send(0, b"before")
        say(pipe.session)
        pipe.flush()
        pipe.socket.shutdown(socket.SHUT_WR)
        out, code, _ = pipe.finish(end_input=not end_input)
        return out, code

    def test_close_within_message(self):
        """That is a truncation, although CLOSE has come."""
        def say(session):
            session.send(duet.MORE, b"a part")
            session.out += session.tx.seal(CLOSE, b"")
        self.assertEqual(self.told(say), (b"before", 6))

    def test_whole_message(self):
        """A stream is meant, so that is an error, although nothing is altered or cut."""
        for parts in (0, 1, 3):
            def say(session, parts=parts):
                for _ in range(parts):
                    session.send(duet.MORE, payload(70000))
                session.send(5, b"the end")
                session.send(CLOSE)
            with self.subTest(parts=parts):
                self.assertEqual(self.told(say), (b"before", 1))

    def test_behind_close(self):
        def say(session):
            session.send(CLOSE)
            session.out += bytes(range(200))
        self.assertEqual(self.told(say), (b"before", 0))

    def test_refresh_behind_their_close(self):
        """The first 0x01 that meets the command's own CLOSE is ignored, a second is a violation."""
        for count, expected in ((1, 0), (2, 5)):
            def say(session, count=count):
                for _ in range(count):
                    session.ask_refresh()
                session.send(CLOSE)
            with self.subTest(count=count):
                self.assertEqual(self.told(say, end_input=True), (b"before", expected))

    def test_keys_in_another_form(self):
        """X25519 ignores the top bit of a key; what is hashed has the key as it came."""
        plain = duet.public
        flip = lambda key: plain(key)[:31] + bytes([plain(key)[31] | 0x80])
        duet.public = flip
        try:
            for role in (TOP, BOTTOM):
                with self.subTest(role=role):
                    self.talk(role, EPHEMERAL, count=12)
        finally:
            duet.public = plain


if __name__ == "__main__":
    unittest.main()
