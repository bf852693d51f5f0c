"""What two peers hold: secret, identity, peers and profile; and the configuration made of them."""

from __future__ import annotations

import os
from datetime import date, datetime, timezone
from typing import Any, ClassVar, Iterable, Optional, Tuple, Type, TypeVar, Union

from ._library import Buffer, Private, check, check_where, ffi, lib, made

K = TypeVar("K", bound="_File")
Path = Union[str, "os.PathLike[str]"]


def _passphrase(text: Optional[str]) -> Tuple[Any, int]:
    data = None if text is None else text.encode()
    return (ffi.NULL, 0) if data is None else (data, len(data))


class _File(Private):
    """What has a text form and is kept in a file."""

    _kind: ClassVar[str]

    def __init__(self, handle: Any) -> None:
        self._handle = ffi.gc(handle, lib.duet_key_free)

    @classmethod
    def load(cls: Type[K], path: Path, passphrase: Optional[str] = None) -> K:
        """Read a file, with every check that the command `duet` makes: its mode, its owner and so
        on. The error says what is wrong with it. passphrase: what a sealed file needs."""
        return cls._read(lib.duet_key_load, os.fspath(path), os.fsencode(path),
                         *_passphrase(passphrase))

    @classmethod
    def parse(cls: Type[K], text: Buffer) -> K:
        """Read a text in memory."""
        view = memoryview(text).cast("B")
        return cls._read(lib.duet_key_parse, f"this {cls._kind}", ffi.from_buffer(view), len(view))

    @classmethod
    def _read(cls: Type[K], function: Any, source: str, *arguments: Any) -> K:
        out, where = ffi.new("duet_key **"), ffi.new("duet_where *")
        check_where(function(out, cls._number(), *arguments, where), where, source)
        self = cls.__new__(cls)
        _File.__init__(self, out[0])
        return self

    @classmethod
    def _number(cls) -> int:
        return int(getattr(lib, f"DUET_KIND_{cls._kind.upper()}"))

    def __repr__(self) -> str:
        return f"<duet.{type(self).__name__}>"


class _Private(_File):
    """What can be made, and saved in a file that its owner alone reads."""

    def __init__(self, data: Optional[Buffer] = None) -> None:
        out, size = ffi.new("duet_key **"), 0 if data is None else memoryview(data).nbytes
        check(lib.duet_key_new(out, self._number(),
                               ffi.NULL if data is None else ffi.from_buffer(data), size, 0))
        super().__init__(out[0])

    def save(self, path: Path, passphrase: Optional[str] = None) -> None:
        """Write a new file with mode 0600, sealed with a passphrase if there is one. An existing
        file is never overwritten."""
        where = ffi.new("duet_where *")
        check_where(lib.duet_key_save(self._handle, os.fsencode(path), *_passphrase(passphrase),
                                      where), where, os.fspath(path))

    def format(self) -> bytearray:
        """Its text. It holds the secret: overwrite it when it is no longer needed."""
        size = ffi.new("size_t *")
        lib.duet_key_format(self._handle, ffi.NULL, 0, size)
        text = bytearray(size[0])
        check(lib.duet_key_format(self._handle, ffi.from_buffer("char[]", text), len(text), size))
        return text


class Secret(_Private):
    """A shared secret. Without bytes a new one is drawn from the system."""

    _kind = "secret"

    @property
    def id(self) -> str:
        """16 hex digits that name the secret and tell nothing about it."""
        return bytes(ffi.buffer(lib.duet_key_id(self._handle), lib.DUET_SECRET_ID_SIZE)).hex()

    @property
    def not_after(self) -> Optional[date]:
        """The last day of its use (UTC); None: no limit."""
        seconds = lib.duet_key_not_after(self._handle)
        return datetime.fromtimestamp(seconds, timezone.utc).date() if seconds else None

    def __repr__(self) -> str:
        return f"<duet.Secret id={self.id}>"


class Identity(_Private):
    """An X25519 key pair. Without a private key (32 bytes) a new one is drawn from the system."""

    _kind = "identity"

    def __init__(self, private_key: Optional[Buffer] = None) -> None:
        if private_key is not None and memoryview(private_key).nbytes != lib.DUET_KEY_SIZE:
            raise ValueError(f"a private key has {lib.DUET_KEY_SIZE} bytes")
        super().__init__(private_key)

    @property
    def public_key(self) -> str:
        """The public key as base64: what the peer puts into its list of peers."""
        return key_text(lib.duet_key_public_key(self._handle, 0))

    def __repr__(self) -> str:
        return f"<duet.Identity public_key={self.public_key}>"


class Peers(_File):
    """The identities that are trusted."""

    _kind = "peers"

    def __len__(self) -> int:
        return int(lib.duet_key_count(self._handle))

    def names(self) -> "dict[str, str]":
        """The name of each public key (base64)."""
        return {key_text(lib.duet_key_public_key(self._handle, i)):
                ffi.string(lib.duet_key_name(self._handle, i)).decode()
                for i in range(len(self))}


