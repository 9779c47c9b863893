"""The real binary: started, read, stopped."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
from typing import Any

from program import first_line

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary() -> pathlib.Path:
    """``ALTER_BIN``, or the debug build of this work tree."""
    if named := os.environ.get("ALTER_BIN"):
        return pathlib.Path(named)
    subprocess.run(["cargo", "build", "--quiet", "--package", "alter"], cwd=ROOT, check=True)
    metadata = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    target = json.loads(subprocess.check_output(metadata, cwd=ROOT))["target_directory"]
    return pathlib.Path(target) / "debug/alter"


@dataclasses.dataclass
class Running:
    """A vault that runs: the process, and where it logs."""

    process: subprocess.Popen[bytes]
    log: pathlib.Path

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


@dataclasses.dataclass
class Vault(Running):
    """`alter demo --json`: a vault with one app, ready to call."""

    base_url: str
    app_key: str
    app_id: str
    grant_id: str
    revocable_grant_id: str
    provider: str
    upstream_url: str
    #: Of two users of the demo's identity provider: one has connected something, the other nothing.
    user_jwt: str
    user_jwt_empty: str
    idp_issuer: str
    #: Grant and API of what the demo has connected: `{provider, grant_id, api_url}`.
    oauth: dict[str, str]
    operator_token: str
    data_dir: pathlib.Path

    @classmethod
    def start(cls, log: pathlib.Path) -> Vault:
        process, document = launch(log, "demo", "--json")
        known = {field.name for field in dataclasses.fields(cls)} - {"process", "log"}
        values = {name: document[name] for name in known}
        values["data_dir"] = pathlib.Path(values["data_dir"])
        return cls(process=process, log=log, **values)


@dataclasses.dataclass
class Served(Running):
    """`alter serve` on a data directory of its own."""

    base_url: str
    operator_token: str
    data_dir: pathlib.Path

    @classmethod
    def start(cls, directory: pathlib.Path, *arguments: str, **environment: str) -> Served:
        log, data_dir = directory / "log", directory / "data"
        serve = ["serve", "--listen", "127.0.0.1:0", "--durability", "process", "--allow-loopback-http"]
        where = ["--data-dir", str(data_dir), "--output", "json"]
        process, document = launch(log, *where, *serve, *arguments, **environment)
        token = pathlib.Path(document["operator_token_file"]).read_text().strip()
        return cls(process, log, document["base_url"], token, data_dir)


def launch(
    log: pathlib.Path, *arguments: str, **environment: str
) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
    """Starts it and waits for the line that says that it is ready."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ALTER_")}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [binary(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env={**inherited, **environment},
        )
    try:
        return process, json.loads(first_line(process))
    except BaseException as error:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
        raise RuntimeError(f"the vault did not start:\n{log.read_text()}") from error
