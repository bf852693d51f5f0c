#!/usr/bin/env python3
"""The command where the system fails it: the n-th call of each kind fails, for every n.

    command.py [--all] [--kind KIND] [--scenario NAME] [--step N]

DUET names the command, SHIM the library of shim.c. For each scenario one process is the victim; its
peer runs undisturbed. Whatever fails: the victim ends in time, with an exit code that exits.h knows
and a line that says why; nobody has a wrong byte; no key file is left half-written; no received
file is damaged; and what was cut is resumed by running both again. Interrupted (EINTR) and short
calls change nothing at all. Without --all, which takes many minutes, every N-th n is tried (7 by
default) from a random one on, and of each kind that the victim calls one at least; SEED chooses
others. ctest takes a thin sample (--step).
"""

import argparse
import collections
import errno
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

DUET, SHIM = os.environ["DUET"], os.environ.get("SHIM", "")
KNOWN = range(0, 13)  # of exits.h
PATIENCE = 200  # seconds; a process that takes longer hangs

KINDS = {"read": errno.EIO, "write": errno.ENOSPC, "poll": errno.ENOMEM, "accept": errno.EMFILE,
         "open": errno.EMFILE, "fsync": errno.EIO, "random": errno.ENOSYS, "malloc": errno.ENOMEM,
         "socket": errno.ENOBUFS, "stat": errno.EIO, "file": errno.EROFS, "fcntl": errno.EINVAL,
         "fork": errno.EAGAIN, "thread": errno.EAGAIN, "map": errno.ENOMEM}
# Calls that a signal may interrupt or that may do a part, and that are to be made again.
AGAIN = ("read", "write", "poll", "accept")
TUNNEL = ("server", "client")
SMALL, LARGE = 70000, 400000  # bytes; the larger one asks what is there already


codes = collections.Counter()  # of the victims


class Failure(Exception):
    pass


def need(holds, *what):
    if not holds:
        raise Failure(" ".join(str(w) for w in what))


class Run:
    """One process, its streams in files."""

    def __init__(self, name, arguments, stdin=None, extra=None):
        self.name, self.out, self.err = name, pathlib.Path(name + ".out"), pathlib.Path(name + ".err")
        environment = dict(os.environ, **(extra or {}))
        with open(stdin or os.devnull, "rb") as source, open(self.out, "wb") as out, \
                open(self.err, "wb") as err:
            self.process = subprocess.Popen([DUET, *arguments], stdin=source, stdout=out, stderr=err,
                                            env=environment)

    def wait(self, seconds=PATIENCE):
        """The exit code; None when it still runs."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def listening(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            if b"listening on" in self.err.read_bytes():
                return True
            time.sleep(0.002)
        return False

    def said(self):
        return self.err.read_text(errors="replace").strip()


def plan(kind, n, number, **more):
    pathlib.Path("seen").unlink(missing_ok=True)
    return {"LD_PRELOAD": SHIM, "FAIL_KIND": kind, "FAIL_NTH": str(n), "FAIL_ERRNO": str(number),
            "FAIL_SEEN": os.path.abspath("seen"), **more}


def judge(run, code, unhurt):
    """What holds of the victim alone."""
    codes[code] += 1
    need(code is not None, "hangs")
    need(code in KNOWN, "exit code", code, run.said())
    if unhurt:
        need(code == 0, "exit code", code, "after what changes nothing:", run.said())
    if code != 0:
        need(re.search(r"^duet: | error: ", run.said(), re.M), "exit", code, "without a reason:", run.said())


def prefix(part, whole):
    """What was written is the beginning of what was sent. Returns whether it is all."""
    got, sent = pathlib.Path(part).read_bytes(), pathlib.Path(whole).read_bytes()
    need(sent.startswith(got), "wrong bytes:", part, "is no beginning of", whole)
    return got == sent


# ---- Scenarios: each runs once, under a plan, and checks what it left ----

def keygen(extra, unhurt, kind=()):
    pathlib.Path("new").unlink(missing_ok=True)
    run = Run("victim", ["keygen", *kind, "-o", "new"], extra=extra)
    code = run.wait()
    judge(run, code, unhurt)
    if code == 0:
        need(Run("show", ["key", "show", "new"]).wait() == 0, "exit 0, but the key is none")
    elif pathlib.Path("new").exists():
        # standard output failed after the key was whole: the key stays
        need(Run("show", ["key", "show", "new"]).wait() == 0, "a key file is left half-written")


def identity(extra, unhurt):
    keygen(extra, unhurt, ["--identity"])


def show(extra, unhurt):
    run = Run("victim", ["key", "show", "key"], extra=extra)
    code = run.wait()
    judge(run, code, unhurt)
    if code == 0:
        need(b"kind: secret" in run.out.read_bytes(), "exit 0, but nothing is shown")


LINK = ["-k", "key", "--drain-timeout", "0.2-0.2", "--linger", "0.1-0.3"]
# Where a call fails a peer may wait in vain, and how long it does decides nothing; else all must go well.
HURT = [*LINK, "--handshake-timeout", "2", "--idle-timeout", "2"]
UNHURT = [*LINK, "--handshake-timeout", "29", "--idle-timeout", "100"]


def link(unhurt):
    return UNHURT if unhurt else HURT


def ended(run, unhurt):
    """Its exit code; "waits" where it is a listener that has let nobody in, which never ends:
    once one is in, the socket's file is gone."""
    code = run.wait(PATIENCE if unhurt else 0.3)
    if code is None and pathlib.Path("socket").exists():
        return "waits"
    return run.wait() if code is None else code


