#!/usr/bin/env python3
"""Measures file transfers side by side: duet, scp, rsync over ssh, and tar over duet pipe.

Run by scripts/bench-transfer. Each round measures each contender once; the table has medians and the
ratio of each contender's time to duet's (above 1: duet is faster).
"""

import argparse
import os
import pathlib
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
DUET = os.environ.get("DUET", "duet")
LOSS = 0.0001  # of packets
CIPHER = "aes128-gcm@openssh.com"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def await_port(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with open("/proc/net/tcp", encoding="ascii") as table:
            if any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in list(table)[1:]):
                return
        time.sleep(0.01)
    sys.exit(f"nothing listens on port {port}")


class Sshd:
    """An ssh server of our own on loopback, with keys of its own."""

    def __init__(self, work):
        self.port, self.work = free_port(), work
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", work / name], check=True)
        shutil.copy(work / "user.pub", work / "authorized")
        (work / "sshd.conf").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {work}/host\nAuthorizedKeysFile {work}/authorized\n"
            "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPidFile none\nSubsystem sftp internal-sftp\n")
        os.makedirs("/run/sshd", exist_ok=True)
        self.process = subprocess.Popen([shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin"), "-D", "-e",
                                         "-f", work / "sshd.conf"], stderr=subprocess.DEVNULL)
        await_port(self.port)

    def options(self, port=None):
        return ["-c", CIPHER, "-i", str(self.work / "user"), "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", f"Port={port or self.port}"]


