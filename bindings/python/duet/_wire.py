"""What a channel does, without waiting: the part that blocking and asyncio channels share.

Each operation is a generator. Where the wire would block it yields the channel's state, and is
resumed once the descriptor is ready for what the state says (READ, WRITE), at once for AGAIN_NOW, or
after PAUSE seconds.
"""

from __future__ import annotations

import logging
import time
from typing import Any, ContextManager, Generator, NamedTuple, Optional, TypeVar, Union

from ._library import Buffer, Private, check, error_of, ffi, lib
from .errors import Error, MisuseError, TruncatedError
from .info import Info, info_of, receipt_of
from .keys import Config, Replay

logger = logging.getLogger("duet")
T = TypeVar("T")
Operation = Generator[int, None, T]
WritableBuffer = Union[bytearray, memoryview]

READ, WRITE = lib.DUET_WANT_READ, lib.DUET_WANT_WRITE
HAS_DATA = lib.DUET_STATE_HAS_DATA
AGAIN_NOW = lib.DUET_STATE_AGAIN_NOW
TOP, BOTTOM = lib.DUET_TOP, lib.DUET_BOTTOM
ROLES = {"top": TOP, "bottom": BOTTOM}
SLICE = 1 << 20  # bytes of the stream that one call seals: others get their turn after it
MESSAGE_MOST = 16 << 20  # bytes of a message, unless the caller says otherwise
CODE_MOST: int = lib.DUET_CODE_APP_MAX
PAUSE = 1.0
HANDSHAKE_SECONDS = 30.0
HALF_OPEN_MOST = 1024    # connections of a listener whose peers have not authenticated;
EVICT_SECONDS = 1.0      # when there are more, the oldest makes room once it is that old
CLOSE_SECONDS = 10.0     # what close() waits for the peer to take the rest


class Message(NamedTuple):
    """A message, and the code under which it came; code 0: bytes of the stream."""

    code: int
    data: bytes