def two(listener, connecter, victim_listens, extra, unhurt):
    """A listener and a peer that connects to it; (arguments, stdin) each. Returns the victim, its code and
    the peer."""
    pathlib.Path("socket").unlink(missing_ok=True)
    names = ("victim", "peer") if victim_listens else ("peer", "victim")
    first = Run(names[0], listener[0], listener[1], extra if victim_listens else None)
    second = None
    try:
        if first.listening():
            second = Run(names[1], connecter[0], connecter[1], None if victim_listens else extra)
            second.wait()
        victim, peer = (first, second) if victim_listens else (second, first)
        need(victim is not None, "the peer does not listen:", first.said())
        code = ended(first, unhurt)
        peer_code = ended(second, unhurt) if second is not None else 0
        if not victim_listens:
            code, peer_code = peer_code, code
        need(peer_code == "waits" or peer_code in KNOWN, "the peer's exit code", peer_code, peer and peer.said())
        need(not unhurt or (code == 0 and peer_code == 0), "exit codes", code, peer_code,
             "after what changes nothing:", victim.said(), peer and peer.said())
        return victim, code, peer
    finally:
        for run in (first, second):
            if run is not None:
                run.end()


def settle(victim, code, peer, unhurt):
    if code == "waits":
        codes[code] += 1
        return
    judge(victim, code, unhurt)
    if code == 0:
        need(peer.wait(0) == 0, "exit 0, but the peer's is", peer.wait(0), peer.said())


def pipe(extra, unhurt, victim_listens):
    listener = ["pipe", "-v", *link(unhurt), "-l", "unix:socket"], "small"
    connecter = ["pipe", *link(unhurt), "unix:socket"], "large"
    victim, code, peer = two(listener, connecter, victim_listens, extra, unhurt)
    sources = ("small", "large") if victim_listens else ("large", "small")
    all_there = prefix("victim.out", sources[1])
    if peer is not None:
        all_there &= prefix("peer.out", sources[0])
    settle(victim, code, peer, unhurt)
    need(code != 0 or all_there, "exit 0, but bytes are missing")


