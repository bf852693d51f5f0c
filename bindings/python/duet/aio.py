"""Channels for asyncio: open_connection() and start_server() as asyncio has them, and connect() and
serve() with channels that carry messages."""

from __future__ import annotations

import asyncio
import socket
from contextlib import nullcontext
from types import TracebackType
from typing import Any, AsyncIterator, Awaitable, Callable, Optional, Type

from ._library import Buffer, Private, error_of, lib
from ._wire import (AGAIN_NOW, BOTTOM, Base, CLOSE_SECONDS, EVICT_SECONDS, HALF_OPEN_MOST, HAS_DATA,
                    MESSAGE_MOST, PAUSE, READ, ROLES, WRITE, Message, Operation, T,
                    Wire, WritableBuffer, logger)
from .errors import ClosedError, Error
from .keys import AnyConfig, Replay, config_of
from .sockets import NO_MORE_NOW, prepare
from .transport import Transport

FAIR = 16  # operations in a row that need not wait, before others get their turn


class Channel(Base):
    """An authenticated channel of one event loop. One task may receive while another sends; two
    that send, or two that receive, take turns.

    Time-outs are asyncio's: asyncio.wait_for(channel.recv(), 5). A receiving call that is cancelled
    loses nothing. A sending call that is cancelled has sent nothing, or the rest goes out before
    what is sent next.

    `async with` closes it at the end, and aborts it when an exception leaves the block.
    """

    def __init__(self, sock: socket.socket, wire: Wire) -> None:
        self._sock, self._wire, self._loop = sock, wire, asyncio.get_running_loop()
        self._calls = nullcontext()
        self._sending, self._receiving = asyncio.Lock(), asyncio.Lock()
        self._waiters: "dict[asyncio.Future[None], int]" = {}
        self._watched = 0
        self._ran = 0

    # ---- Waiting ----

    async def _run(self, operation: Operation[T], turn: asyncio.Lock) -> T:
        self._ran += 1
        async with turn:
            if self._ran % FAIR == 0:
                await asyncio.sleep(0)  # here: cancelled after the operation, its result were lost
            try:
                while True:
                    try:
                        wants = next(operation)
                    finally:
                        self._wake_others()
                    await self._wait(wants)
            except StopIteration as done:
                result: T = done.value
            finally:
                operation.close()
        return result

    def _wake_others(self) -> None:
        """The descriptor does not show what one task's call changed for the others."""
        state = self._wire.state
        if state & (READ | WRITE) == 0 or state & HAS_DATA:
            self._wake(READ | WRITE)

    async def _wait(self, wants: int) -> None:
        if wants & AGAIN_NOW:
            return await asyncio.sleep(0)
        waiter = self._loop.create_future()
        self._waiters[waiter] = wants
        self._watch()
        timer = self._loop.call_later(PAUSE, self._wake_one, waiter) if wants == 0 else None
        try:
            await waiter
        finally:
            del self._waiters[waiter]
            self._watch()
            if timer:
                timer.cancel()

    def _watch(self) -> None:
        """Have the loop watch for what the waiters want, and nothing else."""
        if self.closed:
            return
        wants = 0
        for each in self._waiters.values():
            wants |= each
        changed, self._watched = wants ^ self._watched, wants
        if changed & READ:
            if wants & READ:
                self._loop.add_reader(self._sock, self._wake, READ)
            else:
                self._loop.remove_reader(self._sock)
        if changed & WRITE:
            if wants & WRITE:
                self._loop.add_writer(self._sock, self._wake, WRITE)
            else:
                self._loop.remove_writer(self._sock)

    def _wake(self, event: int) -> None:
        for waiter, wants in self._waiters.items():
            if wants & event or not wants:
                self._wake_one(waiter)

    @staticmethod
    def _wake_one(waiter: "asyncio.Future[None]") -> None:
        if not waiter.done():
            waiter.set_result(None)

    # ---- Sending and receiving ----

    async def send(self, data: Buffer) -> None:
        """Send all of the data."""
        await self._run(self._wire.send(data), self._sending)

    async def send_message(self, code: int, data: Buffer) -> None:
        """Send a message of any size under a code, 1 to CODE_MOST."""
        await self._run(self._wire.send_message(code, data), self._sending)

    async def end(self) -> None:
        """Close our direction: nothing more follows. What the peer sends can still be received."""
        await self._run(self._wire.end(), self._sending)

    async def recv(self, size: int = 65536) -> bytes:
        """Receive 1 to size bytes of the stream; b"": the peer has closed its direction."""
        return await self._run(self._wire.recv(size), self._receiving)

    async def recv_into(self, buffer: WritableBuffer) -> int:
        """Receive straight into a buffer; returns the number of bytes, 0: the peer has closed."""
        return await self._run(self._wire.recv_into(buffer), self._receiving)

    async def recv_message(self, most: int = MESSAGE_MOST) -> Message:
        """Receive a message of at most so many bytes, whole. Bytes of the stream are a message of
        code 0. ClosedError: the peer has closed its direction."""
        return await self._run(self._wire.recv_message(most), self._receiving)

    async def __aiter__(self) -> AsyncIterator[Message]:
        """The messages, until the peer closes."""
        while True:
            try:
                yield await self.recv_message()
            except ClosedError:
                return

    async def ping(self) -> None:
        """Ask the peer's library for an answer: info.pinging is True until a receiving call has
        taken it in."""
        await self._run(self._wire.ask(lib.duet_channel_ping), self._sending)

    async def rekey(self) -> None:
        """Give this side's direction new keys."""
        await self._run(self._wire.ask(lib.duet_channel_rekey), self._sending)

    async def refresh(self) -> None:
        """Give both directions new keys by a DH ratchet step. Done when both sides have received
        meanwhile: info.tx_epoch and info.rx_epoch count."""
        await self._run(self._wire.ask(lib.duet_channel_refresh), self._sending)

    # ---- The end ----

    async def close(self, timeout: Optional[float] = CLOSE_SECONDS) -> None:
        """Close our direction if it is open, wipe the keys and close the connection. May raise what
        end() raises, or SlowError: then the peer did not get all."""
        try:
            if not self.closed:
                await asyncio.wait_for(self.end(), timeout)
        except asyncio.TimeoutError:
            raise error_of(lib.DUET_SLOW) from None
        finally:
            self.abort()

    def abort(self) -> None:
        """Wipe the keys and close the connection at once: for the peer the stream is truncated."""
        self._wire.free()
        self._wake(READ | WRITE)
        if self._watched:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._watched = 0
        self._sock.close()

    async def __aenter__(self) -> "Channel":
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]],
                        problem: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        if kind is None:
            await self.close()
        else:
            self.abort()

    def __repr__(self) -> str:
        return f"<duet.aio.Channel {'closed' if self.closed else f'fd={self._sock.fileno()}'}>"


