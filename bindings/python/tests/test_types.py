"""The package's types are complete, and mypy finds no fault in them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import duet

SITE = os.path.dirname(os.path.dirname(duet.__file__))
USE = '''
import duet
from duet import aio

with duet.connect("localhost", 1, "key", timeout=2.5) as channel:
    reveal_type(channel.recv())
    reveal_type(channel.recv_message().code)
    for code, data in channel:
        channel.send_message(code, data)
    channel.send("text")

async def main() -> None:
    reader, writer = await aio.open_connection("localhost", 1, "key")
    reveal_type(await reader.read())
    async for message in await aio.connect("localhost", 1, b"secret"):
        reveal_type(message.data)
'''


@unittest.skipUnless(shutil.which("mypy"), "SKIPPED: there is no mypy (Debian: mypy)")
class Types(unittest.TestCase):
    def mypy(self, *arguments: str) -> "tuple[int, str]":
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(["mypy", "--strict", "--no-warn-unused-ignores", "--cache-dir",
                                   cache, "--python-executable", sys.executable, *arguments],
                                  cwd=SITE, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_package(self) -> None:
        code, text = self.mypy("-p", "duet")
        self.assertEqual(code, 0, text)

    def test_what_a_program_sees(self) -> None:
        code, text = self.mypy("-c", USE)
        self.assertEqual(code, 1, text)
        self.assertEqual([line.split(": ", 1)[1] for line in text.splitlines()[:-1]], [
            'note: Revealed type is "builtins.bytes"', 'note: Revealed type is "builtins.int"',
            'error: Argument 1 to "send" of "Channel" has incompatible type "str"; expected '
            '"Union[bytes, bytearray, memoryview]"  [arg-type]',
            'note: Revealed type is "builtins.bytes"', 'note: Revealed type is "builtins.bytes"'])


if __name__ == "__main__":
    unittest.main()
