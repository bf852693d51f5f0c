"""Blocking channels."""

from __future__ import annotations

import copy
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import unittest

import duet
from support import CLIENT, SECONDS, SECRET, Case, connect, echo, server


class Stream(Case):
    def test_echo(self) -> None:
        with server() as port, connect(port) as channel:
            self.assertEqual(channel.send(b"hello"), 5)
            self.assertEqual(channel.recv(), b"hello")
            channel.end()
            self.assertEqual(channel.recv(), b"")
            self.assertEqual(channel.recv(), b"")

    def test_kinds_of_buffers(self) -> None:
        with server() as port, connect(port) as channel:
            for data in (b"abc", bytearray(b"abc"), memoryview(b"xabcx")[1:4],
                         memoryview(bytearray(b"abc"))):
                channel.send(data)
                self.assertEqual(channel.recv(), b"abc")
            with self.assertRaises(TypeError):
                channel.send("text")  # type: ignore[arg-type]
            with self.assertRaises(TypeError):
                channel.send(memoryview(b"abcdef")[::2])
            self.assertEqual(channel.send(b""), 0)

    def test_recv_into_any_size(self) -> None:
        data = os.urandom(100000)
        with server() as port, connect(port) as channel:
            sender = threading.Thread(target=channel.send, args=(data,))
            sender.start()
            got = bytearray()
            for size in range(1, 100000):
                room = bytearray(size + 2)
                count = channel.recv_into(memoryview(room)[1:-1])
                self.assertTrue(0 < count <= size)
                self.assertEqual((room[0], room[-1]), (0, 0))
                got += room[1:1 + count]
                if len(got) == len(data):
                    break
            sender.join()
            self.assertEqual(got, data)
            self.assertEqual(channel.recv_into(bytearray()), 0)
            with self.assertRaises((TypeError, BufferError, ValueError)):
                channel.recv_into(b"read-only")  # type: ignore[arg-type]

    def test_makefile(self) -> None:
        with server() as port, connect(port) as channel:
            with channel.makefile("rwb") as file:
                file.write(b"one\ntwo\n")
                file.flush()
                self.assertEqual([file.readline(), file.read(4)], [b"one\n", b"two\n"])
            text = channel.makefile("w", encoding="utf-8")
            text.write("ß\n")
            text.close()
            self.assertEqual(channel.makefile("r", encoding="utf-8").readline(), "ß\n")
            with self.assertRaises(ValueError):
                channel.makefile("x")
            channel.send(b"still open")
            self.assertEqual(channel.recv(), b"still open")

    def test_both_ways_in_threads(self) -> None:
        data = os.urandom(16 << 20)
        with server() as port, connect(port) as channel:
            sender = threading.Thread(target=lambda: (channel.send(data), channel.end()))
            sender.start()
            with channel.makefile("rb") as file:
                self.assertEqual(file.read(), data)
            sender.join()

    def test_closed_while_another_thread_receives(self) -> None:
        with server() as port:
            channel = connect(port, timeout=None)
            problems = []

            def receive() -> None:
                try:
                    channel.recv()
                except duet.Error as problem:
                    problems.append(problem)

            thread = threading.Thread(target=receive)
            thread.start()
            time.sleep(0.2)
            channel.close()
            thread.join(SECONDS)
            self.assertFalse(thread.is_alive())
            self.assertIsInstance(problems[0], duet.MisuseError)
            self.assertTrue(channel.closed)


class Messages(Case):
    def test_any_size(self) -> None:
        def answer(channel: duet.Channel) -> None:
            with channel:
                for code, data in channel:
                    channel.send_message(code + 1, data)

        with server(answer) as port, connect(port) as channel:
            for size in (0, 1, 16384, 16385, 3 << 20):
                data = os.urandom(size)
                sender = threading.Thread(target=channel.send_message, args=(7, data))
                sender.start()
                self.assertEqual(channel.recv_message(), duet.Message(8, data))
                sender.join()
            for code in (0, -1, 0xFFFFFFFF):
                with self.assertRaises(duet.MisuseError):
                    channel.send_message(code, b"")
            channel.end()
            with self.assertRaises(duet.ClosedError):
                channel.recv_message()

    def test_too_large(self) -> None:
        with server(lambda channel: channel.close()) as port, connect(port) as channel:
            self.assertEqual(list(channel), [])
        with server(lambda channel: (channel.send_message(1, bytes(50000)),
                                     channel.send_message(2, b""), channel.close())) as port:
            with connect(port) as channel:
                for most in (10, 49999):
                    with self.assertRaises(duet.RoomError):
                        channel.recv_message(most)
                self.assertEqual(channel.recv_message(50000), (1, bytes(50000)))
                self.assertEqual(channel.recv_message(0), (2, b""))

    def test_stream_call_on_a_message(self) -> None:
        with server(lambda channel: (channel.send_message(3, b"m"), channel.close())) as port:
            with connect(port) as channel:
                with self.assertRaises(duet.CodeError):
                    channel.recv()
                self.assertEqual(channel.recv_message(), (3, b"m"))


