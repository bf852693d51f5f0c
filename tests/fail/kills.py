#!/usr/bin/env python3
"""A transfer whose ends are killed at any moment, again and again, until it is through.

    kills.py [--rounds N] [--seed N] [--streams N]

DUET names the command. In each round one end is killed (SIGKILL) at a moment drawn from the time
that the transfer takes, once to four times, and then it runs undisturbed. At every moment: a
file under its own name is whole; the end that was not killed reports it by its exit code, and exits
with 0 only when all is there; and in the end the files are equal and nothing unfinished is left.
"""

import argparse
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time

from command import KNOWN, Failure, Run, need

STREAMS = 1
SIZES = {"a": 3000000, "b": 200000, "c": 9000000, "d": 0}  # bytes
QUIET = ["-k", "key", "--progress", "none", "--handshake-timeout", "29", "--idle-timeout", "100", "--drain-timeout", "0.2-0.2", "--linger", "0.1-0.3"]


def begin():
    """Both ends, under way: receiver and sender. STREAMS: how many the sender uses."""
    pathlib.Path("socket").unlink(missing_ok=True)
    receiver = Run("receiver", ["recv", "-v", *QUIET, "-o", "in", "-l", "unix:socket"])
    need(receiver.listening(), "does not listen:", receiver.said())
    return receiver, Run("sender", ["send", *QUIET, "--streams", str(STREAMS), "out", "unix:socket"])


def check_files(done):
    """What stands under its own name is whole; done: all of it does, and nothing else."""
    for name in SIZES:
        came, sent = pathlib.Path("in/out", name), pathlib.Path("out", name)
        if came.exists():
            need(came.read_bytes() == sent.read_bytes(), came, "is damaged")
        else:
            need(not done, came, "is missing")
    if done:
        need(sorted(os.listdir("in/out")) == sorted(SIZES), "left over:", os.listdir("in/out"))


def kill_once(draw, span):
    """One run that is cut. Returns 1 when it was in time."""
    receiver, sender = begin()
    victim, other = draw.choice(((receiver, sender), (sender, receiver)))
    time.sleep(draw.random() * span)
    in_time = victim.process.poll() is None
    victim.end()
    try:
        code = other.wait(0.5)
        if code is None and other is receiver and pathlib.Path("socket").exists():
            return int(in_time)  # the sender never got so far, and it waits for one
        code = other.wait()
        need(code in KNOWN, other.name, "ends with", code, other.said())
        check_files(done=code == 0)
    finally:
        other.end()
    return int(in_time)


def finish():
    """A run that is not cut. Returns how long it took."""
    began = time.monotonic()
    receiver, sender = begin()
    codes = sender.wait(), receiver.wait()
    for run in (receiver, sender):
        run.end()
    need(codes == (0, 0), "exit codes", codes, sender.said(), receiver.said())
    check_files(done=True)
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--streams", type=int, default=1)
    chosen = parser.parse_args()
    global STREAMS
    STREAMS = chosen.streams
    draw = random.Random(chosen.seed)
    kills = failures = 0
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        need(Run("make", ["keygen", "-o", "key"]).wait() == 0, "no key")
        os.mkdir("out")
        for name, size in SIZES.items():
            pathlib.Path("out", name).write_bytes(draw.randbytes(size))
        span = finish()
        number = 0
        # On a busy machine a kill may come too late each time: then there are more rounds.
        while number < chosen.rounds or (not kills and number < 20 * chosen.rounds):
            number += 1
            shutil.rmtree("in", ignore_errors=True)
            try:
                kills += sum(kill_once(draw, span) for _ in range(draw.randrange(1, 5)))
                span = min(span, finish())
            except Failure as failure:
                failures += 1
                print(f"FAILED: round {number} of seed {chosen.seed}: {failure}", flush=True)
        os.chdir(before)
    print(f"{kills} kills in {number} rounds, {failures} failed")
    return 1 if failures or not kills else 0


if __name__ == "__main__":
    sys.exit(main())
