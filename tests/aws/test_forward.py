"""`/v1/forward` streams: pieces arrive while the provider is still sending, past what an answer in one piece may hold."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from portal import Tenant
from signing import signed
from upstream import binary

PIECE_SECONDS = 20
LARGE = 24 << 20


class Slow(ThreadingHTTPServer):
    """A provider that sends a piece when the test says so."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pieces: queue.Queue[bytes] = queue.Queue()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def close(self) -> None:
        self.pieces.put(b"")
        self.shutdown()
        self.server_close()
        self._thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    server: Slow
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := self.server.pieces.get(timeout=PIECE_SECONDS):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def slow() -> Iterator[Slow]:
    slow = Slow()
    try:
        yield slow
    finally:
        slow.close()


def request(base_url: str, tenant: Tenant, url: str, method: str = "GET", body: bytes = b"") -> dict:
    headers = signed(tenant.key, method, "/v1/forward", body, target=url, grant=tenant.grant_id)
    return {"method": method, "url": f"{base_url}/v1/forward", "headers": headers, "content": body, "timeout": 60}


def test_pieces_arrive_while_the_provider_goes_on(base_url, portal, slow) -> None:
    tenant = portal.tenant(slow.host)
    call = request(base_url, tenant, f"http://{slow.host}/events")
    slow.pieces.put(b"data: 1\n\n")
    with httpx.stream(**call) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["alter-call-id"] and "alter-error" not in answer.headers
        pieces = answer.iter_raw()
        seen = b""
        for number in (1, 2, 3):
            expected = b"data: %d\n\n" % number
            while not seen.endswith(expected):
                seen += next(pieces)
            # Only now is the next piece sent: whoever collected the answer would wait for ever.
            slow.pieces.put(b"data: %d\n\n" % (number + 1) if number < 3 else b"")
        assert b"".join(pieces) == b""
    assert seen == b"data: 1\n\ndata: 2\n\ndata: 3\n\n"


def test_more_than_an_answer_in_one_piece_may_hold(account, base_url, tenant, upstream) -> None:
    digest, length = hashlib.sha256(), 0
    with httpx.stream(**request(base_url, tenant, upstream.url(f"/bytes/{LARGE}"))) as answer:
        assert answer.status_code == 200
        for piece in answer.iter_raw():
            digest.update(piece)
            length += len(piece)
    assert length == LARGE and digest.digest() == hashlib.sha256(binary(LARGE)).digest()
    (row,) = [row for row in account.rows(tenant, 3) if row["grant_id"] and row["outcome"] != "started"][:1]
    assert row["outcome"] == "success"


def test_a_body_that_is_not_text_arrives_as_it_was(base_url, tenant, upstream) -> None:
    body = bytes(range(256)) * 64
    call = request(base_url, tenant, upstream.url("/echo/forward-body"), "POST", body)
    assert httpx.request(**call).status_code == 200
    assert upstream.only("forward-body").body == body


def test_a_request_that_is_not_signed_is_refused(base_url, tenant, upstream) -> None:
    call = request(base_url, tenant, upstream.url("/echo/unsigned"))
    call["headers"]["Alter-Reason"] = "added on the way"
    answer = httpx.request(**call)
    assert (answer.status_code, answer.headers["alter-error"]) == (401, "invalid_signature")
    assert upstream.seen("unsigned") == []
