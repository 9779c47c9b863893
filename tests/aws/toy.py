"""An OAuth provider on loopback with an API behind it: single-use refresh tokens, PKCE, RFC 7009. Its user is signed in and
agrees at once. It remembers what it was asked, and can be down, slow, or told that a token is dead.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import json
import secrets
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CLIENT_ID = "toy-client"
HOLD_SECONDS = 60
DAY = 24 * 3600


@dataclasses.dataclass
class Family:
    """What one consent gave, and what it became: one refresh token is alive at a time."""

    account: str
    access: str = ""
    refresh: str = ""
    # Access tokens that work, and refresh tokens that were used.
    alive: set[str] = dataclasses.field(default_factory=set)
    spent: set[str] = dataclasses.field(default_factory=set)
    ended: bool = False
    generation: int = 0


@dataclasses.dataclass(frozen=True)
class Exchange:
    kind: str
    status: int


class Held:
    """The next token reply waits, after the provider has made the tokens."""

    def __init__(self) -> None:
        self.reached, self.released = threading.Event(), threading.Event()


class Toy:
    def __init__(self) -> None:
        self.client_secret = f"toy-secret/{secrets.token_urlsafe(24)}"
        self.account, self.expires_in = "ada", 3600
        # Whether it answers when it is told that access ends.
        self.down = False
        self.families: list[Family] = []
        self.exchanges: list[Exchange] = []
        # Tokens that it was told to end, and when it was told in vain.
        self.told: list[str] = []
        self.told_in_vain = 0
        self.calls: list[tuple[str, str]] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._held: Held | None = None
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.toy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def url(self, path: str) -> str:
        return f"http://{self.host}{path}"

    def definition(self) -> dict[str, Any]:
        """As the catalogue's entries are written."""
        return {
            "id": "toy",
            "name": "Toy",
            "category": "developer_tools",
            "monogram": "TO",
            "docs_url": "https://example.com/docs",
            "authorization": {"url": self.url("/authorize"), "pkce": "required"},
            "token": {"url": self.url("/token"), "auth": "basic"},
            "scopes": {"known": [{"scope": "notes:read", "description": "read your notes", "default": True}]},
            "refresh": {"kind": "refresh_token", "rotation": "always", "keep": {"seconds": 90 * DAY, "idle": True}},
            "revocation": {"url": self.url("/revoke")},
            "api": {"hosts": [self.host]},
            "account": {"source": {"request": {"url": self.url("/me")}}, "identifier": ["sub"], "display_name": ["name"]},
            "evidence": {"sources": ["a test"], "date": "2026-11", "endpoints": "low", "behaviour": "low"},
        }

    def count(self, kind: str) -> int:
        """Successful exchanges of this kind."""
        with self._lock:
            return sum(exchange == Exchange(kind, 200) for exchange in self.exchanges)

    def mark_dead(self, family: Family) -> None:
        """Its access tokens work no more, before their time; the refresh token does."""
        with self._lock:
            family.alive.clear()

    def used(self, mark: str) -> list[str]:
        """The access tokens that calls with this path brought."""
        with self._lock:
            return [token for path, token in self.calls if mark in path]

    @contextlib.contextmanager
    def holding(self) -> Iterator[Held]:
        held = Held()
        with self._lock:
            self._held = held
        try:
            yield held
        finally:
            held.released.set()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    # What the handlers do.

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes next."""
        assert query["client_id"] == CLIENT_ID and query["response_type"] == "code", query
        assert query["code_challenge_method"] == "S256" and query["state"], query
        code = secrets.token_urlsafe(16)
        with self._lock:
            self._codes[code] = {**query, "account": self.account}
        answer = urllib.parse.urlencode({"code": code, "state": query["state"]})
        return f"{query['redirect_uri']}?{answer}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        client = urllib.parse.unquote(base64.b64decode(authorization.removeprefix("Basic ")).decode())
        if client != f"{CLIENT_ID}:{self.client_secret}":
            return 401, {"error": "invalid_client"}
        with self._lock:
            status, family = self._redeem(form)
            self.exchanges.append(Exchange(form.get("grant_type", ""), status))
            if family is None:
                return status, {"error": "invalid_grant"}
            family.generation += 1
            family.access = f"access-{family.generation}-{secrets.token_urlsafe(24)}"
            family.alive.add(family.access)
            family.refresh = f"refresh-{family.generation}-{secrets.token_urlsafe(24)}"
            answer = {
                "access_token": family.access,
                "refresh_token": family.refresh,
                "token_type": "Bearer",
                "expires_in": self.expires_in,
                "scope": "notes:read",
            }
            held, self._held = self._held, None
        if held is not None:
            held.reached.set()
            held.released.wait(HOLD_SECONDS)
        return status, answer

    def _redeem(self, form: dict[str, str]) -> tuple[int, Family | None]:
        if form["grant_type"] == "authorization_code":
            asked = self._codes.pop(form["code"], None)
            if asked is None or asked["redirect_uri"] != form["redirect_uri"]:
                return 400, None
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            if base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]:
                return 400, None
            family = Family(asked["account"])
            self.families.append(family)
            return 200, family
        sent = form["refresh_token"]
        for family in self.families:
            if sent in family.spent:
                # Used twice: theft, as far as the provider can tell (RFC 9700 section 4.14.2).
                family.ended = True
            if sent == family.refresh and not family.ended:
                family.spent.add(sent)
                return 200, family
        return 400, None

    def revoke(self, form: dict[str, str]) -> int:
        with self._lock:
            if self.down:
                self.told_in_vain += 1
                return 503
            self.told.append(form["token"])
            for family in self.families:
                if form["token"] in (*family.alive, family.refresh, *family.spent):
                    family.ended = True
            return 200

    def owner(self, authorization: str) -> Family | None:
        token = authorization.removeprefix("Bearer ")
        with self._lock:
            return next((one for one in self.families if token in one.alive and not one.ended), None)

    def called(self, path: str, authorization: str) -> None:
        with self._lock:
            self.calls.append((path, authorization.removeprefix("Bearer ")))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    toy: Toy

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """The vault may hang up; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        toy, url = self.server.toy, urllib.parse.urlsplit(self.path)
        authorization = self.headers.get("authorization", "")
        if url.path == "/authorize":
            self._send(302, {}, ("Location", toy.authorize(dict(urllib.parse.parse_qsl(url.query)))))
            return
        family = toy.owner(authorization)
        if url.path != "/me":
            toy.called(url.path, authorization)
        if family is None:
            self._send(401, {"error": "invalid_token"})
        elif url.path == "/me":
            self._send(200, {"sub": f"user-{family.account}", "name": family.account.title()})
        else:
            self._send(200, {"of": family.account, "generation": family.generation})

    def do_POST(self) -> None:
        toy = self.server.toy
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        form = dict(urllib.parse.parse_qsl(body, keep_blank_values=True))
        if self.path == "/token":
            self._send(*toy.token(form, self.headers.get("authorization", "")))
        elif self.path == "/revoke":
            self._send(toy.revoke(form), {})
        else:
            self._send(404, {})

    def _send(self, status: int, document: dict[str, Any], *headers: tuple[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