class Ends(Case):
    def test_truncated(self) -> None:
        with server(lambda channel: (channel.send(b"half"), channel.abort())) as port:
            with connect(port) as channel:
                self.assertEqual(channel.recv(), b"half")
                with self.assertRaises(duet.TruncatedError) as caught:
                    channel.recv()
                self.assertIsInstance(caught.exception, (duet.PeerError, ConnectionError, EOFError))
                self.assertEqual(caught.exception.code, "DUET_E_TRUNCATED")
                self.assertTrue(caught.exception.cure)
                channel.abort()

    def test_an_exception_aborts(self) -> None:
        def fail(channel: duet.Channel) -> None:
            try:
                with channel:
                    channel.send(b"half")
                    raise KeyError
            except KeyError:
                pass

        with server(fail) as port, connect(port) as channel:
            self.assertEqual(channel.recv(), b"half")
            with self.assertRaises(duet.TruncatedError):
                channel.recv()
            channel.abort()

    def test_time_outs(self) -> None:
        with server() as port, connect(port, timeout=0.05) as channel:
            before = time.monotonic()
            with self.assertRaises(duet.SlowError) as caught:
                channel.recv()
            self.assertIsInstance(caught.exception, TimeoutError)
            self.assertTrue(0.04 < time.monotonic() - before < 10)
            channel.settimeout(0)
            with self.assertRaises(BlockingIOError):
                channel.recv()
            channel.settimeout(SECONDS)
            channel.send(b"x")
            self.assertEqual(channel.recv(), b"x")

    def test_a_send_that_is_cut_off_goes_on(self) -> None:
        """After SlowError the rest goes out first, in one piece."""
        data, go = os.urandom(32 << 20), threading.Event()
        got = []

        def receive(channel: duet.Channel) -> None:
            go.wait(SECONDS)
            with channel:
                got.append(channel.recv_message(64 << 20))
                got.append(channel.recv_message())

        with server(receive) as port, connect(port, timeout=0.2) as channel:
            with self.assertRaises(duet.SlowError):
                channel.send_message(1, data)
            go.set()
            channel.settimeout(SECONDS)
            channel.send_message(2, b"next")
            channel.close(SECONDS)
        self.assertEqual(got, [(1, data), (2, b"next")])

    def test_interrupted_by_a_signal(self) -> None:
        """Ctrl-C ends a call that waits for ever."""
        program = ("import duet, signal, threading, os\n"
                   "from support import *\n"
                   "with server() as port:\n"
                   "    channel = connect(port, timeout=None)\n"
                   "    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()\n"
                   "    try:\n"
                   "        channel.recv()\n"
                   "    except KeyboardInterrupt:\n"
                   "        print('interrupted')\n"
                   "    channel.send(b'on'); print(channel.recv()); channel.close()\n")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                              timeout=SECONDS, check=False)
        self.assertEqual(done.stdout, "interrupted\nb'on'\n", done.stderr)


class Strangers(Case):
    def test_wrong_secret_gets_no_answer(self) -> None:
        """A listener says nothing to it and does not close, and serves others meanwhile."""
        with server() as port:
            with socket.create_connection(("127.0.0.1", port)) as prober:
                prober.sendall(os.urandom(4096))
                prober.settimeout(1.5)
                with self.assertRaises(TimeoutError):
                    prober.recv(1)
                prober.sendall(os.urandom(1 << 20))  # it goes on reading
                with connect(port) as channel:
                    channel.send(b"x")
                    self.assertEqual(channel.recv(), b"x")
                with self.assertRaises(TimeoutError):
                    prober.recv(1)

    def test_connect_with_a_wrong_secret(self) -> None:
        with server() as port:
            with self.assertRaises(duet.SlowError):
                connect(port, os.urandom(1024), connect_timeout=0.5)

    def test_reflection(self) -> None:
        """A program's own first bytes, sent back to it, are a replay."""
        with server() as port:
            with self.assertRaises(duet.SlowError):
                duet.connect("127.0.0.1", port, SECRET, connect_timeout=0.5)

    def test_many_half_open(self) -> None:
        """They do not keep out a peer that holds the secret."""
        with server() as port:
            probers = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
            with connect(port) as channel:
                channel.send(b"x")
                self.assertEqual(channel.recv(), b"x")
            for prober in probers:
                prober.close()


