"""Stands between the functions and the account: knows who asks for what, remembers it, and fails on request.

Each function has a port of its own, so that a call needs no mark to tell where it came from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Longer than any call takes; a hold that nobody lets go ends here.
HOLD_SECONDS = 60

SERVICES = {
    "DynamoDB_20120810": "dynamodb",
    "TrentService": "kms",
    "AmazonSQS": "sqs",
    "secretsmanager": "secretsmanager",
}


@dataclasses.dataclass
class Call:
    """One request of a function to AWS."""

    function: str
    service: str
    action: str
    body: dict[str, Any]
    status: int | None = None


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the account says instead."""

    status: int
    kind: str

    @property
    def body(self) -> bytes:
        return json.dumps({"__type": self.kind, "message": "injected"}).encode()


THROTTLED = Answer(400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException")
KMS_BROKEN = Answer(500, "KMSInternalException")
# The connection is closed without a word.
SILENCE = Answer(0, "")

Matches = Callable[[Call], bool]


class Fault:
    """Matching calls do not reach the account and get this answer."""

    def __init__(self, matches: Matches, answer: Answer, times: int | None) -> None:
        self.matches, self.answer, self.left, self.count = matches, answer, times, 0

    def take(self, call: Call) -> Answer | None:
        if self.left == 0 or not self.matches(call):
            return None
        if self.left is not None:
            self.left -= 1
        self.count += 1
        return self.answer


class Hold:
    """The first matching call reaches the account; its answer waits."""

    def __init__(self, matches: Matches) -> None:
        self.matches = matches
        self.reached, self.released = threading.Event(), threading.Event()
        self.call: Call | None = None

    def take(self, call: Call) -> bool:
        if self.call is not None or not self.matches(call):
            return False
        self.call = call
        return True


class Recorder:
    def __init__(self, port: int) -> None:
        self.account_port = port
        self.calls: list[Call] = []
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._holds: list[Hold] = []
        self._servers: dict[str, _Server] = {}

    def url(self, function: str) -> str:
        """Where this function finds AWS."""
        if function not in self._servers:
            self._servers[function] = _Server(self, function)
        return f"http://127.0.0.1:{self._servers[function].server_port}"

    def of(self, function: str | None = None, service: str | None = None) -> list[Call]:
        with self._lock:
            return [
                call
                for call in self.calls
                if function in (None, call.function) and service in (None, call.service)
            ]

    @contextlib.contextmanager
    def failing(self, matches: Matches, answer: Answer, times: int | None = None) -> Iterator[Fault]:
        """Answers matching calls with ``answer``, the first ``times`` of them or all."""
        fault = Fault(matches, answer, times)
        with self._lock:
            self._faults.append(fault)
        try:
            yield fault
        finally:
            with self._lock:
                self._faults.remove(fault)

    @contextlib.contextmanager
    def holding(self, matches: Matches) -> Iterator[Hold]:
        """Lets the first matching call through and keeps its answer back until it is released."""
        hold = Hold(matches)
        with self._lock:
            self._holds.append(hold)
        try:
            yield hold
        finally:
            hold.released.set()
            with self._lock:
                self._holds.remove(hold)

    def close(self) -> None:
        for server in self._servers.values():
            server.close()

    def arrived(self, call: Call) -> tuple[Answer | None, Hold | None]:
        with self._lock:
            self.calls.append(call)
            answer = next((answer for fault in self._faults if (answer := fault.take(call))), None)
            hold = next((hold for hold in self._holds if answer is None and hold.take(call)), None)
            return answer, hold


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, recorder: Recorder, function: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.recorder, self.function = recorder, function
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """A function that is killed hangs up; that is no news."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        recorder = self.server.recorder
        body = self.rfile.read(int(self.headers["content-length"]))
        prefix, _, action = self.headers["x-amz-target"].partition(".")
        call = Call(self.server.function, SERVICES[prefix], action, json.loads(body))
        answer, hold = recorder.arrived(call)
        if answer is SILENCE:
            self.close_connection = True
            return
        if answer is not None:
            call.status = answer.status
            self._send(answer.status, [("Content-Type", "application/x-amz-json-1.0")], answer.body)
            return
        status, headers, said = self._ask_account(body)
        call.status = status
        if hold is not None:
            hold.reached.set()
            hold.released.wait(HOLD_SECONDS)
        self._send(status, headers, said)

    def _ask_account(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.recorder.account_port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            dropped = {"content-length", "connection", "transfer-encoding"}
            kept = [(name, value) for name, value in response.getheaders() if name.lower() not in dropped]
            return response.status, kept, response.read()

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
