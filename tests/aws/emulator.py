"""ministack: the account that is emulated, as a child process on loopback."""

from __future__ import annotations

import contextlib
import http.client
import os
import pathlib
import signal
import socket
import subprocess
import sys
from typing import Any

import boto3
from botocore.config import Config
from waiting import until

REGION = "eu-central-1"
START_SECONDS = 60
STOP_SECONDS = 10


class Emulator:
    """One emulated account, empty."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.log = directory / "emulator.log"
        self.port = free_port()
        self._clients: dict[str, Any] = {}
        # A clean environment, because functions inherit it. There is no AWS_ENDPOINT_URL in it: it would take the
        # place of the one that each function is given.
        environment = {
            "PATH": os.defpath,
            "HOME": str(directory),
            "TMPDIR": str(directory),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }
        with self.log.open("wb") as log:
            # A session of its own: what it starts goes when it goes.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ministack"],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            until(self._ready, START_SECONDS, "the emulator answers")
        except BaseException:
            self.close()
            raise

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=f"http://127.0.0.1:{self.port}",
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}, proxies={}),
            )
        return self._clients[service]

    def pids_of(self, function: str) -> list[int]:
        """The processes that run this function now."""
        mark = f"AWS_LAMBDA_FUNCTION_NAME={function}".encode()
        return [
            int(process.name)
            for process in pathlib.Path("/proc").glob("[0-9]*")
            if mark in _read(process / "environ").split(b"\0") and self._started(process)
        ]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _started(self, process: pathlib.Path) -> bool:
        """Whether the process is of the emulator's own session."""
        fields = _read(process / "stat").rpartition(b")")[2].split()
        return len(fields) > 3 and int(fields[3]) == self._process.pid

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the emulator ended at once:\n{self.log.read_text()}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
