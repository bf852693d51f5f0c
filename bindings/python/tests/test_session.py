"""The session without I/O: two of them, and one against the second implementation in tests/interop."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
import unittest
from typing import Any

import duet
from support import CLIENT, SECRET, Case

INTEROP = os.path.join(os.environ.get("DUET_TREE", ""), "tests", "interop")


def carry(one: duet.Session, other: duet.Session, piece: int = 1 << 30
          ) -> "tuple[list[duet.Message], list[duet.Message]]":
    """Move bytes until neither has any. What each received."""
    got: "tuple[list[duet.Message], list[duet.Message]]" = ([], [])
    moved = True
    while moved:
        moved = False
        for sender, receiver, into in ((one, other, got[1]), (other, one, got[0])):
            data = sender.outgoing()
            moved = moved or bool(data)
            for at in range(0, len(data), piece):
                into += receiver.receive(data[at:at + piece])
    return got


def pair(config: Any = SECRET, **options: Any) -> "tuple[duet.Session, duet.Session]":
    return (duet.Session(config, "top", replay=CLIENT, **options),
            duet.Session(config, "bottom", **options))


class Two(Case):
    def test_every_split(self) -> None:
        for piece in (1, 7, 16, 1 << 30):
            with self.subTest(piece=piece):
                top, bottom = pair()
                self.assertFalse(top.ready or bottom.ready)
                carry(top, bottom, piece)
                self.assertTrue(top.ready and bottom.ready)
                big = random.randbytes(100000)
                top.send(b"stream")
                top.send(big, 7)
                top.send(b"", 8)
                bottom.send(b"back")
                got = carry(top, bottom, piece)
                self.assertEqual(got[1], [(0, b"stream"), (7, big), (8, b"")])
                self.assertEqual(got[0], [(0, b"back")])
                top.close()
                bottom.close()
                carry(top, bottom, piece)
                self.assertTrue(top.peer_closed and bottom.peer_closed)
                top.end_of_wire()
                self.assertEqual(top.receipt("top"), bottom.receipt("top"))
                self.assertEqual(top.export(b"x", 9), bottom.export(b"x", 9))

    def test_dialect(self) -> None:
        """The first writes are filled, whatever they carry."""
        profile = duet.Profile.parse(b"[Profile]\nDialect = secret\n")
        top, bottom = pair(duet.Config(SECRET, profile=profile))
        carry(top, bottom, 7)
        sizes = []
        for number in range(6):
            bottom.send(b"x" * number)
            data = bottom.outgoing()
            sizes.append(len(data))
            self.assertEqual(top.receive(data), [(0, b"x" * number)])
        self.assertTrue(all(4360 <= size <= 5023 for size in sizes[:3]), sizes)
        self.assertTrue(all(size < 100 for size in sizes[4:]), sizes)

    def test_library_frames(self) -> None:
        top, bottom = pair()
        carry(top, bottom)
        top.ping()
        top.rekey()
        self.assertTrue(top.info.pinging)
        carry(top, bottom)
        self.assertFalse(top.info.pinging)
        top.refresh()
        bottom.refresh()
        carry(top, bottom)
        self.assertFalse(top.info.refreshing or bottom.info.refreshing)
        self.assertEqual(top.info.tx_epoch, bottom.info.rx_epoch)
        self.assertGreater(top.info.tx_epoch, 1)

    def test_order_of_frames(self) -> None:
        """Library frames and data leave in the order of the calls, however they are mixed."""
        top, bottom = pair()
        carry(top, bottom)
        chance, sent = random.Random(1), []
        for number in range(300):
            which = chance.randrange(4)
            if which < 2:
                data = chance.randbytes(chance.randrange(50))
                top.send(data, 1)
                sent.append((1, data))
            elif which == 2:
                top.ping()
            else:
                top.rekey()
        self.assertEqual(carry(top, bottom)[1], sent)

    def test_faults(self) -> None:
        top, bottom = pair()
        with self.assertRaises(duet.MisuseError):
            bottom.send(b"too early")
        carry(top, bottom)
        top.send(b"whole")
        top.send(b"altered")
        wire = bytearray(top.outgoing())
        wire[-1] ^= 1
        self.assertEqual(bottom.receive(wire), [(0, b"whole")])  # what is verified comes first
        for _ in range(2):
            with self.assertRaises(duet.ForgedError):
                bottom.receive(b"")
        with self.assertRaises(duet.ForgedError):
            bottom.send(b"x")
        with self.assertRaises(duet.TruncatedError):
            top.end_of_wire()

    def test_unauthenticated(self) -> None:
        bottom = duet.Session(SECRET, "bottom")
        with self.assertRaises(duet.UnauthenticatedError) as caught:
            bottom.receive(os.urandom(2000))
        self.assert_no_secret(caught.exception, repr(bottom))
        top = duet.Session(SECRET, "top", replay=CLIENT)
        flight = top.outgoing()
        duet.Session(SECRET, "bottom").receive(flight)
        with self.assertRaises(duet.UnauthenticatedError):  # the same again: a replay
            duet.Session(SECRET, "bottom").receive(flight)

    def test_a_message_that_is_too_large(self) -> None:
        top, bottom = pair(message_most=20000)
        carry(top, bottom)
        top.send(bytes(20000), 1)
        self.assertEqual(len(carry(top, bottom)[1][0].data), 20000)
        top.send(bytes(20001), 1)
        with self.assertRaises(duet.RoomError):
            carry(top, bottom)

    def test_fork(self) -> None:
        top, _ = pair()
        child = os.fork()
        if child == 0:
            try:
                top.outgoing()
            except duet.ForkedError:
                os._exit(7)
            os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7)
        self.assertTrue(top.outgoing())


class Second(Case):
    """Against the implementation in tests/interop, which was written from docs/protocol.md alone."""

    def setUp(self) -> None:
        if importlib.util.find_spec("cryptography") is None:
            self.skipTest("SKIPPED: there is no cryptography (Debian: python3-cryptography)")
        sys.path.append(INTEROP)
        self.addCleanup(sys.path.remove, INTEROP)
        spec = importlib.util.spec_from_file_location("second", os.path.join(INTEROP, "duet.py"))
        assert spec is not None and spec.loader is not None
        self.second: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.second)

    def test_talk(self) -> None:
        for pattern, name in ((self.second.SECRET, "secret"), (self.second.EPHEMERAL, "ephemeral")):
            for role, theirs in (("top", self.second.BOTTOM), ("bottom", self.second.TOP)):
                with self.subTest(pattern=name, role=role):
                    self.talk(duet.Session(duet.Config(SECRET, patterns=name), role,
                                           replay=duet.Replay()),
                              self.second.Session(theirs, SECRET, pattern))

    def talk(self, ours: duet.Session, theirs: Any) -> None:
        got = self.carry(ours, theirs)
        self.assertTrue(ours.ready and theirs.ready)
        sent = [(0, random.randbytes(size)) for size in (0, 1, 5000)] + [(9, b"message")]
        for code, data in sent:
            ours.send(data, code)
            theirs.send(code, data)
        ours.ping()
        ours.rekey()
        theirs.send(self.second.ROTATE)
        got += self.carry(ours, theirs)
        ours.refresh()
        got += self.carry(ours, theirs)
        self.assertFalse(ours.info.refreshing or ours.info.pinging)
        ours.close()
        theirs.send(self.second.CLOSE)
        got += self.carry(ours, theirs)
        self.assertEqual(got, sent)
        self.assertEqual([event for event in theirs.events if event[0] < 100], sent)
        self.assertTrue(ours.peer_closed and theirs.closed)
        for role, who in (("top", self.second.TOP), ("bottom", self.second.BOTTOM)):
            self.assertEqual(ours.receipt(role), theirs.receipts[who])

    @staticmethod
    def carry(ours: duet.Session, theirs: Any) -> "list[duet.Message]":
        got: "list[duet.Message]" = []
        while True:
            data = ours.outgoing()
            theirs.receive(data)
            back, theirs.out = theirs.out, b""
            got += ours.receive(back)
            if not data and not back:
                return got


if __name__ == "__main__":
    unittest.main()
