"""A session without I/O: bytes in, bytes out, over any carrier."""

from __future__ import annotations

import os
import time
from typing import Any, Optional

from ._library import Buffer, OneProcess, check, error_of, ffi, lib
from ._wire import MESSAGE_MOST, ROLES, Message
from .errors import Error
from .info import Info, info_of, receipt_of
from .keys import AnyConfig, Replay, config_of

FRAME_SIZE = 16384  # bytes of payload into which send() splits


class Session(OneProcess):
    """Both directions of one connection.

    Give receive() what came from the peer, and write what outgoing() returns after each call, also
    after the constructor's. One thread at a time.

    When receive() raises UnauthenticatedError in a "bottom", send nothing, and go on reading for 30
    to 90 seconds before you close: else a prober learns that duet is here.
    """

    def __init__(self, config: AnyConfig, role: str = "top", *, replay: Optional[Replay] = None,
                 message_most: int = MESSAGE_MOST) -> None:
        super().__init__()
        self._config, self._replay = config_of(config), replay or Replay.shared()
        self._message_most = message_most
        out = ffi.new("duet_session **")
        random = os.urandom(lib.DUET_RANDOM_SIZE)
        check(lib.duet_session_new(out, self._config._handle, ROLES[role],
                                   random, now_ms()))
        self._handle = ffi.gc(out[0], lib.duet_session_free)
        if role == "top":
            check(lib.duet_replay_check(self._replay._handle, self._handle, now_ms()))
        self._step = ffi.new("duet_step *")
        self._room = bytearray(65536)
        self._message = bytearray()  # a message that is not complete
        self._out = bytearray()
        self._sealed = False
        self._failed: Optional[Error] = None

    # ---- Receiving ----

    def receive(self, data: Buffer) -> "list[Message]":
        """Take bytes from the peer, in pieces of any size, and return the messages that they
        complete; code 0: bytes of the stream.

        When the bytes hold an error after messages, the messages are returned, and the next call
        raises the error.
        """
        messages: "list[Message]" = []
        view = memoryview(data).cast("B")
        try:
            self._alive()
            while self._take(view, messages):
                view = view[self._step.used:]
        except Error as problem:
            self._failed = problem
            if not messages:
                raise
        return messages

    def _take(self, view: memoryview, messages: "list[Message]") -> bool:
        """One step; False: it needs more bytes."""
        step = self._step
        wire, room = ffi.from_buffer(view), ffi.from_buffer(self._room)
        setattr(step, "in", wire)
        step.in_size, step.out, step.out_size = len(view), room, len(self._room)
        result = lib.duet_session_recv(self._handle, step)
        if result == lib.DUET_CLOSED:
            return False
        self._check(result)
        self._message += memoryview(self._room)[:step.put]
        if len(self._message) > self._message_most:
            raise error_of(lib.DUET_E_ROOM, f"a message is over {self._message_most} bytes")
        if step.event == lib.DUET_EVENT_NONCE:
            self._check(lib.duet_replay_check(self._replay._handle, self._handle, now_ms()))
        elif step.event == lib.DUET_EVENT_RANDOM:
            self._check(lib.duet_session_refresh(self._handle, os.urandom(lib.DUET_FRESH_SIZE)))
        elif step.event == lib.DUET_EVENT_FRAME and step.code != lib.DUET_CODE_MORE:
            messages.append(Message(step.code, bytes(self._message)))
            self._message.clear()
        # Without an event and without progress nothing more comes of these bytes.
        return bool(step.event != lib.DUET_EVENT_NONE or step.used or step.put)

    def end_of_wire(self) -> None:
        """Report that the peer's bytes have ended. TruncatedError: it had not closed."""
        self._alive()
        result = lib.duet_session_end(self._handle)
        if result != lib.DUET_CLOSED:
            self._check(result)

    # ---- Sending ----

    def send(self, data: Buffer, code: int = 0) -> None:
        """Seal bytes of the stream, or a message under a code, for outgoing(). Only once ready."""
        self._flush()
        view = memoryview(data).cast("B")
        size = min(FRAME_SIZE, self.info.tx_limit)
        while len(view) > size:
            self._seal(view[:size], lib.DUET_CODE_MORE if code else 0)
            view = view[size:]
        self._seal(view, code)
        self._sealed = True

    def _seal(self, view: memoryview, code: int) -> None:
        frame = bytearray(len(view) + lib.DUET_FRAME_OVERHEAD)
        self._check(lib.duet_session_send(self._handle, ffi.from_buffer(frame), code,
                                          ffi.from_buffer(view), len(view)))
        self._out += frame

    def close(self) -> None:
        """Close our direction: CLOSE goes out with outgoing(), and nothing after it."""
        self._flush()
        self._check(lib.duet_session_close(self._handle))

    def ping(self) -> None:
        """Ask the peer's library for an answer; info.pinging is True until it has come."""
        self._flush()
        self._check(lib.duet_session_ping(self._handle, os.urandom(lib.DUET_PING_SIZE)))

    def rekey(self) -> None:
        """Give this side's direction new keys."""
        self._flush()
        self._check(lib.duet_session_rekey(self._handle))

    def refresh(self) -> None:
        """Give both directions new keys by a DH ratchet step."""
        self._flush()
        self._check(lib.duet_session_refresh(self._handle, os.urandom(lib.DUET_FRESH_SIZE)))

    def outgoing(self) -> bytes:
        """What to write to the peer now; b"": nothing."""
        self._flush()
        if self._sealed:
            self._fill()
        out, self._out = bytes(self._out), bytearray()
        return out

    def _fill(self) -> None:
        """Fill what is to be written, as the profile says."""
        room, put = bytearray(lib.DUET_FILL_MOST), ffi.new("size_t *")
        self._check(lib.duet_session_fill(self._handle, ffi.from_buffer(room), len(room),
                                          len(self._out), put))
        self._out += memoryview(room)[:put[0]]
        self._sealed = False

    def _flush(self) -> None:
        """Take what the library has pending: frames leave in the order in which they are sealed."""
        self._alive()
        pending, put = bytearray(self._raw_info().pending), ffi.new("size_t *")
        if pending:
            self._check(lib.duet_session_flush(self._handle, ffi.from_buffer(pending), len(pending),
                                               put))
            self._out += memoryview(pending)[:put[0]]

    # ---- What is known ----

    @property
    def info(self) -> Info:
        return info_of(lib.duet_session_info_sized, self._handle)

    @property
    def ready(self) -> bool:
        """The peer is authenticated."""
        return bool(self._raw_info().ready)

    @property
    def peer_closed(self) -> bool:
        """The peer has closed its direction: what came is complete."""
        return bool(self._raw_info().rx_closed)

    def export(self, label: Buffer, size: int) -> bytes:
        """Bytes that bind another protocol to this session: the same at both ends."""
        out = bytearray(size)
        self._check(lib.duet_session_export(self._handle, ffi.from_buffer(out), size,
                                            ffi.from_buffer(label), memoryview(label).nbytes))
        return bytes(out)

    def receipt(self, role: str) -> bytes:
        """A digest of all that "top" or "bottom" has sent, once that direction is closed: the same
        at both ends."""
        return receipt_of(self._raw_info(), ROLES[role])

    def _raw_info(self) -> Any:
        info = ffi.new("duet_info *")
        lib.duet_session_info_sized(self._handle, info, ffi.sizeof("duet_info"))
        return info

    def _alive(self) -> None:
        self._check_process()
        if self._failed is not None:
            raise self._failed

    def _check(self, result: int) -> None:
        if result != lib.DUET_OK:
            raise error_of(result, ffi.string(lib.duet_session_detail(self._handle)).decode())

    def __repr__(self) -> str:
        return f"<duet.Session {'ready' if self.ready else 'not ready'}>"


def now_ms() -> int:
    return time.time_ns() // 1_000_000
