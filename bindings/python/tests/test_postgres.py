"""A real protocol: pg8000, a client of PostgreSQL in pure Python, over a channel to `duet server`,
which stands before a real PostgreSQL."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
import threading
import time
import unittest
from typing import Any, Optional

import duet
from support import CLIENT, SECONDS, SECRET, Case, free_port, wait_for_port, write_key

try:
    import pg8000
    from pg8000 import core
except ImportError:
    pg8000 = None
COMMAND = os.environ.get("DUET", "")
PROGRAMS = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))


class DuetSocket:
    """What pg8000 wants of a socket, on a channel."""

    def __init__(self, *_: Any) -> None:
        self.timeout: Optional[float] = SECONDS
        self.channel: Any = None

    def settimeout(self, timeout: float) -> None:
        self.timeout = timeout

    def connect(self, address: "tuple[str, int]") -> None:
        self.channel = duet.connect(*address, SECRET, timeout=self.timeout, replay=CLIENT)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.channel, name)


def unprivileged(command: "list[str]", folder: str) -> "list[str]":
    if os.getuid() != 0:
        return command
    shutil.chown(folder, "nobody", "nogroup")
    return ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", *command]


@unittest.skipUnless(pg8000, "SKIPPED: there is no pg8000 (Debian: python3-pg8000)")
@unittest.skipUnless(PROGRAMS, "SKIPPED: there is no PostgreSQL (Debian: postgresql)")
@unittest.skipUnless(COMMAND, "SKIPPED: DUET does not name the command")
class Postgres(Case):
    def setUp(self) -> None:
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        os.chmod(work.name, 0o755)
        self.data = os.path.join(work.name, "data")
        os.mkdir(self.data, 0o700)
        programs = os.path.dirname(PROGRAMS[-1])
        subprocess.run(unprivileged([f"{programs}/initdb", "-A", "trust", "-U", "test", "--no-sync",
                                     "-D", self.data], self.data), check=True, capture_output=True,
                       cwd=work.name)
        service, self.port = free_port(), free_port()
        self.start(unprivileged([f"{programs}/postgres", "-D", self.data, "-h", "127.0.0.1", "-p",
                                 str(service), "-k", "", "-c", "fsync=off"], self.data), work.name)
        wait_for_port(service)
        self.start([COMMAND, "server", "-k", write_key(work.name), "--listen",
                    f"127.0.0.1:{self.port}", "--target", f"127.0.0.1:{service}"], work.name)
        wait_for_port(self.port)

    def start(self, command: "list[str]", folder: str) -> None:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   cwd=folder)
        self.addCleanup(process.wait, SECONDS)
        self.addCleanup(process.terminate)

    def connect(self) -> Any:
        end = time.monotonic() + SECONDS
        while True:
            try:
                return core.Connection("test", "127.0.0.1", None, self.port, "postgres", None,
                                       False, SECONDS)
            except pg8000.ProgrammingError:  # the database is starting up
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def test_queries(self) -> None:
        real, core.socket = core.socket, Sockets(core.socket)
        self.addCleanup(setattr, core, "socket", real)
        blob = os.urandom(2 << 20)
        database = self.connect()
        cursor = database.cursor()
        cursor.execute("create table t (id integer primary key, name text, data bytea)")
        for number in range(200):
            cursor.execute("insert into t values (%s, %s, %s)",
                           (number, f"name {number} ß", blob if number == 7 else b""))
        database.commit()
        cursor.execute("select count(*), sum(id) from t")
        self.assertEqual(list(cursor.fetchone()), [200, 19900])
        cursor.execute("select name, data from t where id = %s", (7,))
        name, data = cursor.fetchone()
        self.assertEqual((name, bytes(data)), ("name 7 ß", blob))
        with self.assertRaises(pg8000.ProgrammingError):
            cursor.execute("select * from no_such_table")
        database.rollback()
        self.many_at_once()
        database.close()

    def many_at_once(self) -> None:
        results: "list[int]" = []

        def work(number: int) -> None:
            database = self.connect()
            cursor = database.cursor()
            for _ in range(20):
                cursor.execute("update t set name = name || 'x' where id = %s", (number,))
            database.commit()
            cursor.execute("select length(name) from t where id = %s", (number,))
            results.append(cursor.fetchone()[0] - len(f"name {number} ß"))
            database.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        self.assertEqual(results, [20] * 10)


class Sockets:
    """The module socket for pg8000, with channels in place of sockets."""

    def __init__(self, real: Any) -> None:
        self._real = real

    socket = DuetSocket

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


if __name__ == "__main__":
    unittest.main()
