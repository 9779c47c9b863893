"""The domain in front of both APIs: what a client's base URL names.

The HTTP API is the emulator's. The REST API, which streams, is ours: the emulator collects an answer before it passes it
on.
"""

from __future__ import annotations

import base64
import http.client
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from runtime import FunctionError, Runtime


# The route of the REST API, and the API's stage.
STREAMED = "/v1/forward"
STAGE = "live"

_DROPPED = {"content-length", "connection", "transfer-encoding", "server", "date"}


class Edge:
    """``own_port`` is in the address that the stack was told is its own; ``api_path`` is where the emulator has the HTTP
    API."""

    def __init__(self, own_port: int, port: int, api_path: str, streaming: Runtime) -> None:
        self.account_port, self.api_path, self.streaming = port, api_path, streaming
        self._server = _Server(self, own_port)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, edge: Edge, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.edge = edge

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """A client may hang up."""


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
        path = urllib.parse.urlsplit(self.path).path
        if path == STREAMED:
            self._stream(body)
        else:
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        edge = self.server.edge
        connection = http.client.HTTPConnection("127.0.0.1", edge.account_port, timeout=60)
        try:
            connection.request(self.command, edge.api_path + self.path, body, dict(self.headers.items()))
            response = connection.getresponse()
            headers = [header for header in response.getheaders() if header[0].lower() not in _DROPPED]
            self._send(response.status, headers, response.read())
        finally:
            connection.close()

    def _stream(self, body: bytes) -> None:
        try:
            streamed = self.server.edge.streaming.call(self._event(body))
        except FunctionError as error:
            self._send(502, [("Content-Type", "text/plain")], str(error).encode())
            return
        self.send_response(streamed.status)
        for name, value in streamed.headers.items():
            if name.lower() not in _DROPPED:
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for chunk in streamed.chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _event(self, body: bytes) -> dict[str, Any]:
        """https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html"""
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, keep_blank_values=True)
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            headers.setdefault(name, []).append(value)
        now = time.time()
        return {
            "resource": STREAMED,
            "path": STREAMED,
            "httpMethod": self.command,
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": None,
            "stageVariables": None,
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "streaming",
                "domainName": self.headers["host"],
                "extendedRequestId": str(uuid.uuid4()),
                "httpMethod": self.command,
                "identity": {"sourceIp": "127.0.0.1", "userAgent": self.headers.get("user-agent", "")},
                "path": f"/{STAGE}{STREAMED}",
                "protocol": "HTTP/1.1",
                "requestId": str(uuid.uuid4()),
                "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
                "requestTimeEpoch": int(now * 1000),
                "resourceId": "forward",
                "resourcePath": STREAMED,
                "stage": STAGE,
            },
            "body": base64.b64encode(body).decode() if body else None,
            "isBase64Encoded": bool(body),
        }

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        bodiless = status in (204, 304) or self.command == "HEAD"
        if not bodiless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not bodiless:
            self.wfile.write(body)
        self.wfile.flush()
