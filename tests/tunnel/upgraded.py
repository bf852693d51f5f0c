"""Load on a tunnel while its ends are upgraded: connections one after another, and one that is open
all the time. Ends when a file exists: with a count, or with status 1 and what went wrong."""

import os
import sys
import threading
import time

from peer import connect, read_exactly

BLOCK = bytes(range(256)) * 16


def exchange(s):
    s.sendall(BLOCK)
    if read_exactly(s, len(BLOCK)) != BLOCK:
        raise OSError("other bytes came back")


class Load:
    def __init__(self, address, end):
        self.address, self.end = address, end
        self.faults, self.count = [], 0

    def over(self):
        return bool(self.faults) or os.path.exists(self.end)

    def guard(self, work):
        try:
            work()
        except (OSError, SystemExit) as error:
            self.faults.append(f"{work.__name__}: {error!r}")

    def one_after_another(self):
        while not self.over():
            s = connect(self.address)
            exchange(s)
            s.close()
            self.count += 1

    def all_the_time(self):
        s = connect(self.address)
        while not self.over():
            exchange(s)
            time.sleep(0.01)
        exchange(s)
        s.close()


load = Load(sys.argv[1], sys.argv[2])
threads = [threading.Thread(target=load.guard, args=(work,))
           for work in (load.one_after_another, load.one_after_another, load.all_the_time)]
for thread in threads:
    thread.start()
print("begun", flush=True)
for thread in threads:
    thread.join()
if load.faults:
    sys.exit("; ".join(load.faults))
print("connections", load.count)
