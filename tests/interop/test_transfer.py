"""A peer that holds the secret, against `duet recv` and `duet send` (docs/transfer.md): it gets and
changes no more than that page grants.

DUET names the command.
"""

import os
import socket
import struct
import subprocess
import tempfile
import unittest

import duet
from duet import CLOSE, TOP, Session
from test_interop import COMMAND, SECRET_BYTES, TIMEOUT, write_files

BEGIN, OFFER, START, DATA, DONE, END, CHECK = 32, 1, 2, 3, 4, 5, 8
WANT, STORED, REFUSED, GO = 16, 18, 19, 20
UNKNOWN = (1 << 64) - 1


def offer(name, size, kind=0, target=None):
    message = struct.pack(">BBHqIQH", kind, 0, 0o644, 1, 0, size, len(name)) + name.encode()
    if target:
        message += struct.pack(">HH", 1, len(target)) + target.encode()
    return message


class Peer:
    """The command at the other end of a socket, with the first messages exchanged."""

    def __init__(self, work, *arguments):
        ours, theirs = socket.socketpair()
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [COMMAND, *arguments, "-k", f"{work}/key", "--hybrid", "off", "--bottom",
             f"fd:{theirs.fileno()}"],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.errors)
        theirs.close()
        self.socket = ours
        self.socket.settimeout(TIMEOUT)
        self.session = Session(TOP, SECRET_BYTES, hybrid="off")
        self.seen = 0
        while not self.session.ready:
            self.carry()
        self.put(BEGIN, struct.pack(">HH", 2, 0))

    def put(self, code, message=b""):
        self.session.send(code, message)
        out, self.session.out = self.session.out, b""
        try:
            self.socket.sendall(out)
        except OSError:
            pass

    def carry(self):
        """Send what is due, and receive; False at the end."""
        out, self.session.out = self.session.out, b""
        try:
            self.socket.sendall(out)
            received = self.socket.recv(65536)
        except OSError:
            return False
        self.session.receive(received)
        return received != b""

    def answer(self, *codes):
        """The next message of one of the codes; (None, b"") at the end."""
        while True:
            for code, message in self.session.events[self.seen:]:
                self.seen += 1
                if code in codes:
                    return code, message
            if not self.carry():
                return None, b""

    def end(self):
        """The exit code and the errors."""
        self.socket.close()
        code = self.process.wait(TIMEOUT)
        self.errors.seek(0)
        return code, self.errors.read().decode()


class Receiver(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.work = self.folder.name
        write_files(self.work)
        self.got = f"{self.work}/got"
        os.mkdir(self.got)

    def tearDown(self):
        self.folder.cleanup()

    def peer(self, *options):
        return Peer(self.work, "recv", "-o", self.got, *options)

    def write(self, name, content):
        with open(os.open(f"{self.got}/{name}", os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)

    def stored(self):
        return sum(file.stat().st_size for file in os.scandir(self.got) if file.is_file())

    def send(self, peer, index, size):
        peer.put(START, struct.pack(">IQ", index, 0))
        for _ in range(size // 50000):
            peer.put(DATA, bytes(50000))
        peer.put(DONE, struct.pack(">IB", index, 0))

    def test_limit_of_streams(self):
        peer = self.peer("--max-size", "100000")
        peer.put(OFFER, offer("stream", UNKNOWN))
        self.assertEqual(peer.answer(WANT, REFUSED)[0], WANT)
        self.send(peer, 0, 1000000)
        self.assertEqual(peer.answer(STORED, REFUSED)[0], REFUSED)
        self.assertLessEqual(self.stored(), 100000)
        peer.end()

    def test_limit_of_hard_links(self):
        peer = self.peer("--max-size", "100000")
        peer.put(OFFER, offer("link", 1000000, 4, "missing"))
        self.assertEqual(peer.answer(WANT, REFUSED)[0], REFUSED)
        peer.end()

    def test_limit_that_wraps(self):
        peer = self.peer("--max-size", "100000")
        for number, size in enumerate((90000, UNKNOWN - 80000, 90000)):
            peer.put(OFFER, offer(f"file{number}", size))
        answers = [peer.answer(WANT, REFUSED)[0] for _ in range(3)]
        self.assertEqual(answers, [WANT, REFUSED, REFUSED])
        peer.end()

    def test_link_to_what_was_not_offered(self):
        self.write(".secret", b"hidden")
        self.write("other", b"not yours")
        peer = self.peer()
        for number, target in enumerate((".secret", "other")):
            peer.put(OFFER, offer(f"link{number}", 3, 4, target))
            peer.answer(WANT, REFUSED, STORED)
            self.assertFalse(os.path.exists(f"{self.got}/link{number}"))
        peer.end()

    def test_start_without_a_check(self):
        self.write("file.duet-part", b"of another")
        peer = self.peer()
        peer.put(OFFER, offer("file", 20))
        code, message = peer.answer(WANT)
        self.assertEqual(message[4:], struct.pack(">Q", 10))
        peer.put(START, struct.pack(">IQ", 0, 10))
        peer.put(DATA, b"the second")
        peer.put(DONE, struct.pack(">IB", 0, 0))
        self.assertEqual(peer.answer(STORED)[0], None)
        peer.end()
        self.assertFalse(os.path.exists(f"{self.got}/file"))

    def test_unfinished_file_that_changes_after_its_check(self):
        self.write("file.duet-part", b"the first ")
        peer = self.peer()
        peer.put(OFFER, offer("file", 20))
        peer.answer(WANT)
        peer.put(CHECK, struct.pack(">IQ", 0, 10) + duet.sha256(b"the first "))
        self.assertEqual(peer.answer(GO, WANT)[0], GO)
        self.write("file.duet-part", b"of another")
        peer.put(START, struct.pack(">IQ", 0, 10))
        peer.put(DATA, b"the second")
        peer.put(DONE, struct.pack(">IB", 0, 0))
        self.assertEqual(peer.answer(STORED, REFUSED)[0], REFUSED)
        self.assertFalse(os.path.exists(f"{self.got}/file"))
        peer.end()


if __name__ == "__main__":
    unittest.main(verbosity=2)
