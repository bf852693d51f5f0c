"""What the tests share."""

from __future__ import annotations

import base64
import contextlib
import faulthandler
import hashlib
import os
import socket
import threading
import time
import unittest
from typing import Any, Callable, Iterator

import duet

SECRET = os.urandom(1024)
SECONDS = 60.0  # after which something hangs
faulthandler.dump_traceback_later(10 * SECONDS, exit=True)
CLIENT = duet.Replay()  # clients and servers in one process take each other's bytes for replays


def echo(channel: duet.Channel) -> None:
    with channel:
        while data := channel.recv():
            channel.send(data)


@contextlib.contextmanager
def server(handler: Callable[[duet.Channel], Any] = echo, config: Any = SECRET
           ) -> "Iterator[int]":
    """A listener with a thread for each channel; gives its port."""
    problems: "list[BaseException]" = []

    def handle(channel: duet.Channel) -> None:
        try:
            handler(channel)
        except Exception as problem:
            problems.append(problem)
            channel.abort()

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(duet.SlowError):
                channel = listener.accept(0.1)
                threads.append(threading.Thread(target=handle, args=(channel,)))
                threads[-1].start()

    over, threads = threading.Event(), []
    with duet.listen("127.0.0.1", 0, config, timeout=SECONDS) as listener:
        threads.append(threading.Thread(target=accept))
        threads[0].start()
        try:
            yield int(str(listener.address[1]))
        finally:
            over.set()
            for thread in threads:
                thread.join(SECONDS)
    if problems:
        raise problems[0]


def connect(port: int, config: Any = SECRET, **options: Any) -> duet.Channel:
    return duet.connect("127.0.0.1", port, config, replay=CLIENT,
                        **{"timeout": SECONDS, **options})


class Case(unittest.TestCase):
    def assert_no_secret(self, *texts: object) -> None:
        for text in texts:
            for form in (SECRET, SECRET[:16]):
                self.assertNotIn(form.hex(), str(text))
                self.assertNotIn(repr(form)[2:-1], str(text))


def write_key(folder: str) -> str:
    """SECRET as the command reads it."""
    path = os.path.join(folder, "key")
    digest = hashlib.sha256(b"duet/1 id" + SECRET).digest()[:8].hex()
    text = base64.b64encode(SECRET).decode()
    lines = "\n    ".join(text[at:at + 76] for at in range(0, len(text), 76))
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(f"[Secret]\nVersion = 1\nId = {digest}\nSecret = {lines}\n")
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def wait_for_port(port: int) -> None:
    end = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
