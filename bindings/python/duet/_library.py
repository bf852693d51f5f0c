"""Loads libduet, checks that it is the one this package was built for, and turns results into
exceptions."""

from __future__ import annotations

import os
from typing import Any, NoReturn, Union

Buffer = Union[bytes, bytearray, memoryview]

try:
    from ._duet import ffi, lib
except ModuleNotFoundError:
    raise ImportError("duet: this is the package's source. Build it: pip wheel bindings/python") \
        from None
except ImportError as problem:
    raise ImportError(f"duet: the shared library libduet cannot be loaded ({problem}). Install the "
                      "duet that this package was built for, or build the package again") from None

from .errors import BY_NUMBER, Error, ForkedError, MisuseError


def _check_version() -> None:
    built = (lib.DUET_VERSION_MAJOR, lib.DUET_VERSION_MINOR, lib.DUET_VERSION_PATCH)
    text: str = ffi.string(lib.duet_version()).decode()
    loaded = tuple(int(number) for number in text.split("."))
    # Before 1.0 each minor version may change structs and calls; later ones only add.
    same = loaded[:2] == built[:2] if built[0] == 0 else \
        loaded[0] == built[0] and loaded >= built
    if not same:
        raise ImportError(f"duet: this package was built for libduet {'.'.join(map(str, built))}, "
                          f"and libduet {text} is installed: build the package again")


_check_version()
VERSION: str = ffi.string(lib.duet_version()).decode()


def error_of(result: int, detail: str = "") -> Error:
    """The exception of a result; detail says more than the result's own sentence."""
    kind = BY_NUMBER[result]
    sentence: str = ffi.string(lib.duet_explain(result).sentence).decode()
    return kind(f"{sentence}: {detail}" if detail else sentence)


def check(result: int, detail: str = "") -> None:
    """Raise the exception of a result that is not DUET_OK."""
    if result != lib.DUET_OK:
        raise error_of(result, detail)


def check_where(result: int, where: Any, source: str) -> None:
    """As check(), for calls that read or write a text or file: they say what is wrong with it."""
    if result != lib.DUET_OK:
        reason: str = ffi.string(where.reason).decode()
        if not reason:
            raise error_of(result, source)
        raise BY_NUMBER[result](f"{source}: {f'line {where.line}: ' if where.line else ''}{reason}")


def made(handle: Any) -> Any:
    """A handle that a constructor returned. NULL: there was no memory."""
    if handle == ffi.NULL:
        raise error_of(lib.DUET_E_MEMORY)
    return handle


class Private:
    """What holds keys: it cannot be copied or pickled, and repr() shows nothing of them."""

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(f"a duet.{type(self).__name__} cannot be copied or pickled: it holds keys")


class OneProcess(Private):
    """What a forked process must not go on using."""

    def __init__(self) -> None:
        self._process = os.getpid()

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise error_of(lib.DUET_E_FORKED)


__all__ = ["Buffer", "ForkedError", "MisuseError", "OneProcess", "Private", "VERSION", "check",
           "check_where", "error_of", "ffi", "lib", "made"]
