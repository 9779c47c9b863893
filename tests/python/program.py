"""Programs that print one line when they are ready."""

from __future__ import annotations

import queue
import subprocess
import threading

START_SECONDS = 20


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    """The first line of its output; read by a thread, so that the wait has a bound."""
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()
    return lines.get(timeout=START_SECONDS)
