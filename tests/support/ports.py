"""Ports for programs that run beside each other: those that run_test (tests/run/run.c) holds for this one,
or free ones of the system's where it was started by hand."""

import itertools
import os
import socket

ROW = 100  # ports, as in run.c; the first is held by run_test
_numbers = itertools.count()


def next_port():
    """A port at which nothing listens, another one at each call for as long as there are any."""
    first = int(os.environ.get("DUET_TEST_PORTS", 0))
    while True:
        port = first + 1 + next(_numbers) % (ROW - 1) if first else 0
        try:
            with socket.create_server(("127.0.0.1", port)) as server:
                return server.getsockname()[1]
        except OSError:
            continue