class Wire(Private):
    """A duet_channel on descriptors."""

    def __init__(self, config: Config, role: int, read_fd: int, write_fd: int,
                 replay: Optional[Replay] = None) -> None:
        out = ffi.new("duet_channel **")
        memory = (replay or Replay.shared())._handle
        check(lib.duet_channel_open(out, config._handle, memory, role, read_fd, write_fd))
        self._handle: Any = ffi.gc(out[0], lib.duet_channel_free)
        self._size, self._code = ffi.new("size_t *"), ffi.new("uint32_t *")
        self._rest = (0, b"")  # of a send that was cut off: code and bytes still to be sent

    @property
    def handle(self) -> Any:
        if self._handle is None:
            raise MisuseError("the channel is closed")
        return self._handle

    @property
    def freed(self) -> bool:
        return self._handle is None

    def free(self) -> None:
        """Wipe the keys."""
        handle, self._handle = self._handle, None
        if handle is not None:
            ffi.release(handle)

    @property
    def state(self) -> int:
        return 0 if self._handle is None else int(lib.duet_channel_state(self._handle))

    def error(self, result: int) -> Exception:
        return error_of(result, ffi.string(lib.duet_channel_detail(self.handle)).decode())

    def _until_done(self, function: Any) -> Operation[None]:
        """Call one that sends until it is DUET_OK."""
        while (result := function(self.handle, 0)) == lib.DUET_AGAIN:
            yield self.state & (READ | WRITE)
        self.check(result)

    def handshake(self) -> Operation[None]:
        while (result := lib.duet_channel_handshake(self.handle, 0)) == lib.DUET_AGAIN:
            yield self.state
        self.check(result)

    def admit(self) -> Operation[bool]:
        """The handshake of a listener. True: the peer is authenticated. False: it is not, and has
        had its time of silence: close the connection."""
        end = time.monotonic() + HANDSHAKE_SECONDS
        try:
            for state in self.handshake():
                if time.monotonic() > end:
                    break
                yield state
            else:
                return True
        except Error as problem:
            logger.info("a peer did not authenticate: %s", problem)
        yield from self.silence()
        return False

    def silence(self) -> Operation[None]:
        """Read and drop what an unauthenticated peer sends, until the time that the listener's
        replay cache has drawn. For the listener's side alone."""
        while (result := lib.duet_channel_silence(self.handle, 0)) == lib.DUET_AGAIN:
            yield self.state
        self.check(result)

    # ---- Sending ----

    def send(self, data: Buffer, code: int = 0) -> Operation[None]:
        """Send bytes of the stream, or a message under a code. When it is cut off after a part was
        accepted, the rest goes out before anything else."""
        yield from self._send_rest()
        view = memoryview(data).cast("B")
        sent = 0
        try:
            while True:
                result, taken = self._send_some(view[sent:], code)
                sent += taken
                if result == lib.DUET_OK and sent == len(view):
                    return
                if result == lib.DUET_AGAIN:
                    yield self.state & (READ | WRITE)
                elif result != lib.DUET_OK:
                    raise self.error(result)
        except GeneratorExit:
            if sent:
                self._rest = (code, bytes(view[sent:]))
            raise

    def send_message(self, code: int, data: Buffer) -> Operation[None]:
        if not 1 <= code <= CODE_MOST:
            raise MisuseError(f"a message's code is 1 to {CODE_MOST}, not {code}")
        return self.send(data, code)

    def _send_some(self, view: memoryview, code: int) -> "tuple[int, int]":
        if code:
            result = lib.duet_channel_send_message(self.handle, code, ffi.from_buffer(view),
                                                   len(view), self._size, 0)
        else:
            view = view[:SLICE]
            result = lib.duet_channel_send(self.handle, ffi.from_buffer(view), len(view),
                                           self._size, 0)
        return result, self._size[0]

    def _send_rest(self) -> Operation[None]:
        code, rest = self._rest
        self._rest = (0, b"")
        if rest:
            yield from self.send(rest, code)

    def flush(self) -> Operation[None]:
        yield from self._send_rest()
        yield from self._until_done(lib.duet_channel_flush)

    def end(self) -> Operation[None]:
        """Close our direction. A connection that is lost by now loses nothing but the CLOSE, unless
        data was unsent."""
        unsent = bool(self._rest[1]) or bool(self.state & WRITE)
        yield from self._send_rest()
        try:
            yield from self._until_done(lib.duet_channel_close)
        except TruncatedError:
            if unsent:
                raise

    # ---- Receiving ----

    def recv_into(self, buffer: WritableBuffer) -> Operation[int]:
        """Receive at least a byte of the stream; 0: the peer has closed."""
        view = memoryview(buffer).cast("B")
        if not view:
            return 0
        into = ffi.from_buffer(view, require_writable=True)
        while True:
            result = lib.duet_channel_recv(self.handle, into, len(view), self._size, 1, 0)
            if self._size[0] or result == lib.DUET_CLOSED:
                return int(self._size[0])
            if result not in (lib.DUET_OK, lib.DUET_AGAIN):
                raise self.error(result)
            yield self.state

    def recv(self, size: int) -> Operation[bytes]:
        buffer = bytearray(size)
        got = yield from self.recv_into(buffer)
        return bytes(memoryview(buffer)[:got])

    def recv_message(self, most: int) -> Operation[Message]:
        """Receive a whole message, which is in the channel's memory while it is not complete."""
        data = ffi.new("void const **")
        while True:
            result = lib.duet_channel_recv_all(self.handle, self._code, data, self._size, most, 0)
            if result == lib.DUET_OK:
                return Message(self._code[0], bytes(ffi.buffer(data[0], self._size[0])))
            if result == lib.DUET_E_ROOM:
                raise error_of(result, f"the message is larger than {most} bytes")
            if result != lib.DUET_AGAIN:
                raise self.error(result)
            yield self.state

    def ask(self, function: Any) -> Operation[None]:
        """Have a frame of the library's own written: ping, rekey or refresh."""
        self.check(function(self.handle))
        yield from self.flush()

    def check(self, result: int) -> None:
        if result != lib.DUET_OK:
            raise self.error(result)


class Base(Private):
    """What blocking and asyncio channels have in common and needs no waiting."""

    _wire: Wire
    _calls: "ContextManager[Any]"  # held while the library works

    @property
    def closed(self) -> bool:
        return self._wire.freed

    @property
    def info(self) -> Info:
        """What is known about the channel."""
        with self._calls:
            return info_of(lib.duet_channel_info_sized, self._wire.handle)

    def export(self, label: Buffer, size: int) -> bytes:
        """Bytes that bind another protocol to this channel: the same at both ends."""
        out = bytearray(size)
        with self._calls:
            self._wire.check(lib.duet_channel_export(
                self._wire.handle, ffi.from_buffer(out), size, ffi.from_buffer(label),
                memoryview(label).nbytes))
        return bytes(out)

    def receipt(self, role: str) -> bytes:
        """A digest of all that "top" or "bottom" has sent, once that direction is closed: the same
        at both ends."""
        info = ffi.new("duet_info *")
        with self._calls:
            lib.duet_channel_info_sized(self._wire.handle, info, ffi.sizeof("duet_info"))
        return receipt_of(info, ROLES[role])