class Profile(_File):
    """What both parties agree on beside the secret: label, preludes, padding, rotation."""

    _kind = "profile"


def key_text(public_key: Any) -> str:
    out = ffi.new("char[]", lib.DUET_KEY_TEXT_SIZE)
    lib.duet_key_text(out, public_key)
    return str(ffi.string(out).decode())


# ---- The configuration ----

PATTERNS = ("secret", "ephemeral", "identity")
HYBRID = ("off", "offer", "require")
AnySecret = Union[Secret, Path, bytes, bytearray, memoryview]


class Config(Private):
    """A configuration, which any number of channels share. The first of them freezes it.

    secret       a Secret, the path of a key file, or the bytes of a secret; or a list of them, of
                 which a listener accepts any and connect() uses the first
    identity     an Identity or its file, peers: Peers or their file: then both parties prove who
                 they are, and only these peers are accepted
    profile      a Profile or its file
    patterns     the names of the handshake patterns that may be used: "secret", "ephemeral",
                 "identity"
    max_payload  bytes of payload that this side accepts in a frame
    frame_size   bytes of payload into which the stream is split
    max_skew_ms  milliseconds that the peer's clock may be off; 0: clocks are not compared
    hybrid       "off", "offer" or "require": ML-KEM-768 beside X25519
    refresh_bytes, refresh_seconds
                 after how many bytes and seconds fresh keys are agreed on; 0: never
    speak_first  True: data may be sent before the peer is proven live
    """

    def __init__(self, secret: Union[AnySecret, Iterable[AnySecret]], *,
                 identity: Union[Identity, Path, None] = None,
                 peers: Union[Peers, Path, None] = None,
                 profile: Union[Profile, Path, None] = None,
                 patterns: Union[str, Iterable[str], None] = None,
                 max_payload: Optional[int] = None, frame_size: Optional[int] = None,
                 max_skew_ms: Optional[int] = None, hybrid: Optional[str] = None,
                 refresh_bytes: Optional[int] = None, refresh_seconds: Optional[int] = None,
                 speak_first: Optional[bool] = None) -> None:
        self._handle = ffi.gc(made(lib.duet_config_new()), lib.duet_config_free)
        one = isinstance(secret, (Secret, str, os.PathLike, bytes, bytearray, memoryview))
        for each in [secret] if one else secret:  # type: ignore[union-attr]
            self._add_secret(each)  # type: ignore[arg-type]
        kind: "Type[_File]"
        for part, kind in ((identity, Identity), (peers, Peers), (profile, Profile)):
            if part is not None:
                self._add(part if isinstance(part, _File) else kind.load(part))
        if hybrid is not None:
            self._set("hybrid", HYBRID.index(hybrid))
        self.max_skew_ms = max_skew_ms or 0
        self._set("buffered", 1)  # so that recv() takes any size, as a socket's
        if patterns is not None:
            names = [patterns] if isinstance(patterns, str) else patterns
            self._set("patterns", sum({1 << PATTERNS.index(name) for name in names}))
        for name, value in (("max_payload", max_payload), ("frame_size", frame_size),
                            ("max_skew_ms", max_skew_ms), ("speak_first", speak_first),
                            ("refresh_bytes", refresh_bytes),
                            ("refresh_seconds", refresh_seconds)):
            if value is not None:
                self._set(name, int(value))

    def _add_secret(self, secret: AnySecret) -> None:
        if isinstance(secret, (bytes, bytearray, memoryview)):
            secret = Secret(secret)
        self._add(secret if isinstance(secret, Secret) else Secret.load(secret))

    def _add(self, key: _File) -> None:
        check(lib.duet_config_add(self._handle, key._handle))

    def _set(self, name: str, value: int) -> None:
        check(lib.duet_config_set(self._handle, getattr(lib, f"DUET_SET_{name.upper()}"), value),
              f"{name} = {value}")

    def __repr__(self) -> str:
        return "<duet.Config>"


AnyConfig = Union[Config, AnySecret]


def config_of(config: AnyConfig) -> Config:
    """A configuration as it is given to connect() and the like: one, or a secret alone."""
    return config if isinstance(config, Config) else Config(config)


class Replay(Private):
    """The replay cache: nonces that were seen. All channels of a program share one, and so do the
    processes that it forks."""

    _shared: "ClassVar[Optional[Replay]]" = None

    def __init__(self, entries: int = lib.DUET_REPLAY_DEFAULT) -> None:
        self._handle = ffi.gc(made(lib.duet_replay_new(entries)), lib.duet_replay_free)

    @classmethod
    def shared(cls) -> "Replay":
        """The program's own, made when it is first needed."""
        if cls._shared is None:
            cls._shared = cls()
        return cls._shared

    def __repr__(self) -> str:
        return "<duet.Replay>"
