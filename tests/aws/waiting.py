"""Waiting for something to become true, with a deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

POLL_SECONDS = 0.05


def until(look: Callable[[], Found], seconds: float, what: str) -> Found:
    """The first true value that ``look`` returns; past the deadline a failure that says what did not happen."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what}")
        pause.wait(POLL_SECONDS)
    return found
