"""The tests of tests/interop, which talk to `duet pipe`, with this package in its place (pipe.py)."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest

INTEROP = os.path.join(os.environ.get("DUET_TREE", ""), "tests", "interop", "test_interop.py")
PIPE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pipe.py")
TESTS = ("all_patterns_both_roles", "byte_by_byte", "flipped_data", "cut", "wrong")


@unittest.skipUnless(importlib.util.find_spec("cryptography"),
                     "SKIPPED: there is no cryptography (Debian: python3-cryptography)")
class Interop(unittest.TestCase):
    def test_second_implementation(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            command = os.path.join(folder, "duet")
            with open(command, "w", encoding="utf-8") as file:
                file.write(f'#!/bin/sh\nexec "{sys.executable}" "{PIPE}" "$@"\n')
            os.chmod(command, 0o755)
            done = subprocess.run(
                [sys.executable, INTEROP, *(f"WithPipe.test_{name}" for name in TESTS)],
                env={**os.environ, "DUET": command}, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"Ran {len(TESTS)} tests", done.stderr)


if __name__ == "__main__":
    unittest.main()