def transfer(extra, unhurt, victim_listens, sends):
    """sends 1: the victim is duet send; the receiver listens unless it connects to a sender."""
    receiver_listens = victim_listens != sends
    send = ["send", "--progress", "none", *link(unhurt), "small", "large"]
    receive = ["recv", "--progress", "none", *link(unhurt), "-o", "in"]
    listener, connecter = (receive, send) if receiver_listens else (send, receive)
    listener = listener + ["-v", "-l", "unix:socket"] if receiver_listens else \
        listener + ["-v", "unix:socket", "-l"]
    shutil.rmtree("in", ignore_errors=True)
    victim, code, peer = two((listener, None), (connecter + ["unix:socket"], None), victim_listens,
                             extra, unhurt)
    for name in ("small", "large"):
        if pathlib.Path("in", name).exists():
            need(pathlib.Path("in", name).read_bytes() == pathlib.Path(name).read_bytes(),
                 name, "is damaged")
        elif code == 0:
            raise Failure(f"exit 0, but {name} is not there")
    settle(victim, code, peer, unhurt)
    if code != 0:
        resume(listener, connecter)


def resume(listener, connecter):
    listener, connecter = (side + UNHURT[2:] for side in (listener, connecter))  # the last one counts
    _, code, peer = two((listener, None), (connecter + ["unix:socket"], None), False, None, True)
    need(code == 0 and peer.wait(0) == 0, "it is not resumed:", code, peer.wait(0), peer.said())
    for name in ("small", "large"):
        need(pathlib.Path("in", name).read_bytes() == pathlib.Path(name).read_bytes(),
             name, "is damaged after a second run")


# ---- The tunnel: it outlives what fails, and serves the next connection ----

TIMEOUTS = ["--timeout", "20", "--handshake-timeout", "10", "--idle-timeout", "5", "--drain-timeout",
            "0.2-0.2", "--shutdown-timeout", "0.3"]


class Target:
    """The service at the server: keeps what each connection sends, and answers with `small`."""

    def __init__(self):
        pathlib.Path("target").unlink(missing_ok=True)
        self.heard, self.answer = [bytearray()], pathlib.Path("small").read_bytes()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind("target")
        self.listener.listen()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            while True:
                end, _ = self.listener.accept()
                self.heard.append(bytearray())
                threading.Thread(target=self.serve, args=(end, self.heard[-1]), daemon=True).start()
        except OSError:
            pass  # closed

    def serve(self, end, heard):
        with end:
            end.settimeout(PATIENCE)
            try:
                while part := end.recv(65536):
                    heard += part
                end.sendall(self.answer)
            except OSError:
                pass


def call(sent):
    """One plain connection through the tunnel; what it hears, or None where it is not served."""
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(PATIENCE)
        heard = b""
        try:
            end.connect("plain")
            end.sendall(sent)
            end.shutdown(socket.SHUT_WR)
            while part := end.recv(65536):
                heard += part
        except OSError:
            pass
        return heard


