"""The dialect of a secret (docs/protocol.md §6), by the second implementation."""

import secrets

from frames import BOTTOM, TOP, expand, extract, sha256

LOWER, UPPER, DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
ALPHABETS = [text.encode() for text in (
    LOWER, UPPER, UPPER + LOWER, DIGITS + "abcdef", DIGITS + LOWER, DIGITS + UPPER,
    DIGITS + UPPER + LOWER, "".join(chr(c) for c in range(0x21, 0x7F)))]


class Dialect:
    """The numbers that a secret and a label give."""

    def __init__(self, secret, label=b""):
        info = b"duet/1 dialect\0" + sha256(label)
        self.g = expand(extract(b"duet/1 dialect", secret), info, 256)
        # for each role the fields of its opening, as (length, number of the alphabet)
        self.fields = {TOP: self._fields(0), BOTTOM: self._fields(16)}
        self.hello_size = self._range(32, 1400, 1600, 400, 1000)
        more = self._number(34, 0, 2)
        self.first = {TOP: 4 if more == 1 else 3, BOTTOM: 4 if more == 2 else 3}
        self.first_size = self._range(35, 4360, 4560, 200, 440)
        self.silence_ms = self._range(37, 30000, 45000, 30000, 75000)
        self.linger_ms = self._range(39, 1000, 2000, 2000, 6000)

    def _number(self, i, least, most):
        return least + int.from_bytes(self.g[4 * i:4 * i + 4], "big") % (most - least + 1)

    def _range(self, i, least, most, more_least, more_most):
        begin = self._number(i, least, most)
        return begin, begin + self._number(i + 1, more_least, more_most)

    def _fields(self, at):
        count = self._number(at, 3, 6)
        return [(self._number(at + 1 + 2 * f, 8, 16), self._number(at + 2 + 2 * f, 0, 7))
                for f in range(count)]

    def size(self, role):
        """Bytes of a role's opening."""
        return sum(length for length, _ in self.fields[role])

    def opening(self, role, choice=secrets.choice):
        """A new opening."""
        return bytes(choice(ALPHABETS[alphabet]) for length, alphabet in self.fields[role]
                     for _ in range(length))

    def fits(self, role, opening):
        """Could the peer of that role have sent it?"""
        alphabets = [alphabet for length, alphabet in self.fields[role] for _ in range(length)]
        return all(byte in ALPHABETS[alphabet] for byte, alphabet in zip(opening, alphabets))
