"""The real binary: started, read, stopped."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import queue
import signal
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 20


def binary() -> pathlib.Path:
    """``ALTER_BIN``, or the debug build of this work tree."""
    if named := os.environ.get("ALTER_BIN"):
        return pathlib.Path(named)
    subprocess.run(["cargo", "build", "--quiet", "--package", "alter"], cwd=ROOT, check=True)
    metadata = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    target = json.loads(subprocess.check_output(metadata, cwd=ROOT))["target_directory"]
    return pathlib.Path(target) / "debug/alter"


@dataclasses.dataclass
class Vault:
    """`alter demo --json`: a vault with one app, ready to call."""

    process: subprocess.Popen[bytes]
    log: pathlib.Path
    base_url: str
    app_key: str
    app_id: str
    grant_id: str
    revocable_grant_id: str
    provider: str
    upstream_url: str
    operator_token: str
    data_dir: pathlib.Path

    @classmethod
    def start(cls, log: pathlib.Path) -> Vault:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ALTER_")}
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [binary(), "demo", "--json"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=environment,
            )
        try:
            document = json.loads(_line(process))
            known = {field.name for field in dataclasses.fields(cls)} - {"process", "log"}
            values = {name: document[name] for name in known}
            values["data_dir"] = pathlib.Path(values["data_dir"])
            return cls(process=process, log=log, **values)
        except BaseException as error:
            process.kill()
            process.wait()
            raise RuntimeError(f"the vault did not start:\n{log.read_text()}") from error

    def stop(self) -> int:
        """Asks it to stop and returns its exit code; a vault that does not go is an error."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout:
                self.process.stdout.close()


def _line(process: subprocess.Popen[bytes]) -> bytes:
    """The first line of its output; read by a thread, so that the wait has a bound."""
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()
    return lines.get(timeout=START_SECONDS)
