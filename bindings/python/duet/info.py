"""What is known about a channel or a session."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from ._library import error_of, ffi, lib
from .keys import PATTERNS, key_text


class Info(NamedTuple):
    """A snapshot; tx is this side's direction, rx the peer's."""

    role: str                # "top" or "bottom"
    pattern: Optional[str]   # of the handshake; None: not known yet
    ready: bool              # the peer is authenticated
    tx_closed: bool          # CLOSE was sent
    rx_closed: bool          # CLOSE was received
    pinging: bool            # a PING has no answer yet
    refreshing: bool         # a refresh is under way at this end
    hybrid: bool             # ML-KEM-768 is used beside X25519
    refreshes: int           # refreshes (DH ratchet steps) so far
    tx_limit: int            # bytes of payload in a frame: what the peer takes,
    rx_limit: int            # and what this side takes
    tx_frames: int
    rx_frames: int
    tx_bytes: int            # application payload so far
    rx_bytes: int
    tx_epoch: int            # rekeys so far
    rx_epoch: int
    secret_id: str           # of the secret in use, 16 hex digits
    peer_key: Optional[str]  # the peer's identity (base64), when both have proven theirs


def info_of(function: Any, handle: Any) -> Info:
    """Ask by duet_channel_info_sized() or duet_session_info_sized()."""
    raw = ffi.new("duet_info *")
    function(handle, raw, ffi.sizeof("duet_info"))
    values = {name: getattr(raw, name) for name in Info._fields}
    for name, kind in Info.__annotations__.items():
        if kind == "bool":
            values[name] = bool(values[name])
    values["role"] = "bottom" if raw.role == lib.DUET_BOTTOM else "top"
    values["pattern"] = PATTERNS[raw.pattern] if raw.pattern >= 0 else None
    values["secret_id"] = bytes(ffi.buffer(raw.secret_id)).hex()
    values["peer_key"] = key_text(raw.peer_key) if raw.has_peer_key and raw.ready else None
    return Info(**values)


def receipt_of(raw: Any, number: int) -> bytes:
    """The receipt of a role's direction, from a duet_info."""
    if not raw.receipts & 1 << number:
        raise error_of(lib.DUET_E_MISUSE, "that direction has not closed, so it has no receipt")
    return bytes(ffi.buffer(raw.receipt[number]))
