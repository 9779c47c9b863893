"""A provider's API on loopback whose answers are chosen by the path. It remembers what reached it."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import random
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclasses.dataclass(frozen=True)
class Seen:
    """A request as it arrived, credential and all."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def query(self) -> list[tuple[str, str]]:
        return urllib.parse.parse_qsl(urllib.parse.urlsplit(self.target).query, keep_blank_values=True)


def binary(length: int) -> bytes:
    """The body of ``/bytes/<length>``: every byte value, no text, the same each time."""
    return random.Random(length).randbytes(length)


class Upstream:
    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.upstream = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def add(self, seen: Seen) -> None:
        with self._lock:
            self._seen.append(seen)

    def seen(self, part: str = "") -> list[Seen]:
        """What arrived with ``part`` in its target."""
        with self._lock:
            return [seen for seen in self._seen if part in seen.target]

    def only(self, part: str) -> Seen:
        found = self.seen(part)
        assert len(found) == 1, f"{len(found)} requests with {part!r} reached the provider"
        return found[0]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Hundreds of calls at once must not be told to come back later.
    request_queue_size = 512
    upstream: Upstream

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """The vault may hang up; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        seen = Seen(self.command, self.path, list(self.headers.items()), body)
        self.server.upstream.add(seen)
        first, *rest = urllib.parse.urlsplit(self.path).path.strip("/").split("/")
        getattr(self, f"at_{first}", self.at_echo)(seen, rest)

    def send(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        bodiless = status in (204, 304) or self.command == "HEAD"
        if not bodiless:
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if not bodiless:
            self.wfile.write(body)
        self.wfile.flush()

    def at_echo(self, seen: Seen, _: list[str]) -> None:
        """All of the request, the injected credential included."""
        document = {
            "method": seen.method,
            "target": seen.target,
            "headers": seen.headers,
            "body_b64": base64.b64encode(seen.body).decode(),
        }
        self.send(200, json.dumps(document).encode(), ("Content-Type", "application/json"))

    def at_status(self, _: Seen, rest: list[str]) -> None:
        status = int(rest[0])
        body = json.dumps({"status": status}).encode()
        self.send(status, body, ("Content-Type", "application/json"), ("X-Provider", f"said {status}"))

    def at_bytes(self, _: Seen, rest: list[str]) -> None:
        self.send(200, binary(int(rest[0])), ("Content-Type", "application/octet-stream"))

    def at_empty(self, _: Seen, __: list[str]) -> None:
        self.send(200, b"")

    def at_repeated(self, _: Seen, __: list[str]) -> None:
        self.send(
            200,
            b"{}",
            ("X-Thing", "one"),
            ("X-Thing", "two"),
            ("Link", '</a>; rel="next"'),
            ("link", '</b>; rel="last"'),
            ("Set-Cookie", "session=provider"),
            ("WWW-Authenticate", 'Bearer realm="provider"'),
        )

    def at_redirect(self, _: Seen, rest: list[str]) -> None:
        self.send(int(rest[0]), b"moved", ("Location", f"http://{self.headers['host']}/landed/{rest[1]}"))

    def at_gzip(self, _: Seen, __: list[str]) -> None:
        self.send(200, gzip.compress(b"plain again " * 1000), ("Content-Encoding", "gzip"))

    def at_leak(self, seen: Seen, rest: list[str]) -> None:
        """Sends the credential back: as ``rest[0]`` says, in pieces of ``rest[1]`` bytes."""
        form, size = rest[0], int(rest[1])
        secret = (seen.header("authorization") or "").removeprefix("Bearer ")
        text = {
            "raw": secret,
            "base64": base64.b64encode(f"padding{secret}".encode()).decode(),
            "base64url": base64.urlsafe_b64encode(f"pad{secret}".encode()).decode().rstrip("="),
            "percent": "".join(f"%{byte:02X}" for byte in secret.encode()),
            "query": urllib.parse.quote_plus(secret),
        }[form]
        body = f"before {text} after".encode()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Type", "text/plain")
        self.send_header("X-Leak", f"it is {text}")
        self.end_headers()
        for start in range(0, len(body), size):
            piece = body[start : start + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def at_short(self, _: Seen, __: list[str]) -> None:
        """Promises more than it sends."""
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"ten bytes.")
        self.wfile.flush()
        self.close_connection = True

    def at_silent(self, _: Seen, __: list[str]) -> None:
        """Hangs up without an answer."""
        self.close_connection = True