class Wrap(Case):
    def pair(self, **options: object) -> "tuple[duet.Channel, duet.Channel]":
        ours, theirs = socket.socketpair()
        made = []
        thread = threading.Thread(target=lambda: made.append(
            duet.wrap(theirs, SECRET, role="bottom", timeout=SECONDS)))
        thread.start()
        top = duet.wrap(ours, SECRET, replay=CLIENT, timeout=SECONDS)
        thread.join()
        return top, made[0]

    def test_info_export_receipt(self) -> None:
        top, bottom = self.pair()
        with top, bottom:
            top.send(b"12345")
            self.assertEqual(bottom.recv(), b"12345")
            self.assertEqual((top.info.tx_bytes, bottom.info.rx_bytes), (5, 5))
            self.assertEqual((top.info.role, bottom.info.role), ("top", "bottom"))
            self.assertEqual(top.info.pattern, "ephemeral")
            self.assertEqual(top.info.secret_id, bottom.info.secret_id)
            self.assertIsNone(top.info.peer_key)
            self.assertEqual(top.export(b"label", 32), bottom.export(b"label", 32))
            self.assertNotEqual(top.export(b"label", 32), top.export(b"other", 32))
            with self.assertRaises(duet.MisuseError):
                top.receipt("top")
            top.end()
            self.assertEqual(bottom.recv(), b"")
            self.assertEqual(top.receipt("top"), bottom.receipt("top"))

    def test_ping_rekey_refresh(self) -> None:
        top, bottom = self.pair()
        with top, bottom:
            top.ping()
            top.rekey()
            top.refresh()
            self.assertTrue(top.info.pinging)
            top.settimeout(0.05)
            bottom.settimeout(0.05)
            for _ in range(5):
                for channel in (bottom, top):
                    with self.assertRaises(duet.SlowError):
                        channel.recv()
            self.assertFalse(top.info.pinging or top.info.refreshing)
            self.assertEqual((top.info.tx_epoch, top.info.rx_epoch), (2, 1))

    def test_descriptors(self) -> None:
        a, b = os.pipe(), os.pipe()
        made = []
        thread = threading.Thread(target=lambda: made.append(
            duet.wrap((a[0], b[1]), SECRET, role="bottom", timeout=SECONDS)))
        thread.start()
        with duet.wrap((b[0], a[1]), SECRET, replay=CLIENT, timeout=SECONDS) as top:
            thread.join()
            top.send(b"over pipes")
            self.assertEqual(made[0].recv(), b"over pipes")
        made[0].close()
        for fd in (*a, *b):
            os.close(fd)  # they stayed ours

    def test_what_is_no_descriptor(self) -> None:
        with self.assertRaises(duet.MisuseError):
            duet.wrap((999, 999), SECRET)
        with self.assertRaises(KeyError):
            duet.wrap((0, 1), SECRET, role="middle")


class Keys(Case):
    def test_nothing_shows_a_secret(self) -> None:
        with server() as port, connect(port) as channel:
            config = duet.Config(SECRET)
            self.assert_no_secret(repr(channel), repr(config), str(channel.info), vars(config))
            for each in (channel, config, channel._wire, CLIENT):
                for copier in (pickle.dumps, copy.copy, copy.deepcopy):
                    with self.assertRaises(TypeError) as caught:
                        copier(each)
                    self.assert_no_secret(caught.exception)

    def test_fork(self) -> None:
        with server(echo) as port, connect(port) as channel:
            child = os.fork()
            if child == 0:
                try:
                    channel.send(b"x")
                except duet.ForkedError:
                    os._exit(7)
                os._exit(1)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7)
            channel.send(b"mine")
            self.assertEqual(channel.recv(), b"mine")

    def test_errors_are_the_closed_list(self) -> None:
        from duet._library import ffi, lib
        for number in range(-100, 2):
            line = lib.duet_explain(number)
            if number == 0 or line == ffi.NULL:
                self.assertNotIn(number, duet.errors.BY_NUMBER)
                continue
            kind = duet.errors.BY_NUMBER[number]
            self.assertTrue(issubclass(kind, duet.Error))
            self.assertEqual(kind.code, ffi.string(line.name).decode())
            self.assertEqual(kind.cure, ffi.string(line.cure).decode())
            self.assertEqual(kind.__doc__.lower(), ffi.string(line.sentence).decode().lower() + ".")
            self.assertIs(getattr(duet, kind.__name__), kind)


if __name__ == "__main__":
    unittest.main()