def started(run, path):
    """Whether it listens; its log may have lost the line that says so."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and run.process.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                return True
        time.sleep(0.003)
    return False


def tunnel(extra, unhurt, victim):
    """victim: "server" or "client". A call may suffer; the next one must not; then the end."""
    sent = pathlib.Path("large").read_bytes()
    for path in ("wire", "plain"):
        pathlib.Path(path).unlink(missing_ok=True)
    target = Target()
    runs = {}
    ways = {"server": ("wire", "target"), "client": ("plain", "wire")}
    try:
        for side, (listen, leads) in ways.items():
            runs[side] = Run(side, [side, "-v", "-k", "key", "--listen", "unix:" + listen, "--target",
                                    "unix:" + leads, *TIMEOUTS], extra=extra if side == victim else None)
            if not started(runs[side], listen):
                need(side == victim and not unhurt, side, "does not start:", runs[side].said())
                judge(runs[side], runs[side].wait(), False)
                return
        for _ in range(3):
            hurt_before = pathlib.Path("seen").exists()
            served = target.heard.count(sent)
            heard = call(sent)
            if hurt_before and runs[victim].wait(0.1) is not None and not target.heard[-1]:
                judge(runs[victim], runs[victim].wait(), unhurt)  # it gave up after it had listened
                return
            need(target.answer.startswith(heard), "wrong bytes to the plain side")
            need(all(sent.startswith(part) for part in target.heard), "wrong bytes to the target")
            if unhurt or (hurt_before and "FAIL_MORE" not in extra):
                need(heard == target.answer and target.heard.count(sent) > served, "not served:", runs[victim].said())
            need(runs[victim].process.poll() is None, "ended:", runs[victim].said())
            if hurt_before:
                break
        for run in runs.values():
            run.process.terminate()
        for side, run in runs.items():
            code = run.wait()
            need(code is not None, side, "does not end")
            need(code in KNOWN, side, "ends with", code, run.said())
            codes[code] += side == victim
    finally:
        target.listener.close()
        for run in runs.values():
            run.end()


SCENARIOS = {
    "server": lambda extra, unhurt: tunnel(extra, unhurt, "server"),
    "client": lambda extra, unhurt: tunnel(extra, unhurt, "client"),
    "keygen": keygen,
    "identity": identity,
    "show": show,
    "pipe-listens": lambda extra, unhurt: pipe(extra, unhurt, True),
    "pipe-connects": lambda extra, unhurt: pipe(extra, unhurt, False),
    "send-connects": lambda extra, unhurt: transfer(extra, unhurt, False, True),
    "recv-listens": lambda extra, unhurt: transfer(extra, unhurt, True, False),
    "recv-connects": lambda extra, unhurt: transfer(extra, unhurt, False, False),
}


# ---- Every n ----

def sweep(name, kind, step, how):
    """Every n of a kind, or a sample, until the victim makes no such call any more. Returns (runs with
    a call that failed, failures)."""
    n, runs, failures = random.randint(1, step), 0, 0
    number, more, unhurt = how
    while True:
        extra = plan(kind, n, number, **more)
        try:
            SCENARIOS[name](extra, unhurt)
        except Failure as failure:
            failures += 1
            print(f"FAILED: {name}, {kind} number {n}, errno {number}{' ' + str(more) if more else ''}: "
                  f"{failure}", flush=True)
        if not pathlib.Path("seen").exists():
            if runs > 0 or n == 1:
                return runs, failures
            n = random.randint(1, n // 2)  # beyond the last call: one before it
            continue
        runs += 1
        n += step


def ways(kind):
    """(errno, more of the plan, changes nothing) that a kind of call is tried with."""
    yield KINDS[kind], {}, False
    if kind in AGAIN:
        yield errno.EINTR, {}, True
    if kind in ("read", "write"):
        yield 0, {"FAIL_SHORT": "1"}, True
    if kind == "write":
        yield errno.EPIPE, {"FAIL_MORE": "1"}, False


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--scenario", choices=SCENARIOS, action="append")
    parser.add_argument("--step", type=int, default=7)
    chosen = parser.parse_args()
    step = 1 if chosen.all else chosen.step
    random.seed(os.environ.get("SEED", 1))
    total = wrong = 0
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        need(Run("make", ["keygen", "-o", "key"]).wait() == 0, "no key")
        for name, size in (("small", SMALL), ("large", LARGE)):
            pathlib.Path(name).write_bytes(random.randbytes(size))
        for name in chosen.scenario or SCENARIOS:
            runs = failures = 0
            began = time.monotonic()
            for kind in chosen.kind or KINDS:
                if name in TUNNEL and (kind == "poll" or (step > 1 and kind not in ("read", "malloc"))):
                    continue  # the log alone polls, and may lose a line; a tunnel's end takes a second
                for how in ways(kind):
                    more, bad = sweep(name, kind, step, how)
                    runs += more
                    failures += bad
            print(f"{name}: {runs} runs, {failures} failed, {time.monotonic() - began:.1f} s", flush=True)
            total += runs
            wrong += failures
        os.chdir(before)
    summary = ", ".join(f"{code}: {n}" for code, n in sorted(codes.items(), key=str))
    print(f"{total} runs with a call that failed, {wrong} ended as they should not; exit codes {summary}")
    return 1 if wrong else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.exit(main())
