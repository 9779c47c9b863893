"""The client's requests as bytes: caught on their way, looked at, changed, and sent to the vault."""

from __future__ import annotations

import dataclasses
import http.client
import json
import socket
import threading
import urllib.parse

NO_GRANTS = {"grants": [], "total": 0, "limit": 100, "offset": 0, "has_more": False}


@dataclasses.dataclass(frozen=True)
class Raw:
    """One HTTP/1.1 request."""

    head: list[bytes]
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> Raw:
        head, _, body = data.partition(b"\r\n\r\n")
        return cls(head.split(b"\r\n"), body)

    def __bytes__(self) -> bytes:
        return b"\r\n".join(self.head) + b"\r\n\r\n" + self.body

    @property
    def line(self) -> str:
        return self.head[0].decode()

    def header(self, name: str) -> str | None:
        for line in self.head[1:]:
            key, _, value = line.decode().partition(": ")
            if key.lower() == name.lower():
                return value
        return None

    def with_header(self, name: str, value: str | None) -> Raw:
        """The same with this header set; ``None`` takes it away."""
        kept = [line for line in self.head[1:] if not line.lower().startswith(name.lower().encode() + b":")]
        added = [] if value is None else [f"{name}: {value}".encode()]
        return Raw([self.head[0], *kept, *added], self.body)

    def with_line(self, line: str) -> Raw:
        return Raw([line.encode(), *self.head[1:]], self.body)

    def with_body(self, body: bytes) -> Raw:
        return Raw(self.head, body).with_header("Content-Length", str(len(body)))


@dataclasses.dataclass(frozen=True)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):  # type: ignore[no-untyped-def]
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        return self.json.get("error")


def send(base_url: str, request: Raw) -> Reply:
    """Sends exactly these bytes on a connection of their own."""
    where = urllib.parse.urlsplit(base_url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(bytes(request))
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Reply(response.status, response.headers, response.read())


class Catcher:
    """Stands where the vault would, keeps each request, and answers ``reply`` with 200."""

    def __init__(self, reply: dict | None = None, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(NO_GRANTS if reply is None else reply).encode()
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._answer = f"{head}{more}Connection: close\r\n\r\n".encode() + body
        self.requests: list[Raw] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def only(self) -> Raw:
        assert len(self.requests) == 1
        return self.requests[0]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(self._read(connection))
                connection.sendall(self._answer)

    @staticmethod
    def _read(connection: socket.socket) -> Raw:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        length = int(Raw.parse(data).header("content-length") or 0)
        while len(Raw.parse(data).body) < length:
            data += connection.recv(65536)
        return Raw.parse(data)

    def __enter__(self) -> Catcher:
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone does not wake a thread that waits in accept().
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
