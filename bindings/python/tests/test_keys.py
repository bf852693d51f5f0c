"""Secrets, identities, configurations; and the check of the library's version."""

from __future__ import annotations

import copy
import datetime
import glob
import os
import pickle
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import duet
from duet import _library
from support import SECRET, Case, connect, server, write_key


class Files(Case):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = folder.name

    def path(self, name: str) -> str:
        return os.path.join(self.work, name)

    def write(self, name: str, text: str, mode: int = 0o600) -> str:
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def test_secret(self) -> None:
        secret = duet.Secret(SECRET)
        same = duet.Secret.load(write_key(self.work))
        self.assertEqual(secret.id, same.id)
        self.assertEqual(len(secret.id), 16)
        self.assertIsNone(secret.not_after)
        self.assertEqual(duet.Secret.parse(secret.format()).id, secret.id)
        self.assertNotEqual(duet.Secret().id, duet.Secret().id)
        for size in (0, 62, 65, 65538):
            with self.assertRaises(duet.LengthError):
                duet.Secret(bytes(size))
        self.assert_no_secret(repr(secret), str(secret), vars(secret))
        for copier in (pickle.dumps, copy.copy, copy.deepcopy):
            with self.assertRaises(TypeError):
                copier(secret)

    def test_save_never_overwrites(self) -> None:
        secret = duet.Secret()
        secret.save(self.path("new"))
        self.assertEqual(os.stat(self.path("new")).st_mode & 0o777, 0o600)
        self.assertEqual(duet.Secret.load(self.path("new")).id, secret.id)
        with self.assertRaises(duet.Error):
            duet.Secret().save(self.path("new"))
        self.assertEqual(duet.Secret.load(self.path("new")).id, secret.id)

    def test_passphrase(self) -> None:
        secret = duet.Secret()
        secret.save(self.path("sealed"), passphrase="one two")
        self.assertEqual(duet.Secret.load(self.path("sealed"), passphrase="one two").id, secret.id)
        for wrong in (None, "one"):
            with self.assertRaises(duet.Error):
                duet.Secret.load(self.path("sealed"), passphrase=wrong)

    def test_files_that_are_refused(self) -> None:
        """The error names the file and what is wrong with it."""
        key = write_key(self.work)
        os.chmod(key, 0o644)
        with self.assertRaises(duet.Error) as caught:
            duet.Config(key)
        self.assertIn(key, str(caught.exception))
        self.assert_no_secret(caught.exception)
        for name, text in (("empty", ""), ("other", "[Peer a]\n"),
                           ("half", "[Secret]\nVersion = 1\n")):
            with self.assertRaises(duet.Error) as caught:
                duet.Secret.load(self.write(name, text))
            self.assertIn(name, str(caught.exception))
        with self.assertRaises(duet.Error):
            duet.Secret.load(self.path("missing"))
        with self.assertRaises(duet.FormatError) as caught:
            duet.Profile.parse(b"[Profile]\nLabel = a\nNoSuchName = 1\n")
        self.assertIn("line 3", str(caught.exception))

    def test_expired(self) -> None:
        text = duet.Secret(SECRET).format().decode().rstrip() + "\nNotAfter = 2020-02-29\n"
        secret = duet.Secret.parse(text.encode())
        self.assertEqual(secret.not_after, datetime.date(2020, 2, 29))
        with self.assertRaises(duet.Error):
            duet.Config(secret)

    def test_identities(self) -> None:
        ours, theirs, other = duet.Identity(), duet.Identity(), duet.Identity(b"\x07" * 32)
        self.assertNotEqual(ours.public_key, theirs.public_key)
        self.assertEqual(other.public_key, duet.Identity(bytearray(b"\x07" * 32)).public_key)
        with self.assertRaises(ValueError):
            duet.Identity(b"short")
        self.assertNotIn("\\x07", repr(other))
        theirs.save(self.path("theirs"))
        peers = self.write("peers", f"[Peer server]\nPublicKey = {theirs.public_key}\n")
        self.assertEqual(duet.Peers.load(peers).names(), {theirs.public_key: "server"})
        self.assertEqual(len(duet.Peers.load(peers)), 1)
        listens = duet.Config(SECRET, identity=self.path("theirs"), peers=duet.Peers.parse(
            f"[Peer client]\nPublicKey = {ours.public_key}\n".encode()))
        seen = []

        def note(channel: duet.Channel) -> None:
            with channel:
                seen.append(channel.info.peer_key)

        with server(note, listens) as port:
            with connect(port, duet.Config(SECRET, identity=ours, peers=peers)) as channel:
                self.assertEqual(channel.info.pattern, "identity")
                self.assertEqual(channel.info.peer_key, theirs.public_key)
                self.assertEqual(channel.recv(), b"")
            with self.assertRaises(duet.SlowError):  # silence to an identity that is not trusted
                connect(port, duet.Config(SECRET, identity=other, peers=peers), connect_timeout=1)
        self.assertEqual(seen, [ours.public_key])

    def test_profile(self) -> None:
        profile = duet.Profile.parse(
            b"[Profile]\nLabel = test\nPreludeTop = GET / HTTP/1.1\\x0d\\x0a\n")
        both = duet.Config(SECRET, profile=profile)
        with server(config=both) as port:
            with connect(port, both) as channel:
                channel.send(b"x")
                self.assertEqual(channel.recv(), b"x")
            with self.assertRaises(duet.SlowError):
                connect(port, SECRET, connect_timeout=0.5)

    def test_several_secrets_and_numbers(self) -> None:
        other = os.urandom(64)
        config = duet.Config([other, duet.Secret(SECRET)], patterns=("secret", "ephemeral"),
                             max_payload=65536, frame_size=100, max_skew_ms=60000,
                             speak_first=False)
        with server(config=config) as port:
            for secret in (other, SECRET):
                with connect(port, duet.Config(secret, patterns="secret")) as channel:
                    self.assertEqual(channel.info.pattern, "secret")
                    self.assertEqual(channel.info.secret_id, duet.Secret(secret).id)
                    self.assertEqual(channel.info.tx_limit, 65536)
        for wrong in ({"max_payload": 1}, {"frame_size": 0}, {"max_skew_ms": 1 << 60},
                      {"patterns": ()}):
            with self.assertRaises(duet.MisuseError):
                duet.Config(SECRET, **wrong)
        with self.assertRaises(ValueError):
            duet.Config(SECRET, patterns="none of them")
        with self.assertRaises(TypeError):
            duet.Config(17)  # type: ignore[arg-type]


