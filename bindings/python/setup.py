"""Builds the wheel; see pyproject.toml. The version is the one of duet's headers."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build_duet  # noqa: E402


class BuildWithErrors(build_py):
    """Writes duet/errors.py beside the other modules."""

    def run(self) -> None:
        super().run()
        Path(self.build_lib, "duet", "errors.py").write_text(build_duet.errors(), encoding="utf-8")


setup(version=build_duet.version(), cffi_modules=["build_duet.py:ffi"],
      cmdclass={"build_py": BuildWithErrors})