async def connect(host: str, port: int, config: AnyConfig, *,
                  replay: Optional[Replay] = None) -> Channel:
    """Connect over TCP, and prove to each other that both hold the secret. The arguments are those
    of duet.connect()."""
    sock = await open_socket(asyncio.get_running_loop(), host, port)
    return await wrap(sock, config, replay=replay)


async def wrap(sock: socket.socket, config: AnyConfig, *, role: str = "top",
               replay: Optional[Replay] = None) -> Channel:
    """A channel on a connected socket, which it then owns. The arguments are those of
    duet.wrap()."""
    try:
        channel = Channel(sock, Wire(config_of(config), ROLES[role], *prepare(sock), replay))
    except BaseException:
        sock.close()
        raise
    try:
        await channel._run(channel._wire.handshake(), channel._receiving)
    except Error:
        if role == "bottom":
            await channel._run(channel._wire.silence(), channel._receiving)
        channel.abort()
        raise
    except BaseException:
        channel.abort()
        raise
    return channel


async def open_socket(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """Connect to the first of the host's addresses that answers."""
    problem: Optional[OSError] = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(
            host, port, type=socket.SOCK_STREAM):
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await loop.sock_connect(sock, address)
            return sock
        except OSError as failed:
            problem = failed
            sock.close()
        except BaseException:
            sock.close()
            raise
    raise problem or OSError(f"{host} has no address")


# ---- Serving ----

Handler = Callable[[Channel], Awaitable[None]]


async def serve(handler: Handler, host: Optional[str], port: int, config: AnyConfig, *,
                backlog: int = 512, replay: Optional[Replay] = None) -> "Server":
    """Listen over TCP, and run handler(channel) for each peer that has authenticated. The channel
    is closed when it returns, and aborted when it raises. The arguments are those of
    duet.listen()."""
    sock = socket.create_server((host or "", port), backlog=backlog)
    sock.setblocking(False)
    return Server(sock, handler, config, replay)


class Server(Private):
    """Accepts peers that hold the secret. Others get no answer: what they send is read and dropped
    until a time that is drawn at random, and only then their connection is closed."""

    def __init__(self, sock: socket.socket, handler: Handler, config: AnyConfig,
                 replay: Optional[Replay]) -> None:
        self.sockets = (sock,)
        self._handler, self._config, self._replay = handler, config_of(config), replay
        self._half_open: "dict[asyncio.Task[None], float]" = {}  # the oldest first
        self._served: "set[asyncio.Task[None]]" = set()
        self._accepting = asyncio.create_task(self._accept_all(sock))

    async def _accept_all(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if len(self._half_open) >= HALF_OPEN_MOST:
                oldest, since = next(iter(self._half_open.items()))
                await asyncio.sleep(max(0, since + EVICT_SECONDS - loop.time()))
                oldest.cancel()
            try:
                peer, _ = await loop.sock_accept(sock)
            except ConnectionError:
                continue
            except OSError as problem:
                if problem.errno not in NO_MORE_NOW:
                    raise
                logger.warning("cannot accept a connection: %s", problem)
                await asyncio.sleep(0.1)
                continue
            task = loop.create_task(self._serve_one(peer))
            self._half_open[task] = loop.time()
            task.add_done_callback(self._forget)

    async def _serve_one(self, sock: socket.socket) -> None:
        try:
            wire = Wire(self._config, BOTTOM, *prepare(sock), self._replay)
        except BaseException:
            sock.close()
            raise
        channel = Channel(sock, wire)
        try:
            if not await channel._run(wire.admit(), channel._receiving):
                return
            task = asyncio.current_task()
            assert task is not None
            self._half_open.pop(task, None)
            self._served.add(task)
            async with channel:
                await self._handler(channel)
        finally:
            channel.abort()

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._half_open.pop(task, None)
        self._served.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a connection ended with an error", exc_info=task.exception())

    def close(self) -> None:
        """Stop listening. Peers that have authenticated are served to their end."""
        self._accepting.cancel()
        for task in self._half_open:
            task.cancel()
        for sock in self.sockets:
            sock.close()

    async def wait_closed(self) -> None:
        """Wait until the last handler has returned."""
        tasks = [self._accepting, *self._half_open, *self._served]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def serve_forever(self) -> None:
        """Wait until the server is closed, or this is cancelled."""
        try:
            await asyncio.shield(self._accepting)
        finally:
            self.close()
            await self.wait_closed()

    async def __aenter__(self) -> "Server":
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]],
                        problem: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()
        await self.wait_closed()


