"""A function under a Runtime API of our own: it streams, which the emulator cannot.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. A streamed answer to API Gateway begins with a JSON prelude
(status, headers) and eight zero bytes; the body follows as the function sends it.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import queue
import re
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ANSWER_SECONDS = 30
STOP_SECONDS = 10
PRELUDE_END = bytes(8)

_RESULT = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")


class FunctionError(Exception):
    """The function reported an error, or broke its answer off."""


@dataclasses.dataclass
class Streamed:
    """An answer whose body is still coming."""

    status: int
    headers: dict[str, str]
    cookies: list[str]
    chunks: Iterator[bytes]


class Runtime:
    """One execution environment."""

    def __init__(self, binary: pathlib.Path, environment: dict[str, str], log: pathlib.Path) -> None:
        self.events: queue.Queue[tuple[str, bytes] | None] = queue.Queue()
        self.answers: dict[str, queue.Queue[bytes | Exception | None]] = {}
        # How often the function has asked for an event: before that Lambda does not freeze it.
        self.polls = 0
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        api = {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}"}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [binary],
                env={**environment, **api},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def call(self, event: dict[str, Any]) -> Streamed:
        """Hands the event over and returns as soon as status and headers are known."""
        request_id = str(uuid.uuid4())
        answer: queue.Queue[bytes | Exception | None] = queue.Queue()
        self.answers[request_id] = answer
        self.events.put((request_id, json.dumps(event).encode()))
        chunks = _chunks(answer)
        seen = b""
        while PRELUDE_END not in seen:
            piece = next(chunks, None)
            if piece is None:
                raise FunctionError(f"the answer is not a streamed one: {seen[:200]!r}")
            seen += piece
        text, _, first = seen.partition(PRELUDE_END)
        prelude = json.loads(text)

        def body() -> Iterator[bytes]:
            if first:
                yield first
            yield from chunks

        return Streamed(prelude["statusCode"], prelude.get("headers", {}), prelude.get("cookies", []), body())

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()
            self.events.put(None)
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5)


def _chunks(answer: queue.Queue[bytes | Exception | None]) -> Iterator[bytes]:
    while (piece := answer.get(timeout=ANSWER_SECONDS)) is not None:
        if isinstance(piece, Exception):
            raise piece
        yield piece


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.runtime = runtime

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """The function ended; whoever waits for it finds out by the deadline."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.runtime.polls += 1
        event = self.server.runtime.events.get()
        if event is None:
            self.close_connection = True
            return
        request_id, body = event
        deadline = int((time.time() + ANSWER_SECONDS) * 1000)
        self._send(
            200,
            body,
            ("Lambda-Runtime-Aws-Request-Id", request_id),
            ("Lambda-Runtime-Deadline-Ms", str(deadline)),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:000000000000:function:forward"),
            ("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0"),
        )

    def do_POST(self) -> None:
        found = _RESULT.fullmatch(self.path)
        if found is None:
            self._send(404, b"")
            return
        answer = self.server.runtime.answers[found[1]]
        if found[2] == "error":
            answer.put(FunctionError(self.rfile.read(int(self.headers["content-length"])).decode()))
        else:
            self._pass_on(answer)
        self._send(202, b"")

    def _pass_on(self, answer: queue.Queue[bytes | Exception | None]) -> None:
        if "content-length" in self.headers:
            answer.put(self.rfile.read(int(self.headers["content-length"])))
        else:
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                answer.put(self.rfile.read(size))
                self.rfile.readline()
            while line := self.rfile.readline().strip():
                name, _, value = line.decode().partition(":")
                if name.lower() == "lambda-runtime-function-error-type":
                    answer.put(FunctionError(value.strip()))
        answer.put(None)

    def _send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
