"""What tests/interop wants of `duet pipe`, done by this package: standard input and output over a
channel on a descriptor."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading

import duet

CODES = ((duet.UnauthenticatedError, 4), (duet.UntrustedError, 4), (duet.TruncatedError, 6),
         (duet.PeerError, 5))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("pipe")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("-k")
    parser.add_argument("-i")
    for name in ("--peers", "--profile", "--pattern", "--handshake-timeout", "--hybrid", "--top", "--bottom"):
        parser.add_argument(name)
    return parser.parse_args()


def send(channel: duet.Channel) -> None:
    try:
        while data := os.read(0, 65536):
            channel.send(data)
        channel.end()
    except duet.Error:
        pass  # the receiving side reports it


def run() -> None:
    options = arguments()
    config = duet.Config(options.k, identity=options.i, peers=options.peers,
                         profile=options.profile, patterns=options.pattern,
                         hybrid=options.hybrid)
    sock = socket.socket(fileno=int((options.top or options.bottom).removeprefix("fd:")))
    channel = duet.wrap(sock, config, role="top" if options.top else "bottom",
                        handshake_timeout=float(options.handshake_timeout))
    sender = threading.Thread(target=send, args=(channel,), daemon=True)
    sender.start()
    while data := channel.recv():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    sender.join()
    for role in ("top", "bottom"):
        print(f"receipt of {role.upper()} {channel.receipt(role).hex()}", file=sys.stderr)
    channel.close()


if __name__ == "__main__":
    code = 0
    try:
        run()
    except duet.Error as problem:
        print(problem, file=sys.stderr)
        code = next(code for kind, code in CODES if isinstance(problem, kind))
    sys.stderr.flush()
    os._exit(code)  # the sender may be waiting for standard input
