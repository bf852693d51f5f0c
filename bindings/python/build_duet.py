"""Makes the extension module duet._duet and duet/errors.py from duet's own headers.

The declarations are not copied by hand: the C preprocessor reads <duet/duet.h> as it is installed.
CC names the compiler; DUET_INCLUDE and DUET_LIB name folders when pkg-config does not know duet.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import cffi

HERE = Path(__file__).resolve().parent
# Headers that the compiler brings. cffi knows their types, so empty ones do.
SYSTEM_HEADERS = ("stddef.h", "stdint.h", "sys/types.h")


def flags() -> dict[str, list[str]]:
    """Where duet's headers and library are: the environment, this source tree, or pkg-config."""
    include, library = os.environ.get("DUET_INCLUDE"), os.environ.get("DUET_LIB")
    tree = HERE.parent.parent / "include"
    if not include and (tree / "duet" / "duet.h").exists():
        include = str(tree)
    if include:
        return {"include_dirs": [include], "library_dirs": [library] if library else [],
                "libraries": ["duet"]}
    return cffi.pkgconfig.flags_from_pkgconfig(["duet"])


def preprocess(text: str, *options: str) -> str:
    """Run the C preprocessor over a text that includes duet's headers."""
    with tempfile.TemporaryDirectory() as empty:
        for name in SYSTEM_HEADERS:
            path = Path(empty, name)
            path.parent.mkdir(exist_ok=True)
            path.touch()
        paths = [f"-I{folder}" for folder in [*flags()["include_dirs"], empty]]
        command = [*shlex.split(os.environ.get("CC", "cc")), "-E", "-P", "-undef", "-nostdinc",
                   "-DDUET_NO_OLD_NAMES", *paths, *options, "-xc", "-"]
        return subprocess.run(command, input=text, check=True, capture_output=True,
                              text=True).stdout


def declarations() -> str:
    """What cffi shall know: every type, function and numeric constant of the headers."""
    text = preprocess("#include <duet/duet.h>\n")
    # An alignment says nothing to cffi; "..." makes it ask the compiler for the layout.
    text = re.sub(r"_Alignas\(16\) (.*?\];)", r"\1 ...;", text)
    text = re.sub(r"static inline [^;{]*\{.*?\n\}", "", text, flags=re.DOTALL)
    macros = preprocess("#include <duet/duet.h>\n", "-dM")
    for name, value in re.findall(r"^#define (DUET_(?!NO_)[A-Z0-9_]+) +(.+)$", macros,
                                  re.MULTILINE):
        if re.fullmatch(r"[(]?(0x[0-9A-Fa-f]+|\d+|DUET_\w+)u?( \+ DUET_\w+)?[)]?", value):
            text += f"#define {name} ...\n"
    return text


def version() -> str:
    """The version of the headers, such as "0.2.0"."""
    macros = preprocess("#include <duet/duet.h>\n", "-dM")
    return re.search(r'^#define DUET_VERSION +"([0-9.]+)"$', macros, re.MULTILINE)[1]


ERRORS_HEAD = '''"""duet's errors: the closed list of <duet/error.h>. Made by build_duet.py; do not edit."""

from __future__ import annotations

from typing import ClassVar


class Error(Exception):
    """What every error of duet derives from. str() is a sentence; it never holds a secret."""

    number: ClassVar[int] = 0
    code: ClassVar[str] = ""  # the name in C, such as "DUET_E_FORGED"
    cure: ClassVar[str] = ""  # what to do about it


class CallerError(Error):
    """A mistake of the caller, or no memory. Nothing changed."""


class FatalError(Error):
    """This side failed; the channel is dead."""


class PeerError(Error, ConnectionError):
    """The peer or the network failed; the channel is dead. What was received is verified."""
'''
BASES = {"NOT_YET": "Error", "END": "Error", "YOURS": "CallerError", "FATAL": "FatalError",
         "THEIRS": "PeerError"}
NAMES = {"E_MEMORY": "NO_MEMORY"}  # Python has a MemoryError
# Those for which Python has a name of its own.
ALSO = {"AGAIN": "BlockingIOError", "SLOW": "TimeoutError", "CLOSED": "EOFError",
        "E_MISUSE": "ValueError", "E_MEMORY": "MemoryError", "E_FORMAT": "ValueError",
        "E_LENGTH": "ValueError", "E_IO": "OSError", "E_TRUNCATED": "EOFError"}


def errors() -> str:
    """The source of duet/errors.py: a class for each result of DUET_RESULTS but DUET_OK."""
    rows = preprocess("#include <duet/error.h>\n"
                      "#define ROW(name, number, kind, sentence, cure) "
                      "(#name, number, #kind, sentence, cure),\n"
                      "BEGIN DUET_RESULTS(ROW)\n").split("BEGIN", 1)[1]
    source = ERRORS_HEAD
    names = []
    # Names, numbers and string literals: what is left of the list reads as Python.
    for name, number, kind, sentence, cure in ast.literal_eval(f"[{rows.strip()}]"):
        if number == 0:
            continue
        words = NAMES.get(name, name.removeprefix("E_")).split("_")
        names.append("".join(word.capitalize() for word in words) + "Error")
        bases = ", ".join([BASES[kind]] + ([ALSO[name]] if name in ALSO else []))
        source += (f"\n\nclass {names[-1]}({bases}):\n"
                   f'    """{sentence[0].upper()}{sentence[1:]}."""\n\n'
                   f"    number = {number}\n    code = {'DUET_' + name!r}\n    cure = {cure!r}\n")
    source += f"\n\n__all__ = {['Error', 'CallerError', 'FatalError', 'PeerError', *names]!r}\n"
    return source + f"\n\nBY_NUMBER = {{kind.number: kind for kind in ({', '.join(names)})}}\n"


ffi = cffi.FFI()
ffi.cdef(declarations())
ffi.set_source("duet._duet", "#include <duet/duet.h>\n", **flags(),
               define_macros=[("DUET_NO_OLD_NAMES", "1")])