# ---- asyncio's streams ----

async def open_connection(host: str, port: int, config: AnyConfig, *, limit: int = 65536,
                          replay: Optional[Replay] = None
                          ) -> "tuple[asyncio.StreamReader, asyncio.StreamWriter]":
    """As asyncio.open_connection(): its reader and writer, over a channel."""
    return streams(await connect(host, port, config, replay=replay), limit)


async def start_server(handler: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
                       host: Optional[str], port: int, config: AnyConfig, *, limit: int = 65536,
                       backlog: int = 512, replay: Optional[Replay] = None) -> Server:
    """As asyncio.start_server(): handler(reader, writer) for each peer that has authenticated. When
    a coroutine function's handler returns, the writer is closed."""
    async def with_streams(channel: Channel) -> None:
        reader, writer = streams(channel, limit)
        transport: Transport = writer.transport  # type: ignore[assignment]
        try:
            result = handler(reader, writer)
            if result is not None:
                await result
                writer.close()
            await asyncio.wait({transport.task})
        except BaseException:
            transport.abort()
            raise

    return await serve(with_streams, host, port, config, backlog=backlog, replay=replay)


def streams(channel: Channel, limit: int = 65536
            ) -> "tuple[asyncio.StreamReader, asyncio.StreamWriter]":
    """asyncio's reader and writer over a channel, which they own from now on."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit, loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    return reader, asyncio.StreamWriter(Transport(channel, protocol), protocol, reader, loop)
