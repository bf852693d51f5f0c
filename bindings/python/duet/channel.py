"""The blocking channel. sockets.py has the calls that make one."""

from __future__ import annotations

import io
import math
import os
import select
import socket
import threading
import time
import warnings
from types import TracebackType
from typing import Any, Iterator, Optional, Type

from ._library import Buffer, error_of, lib
from ._wire import (AGAIN_NOW, Base, CLOSE_SECONDS, HAS_DATA, MESSAGE_MOST, PAUSE, READ, WRITE,
                    Message, Operation, T, Wire, WritableBuffer)
from .errors import ClosedError, Error


class Turn:
    """One direction: a thread at a time uses it. The bell wakes that thread when another thread's
    call changed what it waits for, which poll() on the wire does not show."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a signal handler may call abort()
        self.waiting = False  # within poll(), or about to be
        self._fds: "tuple[int, ...]" = ()

    def ring(self) -> None:
        if self.waiting:
            os.write(self._fds[-1], b"\1\0\0\0\0\0\0\0")

    def bell(self) -> int:
        """The descriptor to poll for reading."""
        if not self._fds:
            eventfd = getattr(os, "eventfd", None)  # Linux, from Python 3.10 on
            self._fds = (eventfd(0, os.O_NONBLOCK | os.O_CLOEXEC),) if eventfd else os.pipe()
        return self._fds[0]

    def hear(self) -> None:
        """The bell has been heard: it may ring again."""
        self.waiting = False
        if select.select([self._fds[0]], [], [], 0)[0]:
            os.read(self._fds[0], 4096)

    def __del__(self) -> None:
        for fd in self._fds:
            os.close(fd)


class Channel(Base):
    """An authenticated channel, used as a socket is.

    Threads may share it: one may receive while another sends; two that send, or two that receive,
    take turns. It belongs to the process that made it: in a forked one each call raises
    ForkedError.

    `with` closes it at the end. When an exception leaves the block it is aborted instead: the peer
    then sees a truncated stream, and does not take a half for the whole.
    """

    def __init__(self, wire: Wire, carrier: Optional[socket.socket], fds: "tuple[int, int]",
                 timeout: Optional[float]) -> None:
        self._wire, self._carrier, self._fds, self._timeout = wire, carrier, fds, timeout
        self._calls = threading.RLock()  # held while the library works
        self._sending, self._receiving = Turn(), Turn()

    # ---- Waiting ----

    def settimeout(self, timeout: Optional[float]) -> None:
        """Seconds that a call waits at most. After them it raises SlowError, a TimeoutError. None:
        without end; 0: not at all, and the error is AgainError, a BlockingIOError."""
        self._timeout = timeout

    def gettimeout(self) -> Optional[float]:
        return self._timeout

    def _run(self, operation: Operation[T], turn: Turn, timeout: Optional[float]) -> T:
        end = None if timeout is None else time.monotonic() + timeout
        if not turn.lock.acquire(timeout=-1 if timeout is None else timeout):
            raise out_of_time(timeout)
        try:
            while True:
                with self._calls:
                    try:
                        wants = next(operation)
                        turn.bell()
                        turn.waiting = True
                    except StopIteration as done:
                        return done.value  # type: ignore[no-any-return]
                    finally:
                        self._wake_other(turn)
                in_time = self._wait(wants, turn, end)
                with self._calls:
                    turn.hear()
                if not in_time:
                    raise out_of_time(timeout)
        finally:
            with self._calls:
                operation.close()
            turn.lock.release()

    def _wake_other(self, turn: Turn) -> None:
        state = self._wire.state
        if state & (READ | WRITE) == 0 or state & HAS_DATA:
            (self._receiving if turn is self._sending else self._sending).ring()

    def _wait(self, wants: int, turn: Turn, end: Optional[float]) -> bool:
        """Wait for what the state wants, or for the bell. False: it is too late."""
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            return False
        if wants & AGAIN_NOW:
            return True
        pause = PAUSE if left is None else min(left, PAUSE)
        events = {turn.bell(): select.POLLIN}
        for want, fd, event in ((READ, self._fds[0], select.POLLIN),
                                (WRITE, self._fds[1], select.POLLOUT)):
            if wants & want:
                events[fd] = events.get(fd, 0) | event
        poll = select.poll()
        for fd, event in events.items():
            poll.register(fd, event)
        poll.poll(math.ceil(pause * 1000))
        return True

    # ---- Sending ----

    def send(self, data: Buffer) -> int:
        """Send all of the data, and return its size. If time runs out in the middle, SlowError is
        raised, and the rest goes out before what is sent next: do not send it again."""
        self._run(self._wire.send(data), self._sending, self._timeout)
        return len(memoryview(data).cast("B"))

    sendall = send

    def send_message(self, code: int, data: Buffer) -> None:
        """Send a message of any size under a code, 1 to CODE_MOST. Time-outs as in send()."""
        self._run(self._wire.send_message(code, data), self._sending, self._timeout)

    def end(self) -> None:
        """Close our direction: nothing more follows. What the peer sends can still be received."""
        self._run(self._wire.end(), self._sending, self._timeout)

    # ---- Receiving ----

    def recv(self, size: int = 65536) -> bytes:
        """Receive 1 to size bytes of the stream; b"": the peer has closed its direction."""
        return self._run(self._wire.recv(size), self._receiving, self._timeout)

    def recv_into(self, buffer: WritableBuffer) -> int:
        """Receive straight into a buffer; returns the number of bytes, 0: the peer has closed."""
        return self._run(self._wire.recv_into(buffer), self._receiving, self._timeout)

    def recv_message(self, most: int = MESSAGE_MOST) -> Message:
        """Receive a message of at most so many bytes, whole. Bytes of the stream are a message of
        code 0. ClosedError: the peer has closed its direction."""
        return self._run(self._wire.recv_message(most), self._receiving, self._timeout)

    def __iter__(self) -> Iterator[Message]:
        """The messages, until the peer closes."""
        while True:
            try:
                yield self.recv_message()
            except ClosedError:
                return

    def makefile(self, mode: str = "rb", buffering: int = 65536, *,
                 encoding: Optional[str] = None, newline: Optional[str] = None) -> Any:
        """A file over the stream, as socket.makefile(): "rb", "wb", "rwb", or text without "b".
        Closing it flushes it; the channel stays open."""
        return open_file(Raw(self, mode), mode, buffering, encoding, newline)

    def ping(self) -> None:
        """Ask the peer's library for an answer: info.pinging is True until a receiving call has
        taken it in."""
        self._run(self._wire.ask(lib.duet_channel_ping), self._sending, self._timeout)

    def rekey(self) -> None:
        """Give this side's direction new keys."""
        self._run(self._wire.ask(lib.duet_channel_rekey), self._sending, self._timeout)

    def refresh(self) -> None:
        """Give both directions new keys by a DH ratchet step. Done when both sides have received
        meanwhile: info.tx_epoch and info.rx_epoch count."""
        self._run(self._wire.ask(lib.duet_channel_refresh), self._sending, self._timeout)

    # ---- The end ----

    def close(self, timeout: Optional[float] = CLOSE_SECONDS) -> None:
        """Close our direction if it is open, wipe the keys and close the connection. May raise what
        end() raises: then the peer did not get all."""
        try:
            if not self.closed:
                self._run(self._wire.end(), self._sending, timeout)
        finally:
            self.abort()

    def abort(self) -> None:
        """Wipe the keys and close the connection at once: for the peer the stream is truncated."""
        with self._calls:
            self._wire.free()
            self._sending.ring()
            self._receiving.ring()
        with self._receiving.lock, self._sending.lock:  # nobody polls the descriptor any more
            carrier, self._carrier = self._carrier, None
            if carrier is not None:
                carrier.close()

    def fileno(self) -> int:
        """The descriptor to read from, for select() and friends. They do not show data that the
        library holds: call recv() with a time-out of 0 until it raises AgainError first."""
        return -1 if self.closed else self._fds[0]

    def __enter__(self) -> "Channel":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], problem: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def __del__(self) -> None:
        if not self.closed:
            warnings.warn(f"a duet channel was not closed: {self!r}", ResourceWarning, source=self)
            self.abort()

    def __repr__(self) -> str:
        return f"<duet.Channel {'closed' if self.closed else f'fd={self._fds[0]}'}>"


def out_of_time(timeout: Optional[float]) -> Error:
    return error_of(lib.DUET_SLOW if timeout else lib.DUET_AGAIN)


# ---- Files ----

class Raw(io.RawIOBase):
    """The stream of a channel as a file without a buffer."""

    def __init__(self, channel: Channel, mode: str) -> None:
        self._channel, self._mode = channel, mode

    def readable(self) -> bool:
        return "r" in self._mode

    def writable(self) -> bool:
        return "w" in self._mode

    def readinto(self, buffer: Any) -> int:
        return self._channel.recv_into(buffer)

    def write(self, data: Any) -> int:
        return self._channel.send(data)

    def fileno(self) -> int:
        return self._channel.fileno()


def open_file(raw: Raw, mode: str, buffering: int, encoding: Optional[str],
              newline: Optional[str]) -> Any:
    if not mode or set(mode) - set("rwb") or not set(mode) & set("rw"):
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    file: Any
    if "r" in mode and "w" in mode:
        file = io.BufferedRWPair(raw, raw, buffering)
    elif "r" in mode:
        file = io.BufferedReader(raw, buffering)
    else:
        file = io.BufferedWriter(raw, buffering)
    return file if "b" in mode else io.TextIOWrapper(file, encoding, newline=newline)
