"""An hour, or as many seconds as are given, of everything at once between two pairs of `duet run`:

  mixed.py SECONDS PORT      in an empty folder; PORT and the 30 after it are free; DUET names the command

Streams of all sizes run through a plain tunnel, services behind one port (by TCP and Unix sockets,
with several targets), a reverse tunnel, and workers, while the ends reload (also files that are wrong),
keys come and go, workers and targets are killed, connections are cut by name, networks are cut, stand
still and alter bytes, and peers without a key come in crowds. Each stream is verified by
hash at both ends (mixed_streams.py). None of those in the lanes without faults of the network is cut;
none is wrong, ends early or is stuck; memory and descriptors at rest do not grow; all of it ends.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True

from mixed_network import Network, Strangers, refuse, stand_still  # noqa: E402
from mixed_streams import Lane, Service, Tally  # noqa: E402

DUET = os.environ["DUET"]
RATE = float(os.environ.get("RATE", "0.5"))  # streams that each client begins in a second
ROUND = 60  # seconds of load, then a look at what is left at rest
SPARE_DESCRIPTORS = 8
SPARE_MEMORY = 6 << 10  # KiB, beside a quarter of what there was


def duet(*arguments):
    return subprocess.run([DUET, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)


def section(name, **settings):
    lines = [f"[Tunnel {name}]", "drain-timeout = 2-5"]  # how long peers without a key are there
    for setting, values in settings.items():
        for value in values if isinstance(values, (list, tuple)) else [values]:
            lines.append(f"{setting.replace('_', '-')} = {value}")
    return "\n".join(lines) + "\n"


class End:
    """A `duet run` with its file."""

    def __init__(self, name, tunnels, workers=1):
        self.name, self.tunnels, self.workers = name, tunnels, workers
        self.base = f"[Global]\ncontrol = {name}.control\nworkers = {workers}\nshutdown-timeout = 20\n"
        self.write(self.base + tunnels)
        self.log = open(f"{name}.log", "wb")
        self.process = subprocess.Popen([DUET, "run", "-c", f"{name}.conf"], stdin=subprocess.DEVNULL, stderr=self.log)

    def write(self, text):
        with open(f"{self.name}.new", "w") as file:
            file.write(text)
        os.rename(f"{self.name}.new", f"{self.name}.conf")

    def reload(self, more=""):
        self.write(self.base + self.tunnels + more)
        self.process.send_signal(signal.SIGHUP)

    def children(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]

    def at_rest(self):
        """Descriptors and KiB of memory of all of its processes; without workers that are being replaced."""
        descriptors = memory = 0
        for pid in [self.process.pid, *self.children()]:
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))
            with open(f"/proc/{pid}/status") as file:
                memory += sum(int(line.split()[1]) for line in file if line.startswith(("RssAnon:", "VmSwap:")))
        return descriptors, memory

    def control(self):
        return [f"{self.name}.control"] if self.workers == 1 else \
            [f"{self.name}.control.{number}" for number in range(1, self.workers + 1)]


class Mixed:
    def __init__(self, seconds, port):
        self.until = time.monotonic() + seconds
        self.seconds = seconds
        self.next = port
        self.tally = Tally()
        self.running = threading.Event()
        self.draw = random.Random(7)
        self.strangers = Strangers()
        self.failures = []
        self.done = {}
        self.rest = []

    def address(self):
        self.next += 1
        return f"127.0.0.1:{self.next}"

    def service(self, name, address=None):
        service = Service(address or self.address(), name, self.tally)
        service.start()
        return service

    def set_up(self):
        for key in ("plain", "red", "green", "blue", "back", "link", "other", "wrong"):
            duet("keygen", "-q", "-o", key)
        os.mkdir("ring", 0o700)
        os.link("plain", "ring/plain")
        names = ("plain", "red", "green", "blue", "back", "link")
        services = {name: self.service(name) for name in names if name != "green"}
        services["green"] = self.service("green", "unix:" + os.path.abspath("green.sock"))
        self.second_red = self.service("red")
        self.services = services
        near = {name: self.address() for name in names}
        self.plain_wire, self.shared_wire, self.link_wire = (self.address() for _ in range(3))
        self.await_wire, back_network, link_network = (self.address() for _ in range(3))
        self.extra = self.address()

        server = section("plain", side="server", listen=self.plain_wire, key="ring", target=services["plain"].address)
        for name in ("red", "green", "blue"):
            targets = [services[name].address] + ([self.second_red.address] if name == "red" else [])
            server += section(name, side="server", listen=self.shared_wire, key=name, target=targets,
                              **({"balance": "least-connections", "health_interval": 2} if name == "red" else {}))
        server += section("back", side="server", dial=back_network, key="back", target=services["back"].address,
                          pool_max=8, keepalive=2)
        client = section("plain", side="client", listen=near["plain"], key="plain", target=self.plain_wire)
        for name in ("red", "green", "blue"):
            client += section(name, side="client", listen=near[name], key=name, target=self.shared_wire)
        client += section("back", side="client", listen=near["back"], key="back", await_=self.await_wire,
                          keepalive=2, timeout=60).replace("await- ", "await ")
        workers_server = section("link", side="server", listen=self.link_wire, key="link",
                                 target=services["link"].address, keepalive=2)
        workers_client = section("link", side="client", listen=near["link"], key="link", target=link_network,
                                 keepalive=2, timeout=20)
        self.back_network = Network(back_network, self.await_wire)
        self.link_network = Network(link_network, self.link_wire)
        self.server, self.client = End("server", server), End("client", client)
        self.workers_server, self.workers_client = End("workers-server", workers_server, 2), \
            End("workers-client", workers_client, 2)
        self.ends = [self.server, self.client, self.workers_server, self.workers_client]
        self.wait_listening(near)
        strict = ("plain", "green", "blue")
        self.lanes = [Lane(name, near[name], name, self.tally, name in strict, 3, RATE) for name in names]

    def wait_listening(self, near):
        until = time.monotonic() + 60
        for end in self.ends:
            want = end.tunnels.count("listen =") - (2 if end is self.server else 0)
            while open(f"{end.name}.log").read().count("listening on") < want:
                if end.process.poll() is not None or time.monotonic() > until:
                    sys.exit(f"{end.name} does not begin: {open(end.name + '.log').read()}")
                time.sleep(0.05)

    # ---- Faults: each does something for some seconds at most ----

    def reload(self):
        for end in self.ends:
            end.reload()

    def reload_wrong(self):
        end = self.draw.choice(self.ends)
        end.reload("no such thing\n")

    def reload_more(self):
        self.client.reload(section("extra", side="client", listen=self.extra, key="plain", target=self.plain_wire))

    def ring(self):
        if os.path.exists("ring/other"):
            os.unlink("ring/other")
        else:
            os.link("other", "ring/other")
        self.server.reload()

    def kill_worker(self):
        end = self.draw.choice((self.workers_server, self.workers_client))
        children = end.children()
        if len(children) == end.workers:
            os.kill(self.draw.choice(children), signal.SIGKILL)

    def kill_by_name(self):
        end, tunnel = self.draw.choice(((self.server, "back"), (self.server, "red"), (self.client, "back"),
                                        (self.workers_server, "link"), (self.workers_client, "link")))
        duet("ctl", "--control", self.draw.choice(end.control()), "kill", "tunnel=" + tunnel)

    def ask(self):
        for end in self.ends:
            for control in end.control():
                for what in ("status", "sessions", "metrics", "health"):
                    duet("ctl", "--control", control, what)

    def kill_target(self):
        service = self.draw.choice((self.services["red"], self.second_red, self.services["back"]))
        service.stop()
        time.sleep(self.draw.uniform(0.5, 4))
        service.start()

    def cut_link(self):
        self.draw.choice((self.back_network, self.link_network)).drop_all(self.draw.random() < 0.5)

    def stand_still(self):
        stand_still(self.draw.choice((self.back_network, self.link_network)), self.draw.uniform(1, 9))

    def refuse(self):
        refuse(self.draw.choice((self.back_network, self.link_network)), self.draw.uniform(0.5, 4))

    def alter(self):
        self.draw.choice((self.back_network, self.link_network)).flips = 1

    def strangers_come(self):
        to = self.draw.choice((self.plain_wire, self.shared_wire, self.await_wire, self.link_wire))
        self.strangers.come(to, self.draw.choice((5, 50, 200)),
                            self.back_network.flights + self.link_network.flights, self.draw)

    def wrong_key(self):
        to = self.draw.choice((self.plain_wire, self.shared_wire, self.link_wire))
        subprocess.run([DUET, "ping", "-k", "wrong", "--timeout", "2", to], stdin=subprocess.DEVNULL,
                       capture_output=True, timeout=120)

    FAULTS = (reload, reload_wrong, reload_more, ring, kill_worker, kill_by_name, ask, kill_target, cut_link,
              stand_still, refuse, alter, strangers_come, wrong_key)

    # ---- The course ----

    def fail(self, text):
        self.failures.append(text)
        print("FAILED:", text, file=sys.stderr, flush=True)

    def wait_quiet(self):
        """Until no client is in a stream; a stream that is stuck says so itself."""
        until = time.monotonic() + 400
        while any(lane.busy for lane in self.lanes):
            if time.monotonic() > until:
                self.fail("streams do not end: " + ", ".join(f"{lane.name} {lane.busy}" for lane in self.lanes))
                return
            time.sleep(0.1)

    def look(self):
        """Everything rests: nothing is open but what waits for use."""
        self.strangers.go()
        self.reload()
        until = time.monotonic() + 90
        while True:
            open_now = self.sessions()
            whole = all(len(end.children()) == (end.workers if end.workers > 1 else 0) for end in self.ends)
            if not open_now and whole or time.monotonic() > until:
                break
            time.sleep(0.5)
        if open_now:
            self.fail(f"connections that nobody has any more: {open_now[:5]}")
        now = {end.name: end.at_rest() for end in self.ends}
        self.rest.append(now)
        print(f"at rest, {int(self.until - time.monotonic())} s left: "
              + ", ".join(f"{name} {fds} descriptors {kib} KiB" for name, (fds, kib) in now.items())
              + f"; {self.tally.get('complete')} ends of streams complete, {self.tally.get('cut')} cut", flush=True)
        for end in self.ends:
            if end.process.poll() is not None:
                self.fail(f"{end.name} ended with {end.process.returncode}")

    def sessions(self):
        found = []
        for end in self.ends:
            for control in end.control():
                answer = duet("ctl", "--control", control, "--json", "sessions").stdout.splitlines()
                found += [line for line in answer if '"waiting"' not in line]
        return found

    def judge(self):
        for outcome in ("wrong", "truncated", "stuck"):
            if count := self.tally.get(outcome):
                self.fail(f"{count} streams were {outcome}")
        for lane in self.lanes:
            if lane.strict and self.tally.get("cut", lane.name):
                self.fail(f"{self.tally.get('cut', lane.name)} streams of {lane.name} were cut, which had no fault")
            if not self.tally.get("complete", lane.name):
                self.fail(f"no stream of {lane.name} was complete")
        if len(self.rest) > 1:
            for name, (descriptors, memory) in self.rest[-1].items():
                before, memory_before = self.rest[min(1, len(self.rest) - 2)][name]
                if descriptors > before + SPARE_DESCRIPTORS:
                    self.fail(f"{name}: {descriptors} descriptors, {before} before")
                if memory > memory_before * 5 / 4 + SPARE_MEMORY:
                    self.fail(f"{name}: {memory} KiB, {memory_before} before")
        for reason in self.tally.reasons if self.failures else ():
            print(reason, file=sys.stderr)

    def end(self):
        for end in self.ends:
            end.process.terminate()
        for end in self.ends:
            try:
                if code := end.process.wait(90):
                    self.fail(f"{end.name} ended with {code}")
            except subprocess.TimeoutExpired:
                self.fail(f"{end.name} does not end")
                end.process.kill()
            log = open(f"{end.name}.log", errors="replace").read()
            for word in ("AddressSanitizer", "LeakSanitizer", "runtime error", "Assertion"):
                if word in log:
                    self.fail(f"{end.name}: {log[log.index(word) - 200:][:3000]}")

    def run(self):
        self.set_up()
        faults = []
        try:
            self.running.set()
            for lane in self.lanes:
                lane.start(self.running)
            while time.monotonic() < self.until:
                round_ends = min(self.until, time.monotonic() + ROUND)
                self.running.set()
                while time.monotonic() < round_ends:
                    faults = faults or self.draw.sample(self.FAULTS, len(self.FAULTS))
                    fault = faults.pop()
                    self.done[fault.__name__] = self.done.get(fault.__name__, 0) + 1
                    fault(self)
                    time.sleep(self.draw.uniform(0.2, 2))
                self.running.clear()
                self.wait_quiet()
                self.look()
            self.judge()
        finally:
            self.end()
        print("faults:", ", ".join(f"{name} {count}" for name, count in sorted(self.done.items())))
        for (lane, outcome), count in sorted(self.tally.counts.items()):
            print(f"{lane}: {count} {outcome}")
        print(f"{self.tally.bytes >> 20} MiB verified")
        return not self.failures


if __name__ == "__main__":
    sys.exit(0 if Mixed(float(sys.argv[1]), int(sys.argv[2])).run() else 1)