class Bench:
    def __init__(self, work, folder, rounds):
        self.work, self.rounds, self.folder = work, rounds, folder
        self.key = work / "key"
        subprocess.run([DUET, "keygen", "-q", "-o", self.key], check=True, stdout=subprocess.DEVNULL)
        self.sshd = Sshd(work) if shutil.which("scp") and shutil.which("rsync") else None
        self.rows = []

    def fresh(self):
        target = self.folder / "target"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        os.sync()
        return target

    # ---- The contenders: each returns the seconds that it took ----

    def duet(self, source, target, delay=None, streams=1):
        listen = free_port()
        receiver = subprocess.Popen([DUET, "recv", "-q", "-k", self.key, "-o", target, "-l", f"127.0.0.1:{listen}"])
        await_port(listen)
        relay = self.relay(listen, delay)
        began = time.monotonic()
        subprocess.run([DUET, "send", "-q", "-k", self.key, "--streams", str(streams), source, f"127.0.0.1:{relay.port}"], check=True)
        if receiver.wait() != 0:
            sys.exit("duet recv failed")
        took = time.monotonic() - began
        relay.end()
        return took

    def one(self, source, target, delay=None):
        """One stream, where duet has four."""
        return self.duet(source, target, delay)

    def four(self, source, target, delay=None):
        return self.duet(source, target, delay, streams=4)

    def scp(self, source, target, delay=None):
        return self.timed(delay, lambda port: ["scp", "-q", "-r", *self.sshd.options(port), source, f"127.0.0.1:{target}/"])

    def rsync(self, source, target, delay=None):
        return self.timed(delay, lambda port: ["rsync", "-a", "-e", " ".join(["ssh", *self.sshd.options(port)]), source,
                                               f"127.0.0.1:{target}/"])

    def pipe(self, source, target, _delay=None):
        return self.piped(["cat", source], ["sh", "-c", f"cat >'{target}/{source.name}'"])

    def tar(self, source, target, _delay=None):
        return self.piped(["tar", "-C", source.parent, "-c", source.name],
                          ["sh", "-c", f"tar -C '{target}' -x && sync -f '{target}'"])

    def piped(self, give, take):
        listen = free_port()
        receiver = subprocess.Popen([DUET, "pipe", "-q", "-k", self.key, "-l", f"127.0.0.1:{listen}"],
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        taker = subprocess.Popen(take, stdin=receiver.stdout)
        await_port(listen)
        began = time.monotonic()
        giver = subprocess.Popen(give, stdout=subprocess.PIPE)
        subprocess.run([DUET, "pipe", "-q", "-k", self.key, f"127.0.0.1:{listen}"], stdin=giver.stdout,
                       stdout=subprocess.DEVNULL, check=True)
        if taker.wait() != 0 or receiver.wait() != 0:
            sys.exit("the pipe failed")
        return time.monotonic() - began

    def relay(self, target, delay):
        class Direct:
            port = target

            def end(self):
                pass

        class Relay:
            def __init__(self):
                self.port = free_port()
                self.process = subprocess.Popen([sys.executable, HERE / "relay.py", str(self.port), str(target), *map(str, delay)])
                await_port(self.port)

            def end(self):
                self.process.kill()
                self.process.wait()

        return Relay() if delay else Direct()

    def timed(self, delay, command):
        relay = self.relay(self.sshd.port, delay)
        began = time.monotonic()
        subprocess.run(command(relay.port), check=True)
        took = time.monotonic() - began
        relay.end()
        return took

    # ---- A row of the table ----

    def measure(self, name, source, contenders, delay=None, again=False):
        """delay: of the relay, in ms, and its share of lost packets. The first contender is duet."""
        times = {c: [] for c in contenders}
        for _ in range(self.rounds):
            for c in contenders:
                target = self.fresh()
                if again:
                    getattr(self, c)(source, target)
                times[c].append(getattr(self, c)(source, target, delay))
        shutil.rmtree(self.folder / "target", ignore_errors=True)
        medians = {c: statistics.median(t) for c, t in times.items()}
        for c in contenders:
            print(f"{name:34} {c:6} {medians[c]:8.2f} s   {medians[c] / medians[contenders[0]]:5.2f} times duet's", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--disk", default="/var/tmp", help="a folder on a disk")
    parser.add_argument("--memory", default="/dev/shm", help="a folder in memory (tmpfs)")
    parser.add_argument("--mib", type=int, default=2048, help="size of the large file")
    parser.add_argument("--lossy-mib", type=int, default=256, help="size of the file for the way with losses")
    parser.add_argument("only", nargs="*", help="large, small, equal, far, lossy; default all")
    arguments = parser.parse_args()
    wanted = arguments.only or ["large", "small", "equal", "far", "lossy"]
    for where in (arguments.memory, arguments.disk):
        with tempfile.TemporaryDirectory(dir=where) as folder:
            folder = pathlib.Path(folder)
            bench = Bench(pathlib.Path(tempfile.mkdtemp(dir=folder)), folder, arguments.rounds)
            ssh = ["scp", "rsync"] if bench.sshd else []
            label = "memory" if where == arguments.memory else "disk"
            if "large" in wanted:
                large = folder / "large"
                with open(large, "wb") as out:
                    for _ in range(arguments.mib):
                        out.write(os.urandom(1 << 20))
                bench.measure(f"{arguments.mib} MiB, {label}", large, ["duet", "pipe", *ssh])
                large.unlink()
            small = folder / "small"
            small.mkdir()
            for n in range(10000):
                (small / f"{n % 20}").mkdir(exist_ok=True)
                (small / f"{n % 20}" / f"{n}").write_bytes(os.urandom(4096))
            if "small" in wanted:
                bench.measure(f"10,000 files of 4 KiB, {label}", small, ["duet", "tar", *ssh[1:]])
            if "equal" in wanted:
                bench.measure(f"10,000 equal files, {label}", small, ["duet", *ssh[1:]], again=True)
            if "far" in wanted and label == "memory":
                far = folder / "far"
                far.mkdir()
                for n in range(60):
                    (far / f"{n}").write_bytes(os.urandom(300000))
                bench.measure("60 files of 300 KB, 200 ms away", far, ["duet", *ssh[1:]], delay=(100,))
            if "lossy" in wanted and label == "memory":
                large = folder / "lossy"
                with open(large, "wb") as out:
                    for _ in range(arguments.lossy_mib):
                        out.write(os.urandom(1 << 20))
                bench.measure(f"{arguments.lossy_mib} MiB, 100 ms and losses", large, ["four", "one", *ssh[1:]], delay=(50, LOSS))
                large.unlink()
            if bench.sshd:
                bench.sshd.process.terminate()
                bench.sshd.process.wait()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"the largest process of all: {peak / 1024:.1f} MiB")


main()