class Library(Case):
    def test_another_version(self) -> None:
        for version, fits in (("0.2.0", True), ("0.2.9", True), ("0.1.0", False), ("0.3.0", False),
                              ("1.2.0", False)):
            fake = unittest.mock.Mock(DUET_VERSION_MAJOR=0, DUET_VERSION_MINOR=2,
                                      DUET_VERSION_PATCH=0)
            fake.duet_version.return_value = _library.ffi.new("char[]", version.encode())
            with unittest.mock.patch.object(_library, "lib", fake):
                if fits:
                    _library._check_version()
                    continue
                with self.assertRaises(ImportError) as caught:
                    _library._check_version()
                self.assertIn(version, str(caught.exception))

    def test_a_library_without_our_symbols(self) -> None:
        real = os.path.basename(glob.glob(os.environ["DUET_LIB"] + "/libduet.so.?.?")[0])
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([os.environ.get("CC", "cc"), "-shared", "-Wl,-soname," + real, "-o",
                            os.path.join(folder, real), "-xc", "/dev/null"], check=True)
            done = subprocess.run([sys.executable, "-c", "import duet"], capture_output=True,
                                  text=True, env={**os.environ, "LD_LIBRARY_PATH": folder},
                                  check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ImportError: duet: the shared library libduet cannot be loaded", done.stderr)


if __name__ == "__main__":
    unittest.main()
