"""An asyncio transport over a channel: what asyncio's streams and protocols work on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Optional

from ._library import Private

if TYPE_CHECKING:
    from .aio import Channel

HIGH_WATER = 65536   # bytes unsent, from which the protocol is asked to pause
RECV_SIZE = 1 << 18


class Transport(Private, asyncio.Transport):
    """One task receives for the protocol, another sends what it wrote."""

    def __init__(self, channel: "Channel", protocol: asyncio.BaseProtocol) -> None:
        sock = channel._sock
        super().__init__({"socket": sock, "sockname": sock.getsockname(),
                          "peername": sock.getpeername(), "duet": channel})
        self._channel, self._protocol = channel, protocol
        self._unsent: "list[bytes]" = []
        self._size = 0  # bytes written and not sent
        self._high, self._low = HIGH_WATER, HIGH_WATER // 4
        self._eof = self._closing = self._paused = False
        self._may_read, self._to_send = asyncio.Event(), asyncio.Event()
        self._may_read.set()
        protocol.connection_made(self)
        self._problem: Optional[BaseException] = None
        self._receiver = asyncio.create_task(self._receive())
        self.task = asyncio.create_task(self._send())
        self.task.add_done_callback(self._lost)

    # ---- The tasks ----

    async def _receive(self) -> None:
        """Ends with the peer's CLOSE. A failure ends the sender too."""
        try:
            while True:
                await self._may_read.wait()
                data = await self._channel.recv(RECV_SIZE)
                if not data:
                    break
                self._protocol.data_received(data)  # type: ignore[attr-defined]
            if not self._protocol.eof_received():  # type: ignore[attr-defined]
                self.close()
        except Exception as problem:
            self._problem = problem
            self.task.cancel()

    async def _send(self) -> None:
        """Ends when all is sent and close() was called: then the channel is closed."""
        while not self._closing or self._unsent:
            while self._unsent:
                data, self._unsent = b"".join(self._unsent), []
                await self._channel.send(data)
                self._size -= len(data)
                if self._paused and self._size <= self._low:
                    self._paused = False
                    self._protocol.resume_writing()  # type: ignore[attr-defined]
            if self._eof:
                await self._channel.end()
            if not self._closing:
                self._to_send.clear()
                await self._to_send.wait()
        await self._channel.close()

    def _lost(self, task: "asyncio.Task[None]") -> None:
        self._closing = True
        self._receiver.cancel()
        self._channel.abort()
        problem = self._problem or (None if task.cancelled() else task.exception())
        self._protocol.connection_lost(problem)  # type: ignore[arg-type]

    # ---- What asyncio calls ----

    def write(self, data: Any) -> None:
        if self._eof:
            raise RuntimeError("cannot write after write_eof()")
        if self._closing:
            return  # as asyncio's own transports: connection_lost() has said or will say so
        self._unsent.append(bytes(data))
        self._size += len(data)
        self._to_send.set()
        if self._size > self._high and not self._paused:
            self._paused = True
            self._protocol.pause_writing()  # type: ignore[attr-defined]

    def get_write_buffer_size(self) -> int:
        return self._size

    def get_write_buffer_limits(self) -> "tuple[int, int]":
        return self._low, self._high

    def set_write_buffer_limits(self, high: Optional[int] = None,
                                low: Optional[int] = None) -> None:
        self._high = high if high is not None else 4 * low if low is not None else HIGH_WATER
        self._low = low if low is not None else self._high // 4

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._eof = True
        self._to_send.set()

    def pause_reading(self) -> None:
        self._may_read.clear()

    def resume_reading(self) -> None:
        self._may_read.set()

    def is_reading(self) -> bool:
        return self._may_read.is_set() and not self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Send what is unsent, then CLOSE, and close the connection."""
        self._closing = True
        self._receiver.cancel()
        self._to_send.set()

    def abort(self) -> None:
        """Close the connection at once: for the peer the stream is truncated."""
        self._closing = True
        self.task.cancel()
