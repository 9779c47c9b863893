"""A wall clock that tests set forward, for a program that they start and for this process."""

from __future__ import annotations

import pathlib
import struct
import subprocess
import time

import pytest


class Clock:
    def __init__(self, directory: pathlib.Path) -> None:
        self._file = directory / "clock"
        self._library = directory / "clock.so"
        self.ahead = 0
        self._file.write_bytes(struct.pack("=q", 0))
        source = pathlib.Path(__file__).with_name("clock.c")
        build = ["cc", "-shared", "-fPIC", "-O1", "-o", self._library, source, "-ldl"]
        subprocess.run(build, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """For a program that is to follow this clock."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_FILE": str(self._file)}

    def forward(self, seconds: int) -> None:
        self.ahead += seconds
        with self._file.open("r+b") as file:
            file.write(struct.pack("=q", self.ahead))

    def follow(self, patch: pytest.MonkeyPatch) -> None:
        """This process goes by it too: calls are signed with the time."""
        real = time.time
        patch.setattr(time, "time", lambda: real() + self.ahead)
