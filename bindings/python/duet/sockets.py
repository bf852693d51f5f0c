"""Making blocking channels: connect(), listen() and wrap()."""

from __future__ import annotations

import errno
import selectors
import socket
import time
from types import TracebackType
from typing import Iterator, Optional, Type, Union

from ._library import Private
from ._wire import (BOTTOM, EVICT_SECONDS, HALF_OPEN_MOST, HANDSHAKE_SECONDS, PAUSE, READ, ROLES,
                    WRITE, Wire, logger)
from .channel import Channel, out_of_time
from .errors import Error
from .keys import AnyConfig, Replay, config_of

# What accept() fails with while the system lacks something; the listener goes on.
NO_MORE_NOW = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
Carrier = Union[socket.socket, "tuple[int, int]"]


def connect(host: str, port: int, config: AnyConfig, *, timeout: Optional[float] = None,
            connect_timeout: float = HANDSHAKE_SECONDS,
            replay: Optional[Replay] = None) -> Channel:
    """Connect over TCP, and prove to each other that both hold the secret.

    config           a Config, or only a secret: its key file's path, its bytes, a Secret
    timeout          seconds for each later call; see Channel.settimeout()
    connect_timeout  seconds for the connection and again for the handshake
    replay           the replay cache; None: the program's own. A program that connects to itself
                     needs a second one, as it takes its own first bytes for a replay
    """
    sock = socket.create_connection((host, port), connect_timeout)
    return wrap(sock, config, timeout=timeout, handshake_timeout=connect_timeout,
                replay=replay)


def wrap(carrier: Carrier, config: AnyConfig, *, role: str = "top",
         timeout: Optional[float] = None, handshake_timeout: Optional[float] = HANDSHAKE_SECONDS,
         replay: Optional[Replay] = None) -> Channel:
    """A channel on a connected socket, which it then owns, or on two descriptors (one to read, one
    to write), which stay the caller's.

    role  one peer is the "top" and speaks first, the other the "bottom". Towards a peer that does
          not authenticate a bottom keeps silent for up to 90 seconds before this raises.
    """
    sock = carrier if isinstance(carrier, socket.socket) else None
    try:
        fds = carrier if isinstance(carrier, tuple) else prepare(carrier)
        wire = Wire(config_of(config), ROLES[role], *fds, replay)
        channel = Channel(wire, sock, fds, timeout)
    except BaseException:
        if sock is not None:
            sock.close()
        raise
    try:
        channel._run(wire.handshake(), channel._receiving, handshake_timeout)
    except Error:
        if role == "bottom":
            channel._run(wire.silence(), channel._receiving, None)
        channel.abort()
        raise
    except BaseException:
        channel.abort()
        raise
    return channel


def prepare(sock: socket.socket) -> "tuple[int, int]":
    sock.setblocking(False)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock.fileno(), sock.fileno()


def listen(host: Optional[str], port: int, config: AnyConfig, *, backlog: int = 512,
           timeout: Optional[float] = None, replay: Optional[Replay] = None) -> "Listener":
    """Listen on HOST and PORT over TCP (port 0: a free one; host "::" or None: all addresses).

    The other arguments are as connect()'s; timeout is that of the channels.
    """
    sock = socket.create_server((host or "", port), backlog=backlog)
    return Listener(sock, config, timeout=timeout, replay=replay)


class HalfOpen:
    """A connection whose peer has not authenticated."""

    def __init__(self, sock: socket.socket, wire: Wire) -> None:
        self.sock, self.wire, self.operation = sock, wire, wire.admit()
        self.since = time.monotonic()
        self.events = 0  # that the selector watches

    def step(self) -> "tuple[Optional[bool], int]":
        """Whether it is admitted, None: not known yet; and what to wait for."""
        try:
            return None, next(self.operation)
        except StopIteration as done:
            return bool(done.value), 0

    def close(self) -> None:
        self.operation.close()
        self.wire.free()
        self.sock.close()


class Listener(Private):
    """Accepts peers that hold the secret.

    Others get no answer: what they send is read and dropped until a time that is drawn at random,
    and only then their connection is closed. accept() does this while it waits, so a program stays
    in accept() and gives each channel to a thread. One thread at a time may be in accept().
    """

    def __init__(self, sock: socket.socket, config: AnyConfig, *, timeout: Optional[float] = None,
                 replay: Optional[Replay] = None) -> None:
        self._sock, self._config, self._timeout = sock, config_of(config), timeout
        self._replay = replay or Replay.shared()
        self._half_open: "dict[HalfOpen, None]" = {}  # the oldest first
        self._all_at = 0.0  # when each of them has its next turn
        self._selector = selectors.DefaultSelector()
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ)

    @property
    def address(self) -> "tuple[object, ...]":
        """Where it listens, as socket.getsockname()."""
        return tuple(self._sock.getsockname())

    def accept(self, timeout: Optional[float] = None) -> Channel:
        """Wait for the next peer that has authenticated. SlowError: none came in that many
        seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = PAUSE if end is None else end - time.monotonic()
            if left < 0:
                raise out_of_time(timeout)
            ready = [key.data for key, _ in self._selector.select(min(PAUSE, left))]
            if None in ready:
                self._accept_one()
            if time.monotonic() > self._all_at:
                self._all_at = time.monotonic() + PAUSE
                ready = list(self._half_open)
            for half_open in ready:
                channel = self._step(half_open) if half_open in self._half_open else None
                if channel is not None:
                    return channel

    def __iter__(self) -> Iterator[Channel]:
        """Channels, without end."""
        while True:
            yield self.accept()

    def _accept_one(self) -> None:
        if len(self._half_open) >= HALF_OPEN_MOST:
            oldest = next(iter(self._half_open))
            if time.monotonic() < oldest.since + EVICT_SECONDS:
                time.sleep(0.02)  # those that came within the last second come first
                return
            self._drop(oldest)
        try:
            sock, _ = self._sock.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as problem:
            if problem.errno not in NO_MORE_NOW:
                raise
            logger.warning("cannot accept a connection: %s", problem)
            time.sleep(0.1)
            return
        try:
            wire = Wire(self._config, BOTTOM, *prepare(sock), self._replay)
        except BaseException:
            sock.close()
            raise
        half_open = HalfOpen(sock, wire)
        self._half_open[half_open] = None
        self._watch(half_open, selectors.EVENT_READ)

    def _step(self, half_open: HalfOpen) -> Optional[Channel]:
        admitted, wants = half_open.step()
        if admitted is None:
            self._watch(half_open, (selectors.EVENT_READ if wants & READ else 0) |
                        (selectors.EVENT_WRITE if wants & WRITE else 0))
            return None
        if not admitted:
            self._drop(half_open)
            return None
        self._forget(half_open)
        sock = half_open.sock
        return Channel(half_open.wire, sock, (sock.fileno(), sock.fileno()), self._timeout)

    def _watch(self, half_open: HalfOpen, events: int) -> None:
        if events != half_open.events:
            if half_open.events:
                self._selector.unregister(half_open.sock)
            if events:
                self._selector.register(half_open.sock, events, half_open)
            half_open.events = events

    def _forget(self, half_open: HalfOpen) -> None:
        self._watch(half_open, 0)
        del self._half_open[half_open]

    def _drop(self, half_open: HalfOpen) -> None:
        self._forget(half_open)
        half_open.close()

    def close(self) -> None:
        """Stop listening. Channels that were accepted go on."""
        for half_open in list(self._half_open):
            self._drop(half_open)
        self._selector.close()
        self._sock.close()

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], problem: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<duet.Listener {self.address}>"
