"""An identity provider on loopback: discovery, one key, tokens for whomever a test names, sign-in, and its webhooks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from portal import Tenant

LIFETIME_SECONDS = 600
# The vault's own client, for sign-in.
CLIENT_ID = "vault"


class Idp:
    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.kid = secrets.token_hex(8)
        self.client_secret = secrets.token_hex(16)
        # Who is signed in here, in whatever browser comes.
        self.person, self.groups = "", list[str]()
        # Where browsers may be sent back to: what an operator copied from the portal.
        self.redirect_uris, self.logout_uri = list[str](), ""
        # What was asked for, by the code that it was answered with.
        self._asked: dict[str, dict[str, str]] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.idp = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def register(self, tenant: Tenant) -> dict[str, Any]:
        return tenant.call("POST", "/identity-provider", {"issuer": self.issuer, "claims": {"groups": "groups"}})

    def register_client(self, tenant: Tenant) -> None:
        client = {"client_id": CLIENT_ID, "client_secret": self.client_secret}
        shown = tenant.call("PUT", "/identity-provider/client", client)
        self.redirect_uris = [shown["sdk_redirect_uri"], shown["wallet_redirect_uri"]]
        self.logout_uri = shown["wallet_logout_uri"]

    def enable(self, tenant: Tenant, kind: str, **given: Any) -> dict[str, Any]:
        """A webhook of the app's, with the address and what proves its deliveries."""
        return tenant.call("PUT", f"/identity-provider/webhooks/{kind}", given)

    def token(self, sub: str, *groups: str, **claims: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": sub, "aud": "shop", "iat": now, "exp": now + LIFETIME_SECONDS, "groups": groups, **claims}
        header = {"alg": "ES256", "typ": "JWT", "kid": self.kid}
        signed = ".".join(_text(json.dumps(part).encode()) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{_text(r.to_bytes(32) + s.to_bytes(32))}"

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes: back, with a code."""
        assert asked["redirect_uri"] in self.redirect_uris, asked
        code = secrets.token_hex(16)
        self._asked[code] = {**asked, "sub": self.person}
        return f"{asked['redirect_uri']}?{urllib.parse.urlencode({'code': code, 'state': asked['state']})}"

    def exchange(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Tokens for a code, once, for who has the client's secret and made the request (RFC 7636)."""
        asked = self._asked.pop(form.get("code", ""), None)
        wanted = base64.b64encode(f"{CLIENT_ID}:{self.client_secret}".encode()).decode()
        challenge = _text(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or authorization != f"Basic {wanted}" or asked.get("code_challenge") != challenge:
            return None
        if form.get("redirect_uri") != asked["redirect_uri"] or asked["client_id"] != CLIENT_ID:
            return None
        token = self.token(asked["sub"], *self.groups, aud=CLIENT_ID, nonce=asked["nonce"])
        return {"access_token": secrets.token_hex(16), "token_type": "Bearer", "expires_in": LIFETIME_SECONDS, "id_token": token}

    def documents(self) -> dict[str, Any]:
        """What is published, by path."""
        point = self._key.public_key().public_numbers()
        x, y = (_text(number.to_bytes(32)) for number in (point.x, point.y))
        key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid, "x": x, "y": y}
        return {
            "/.well-known/openid-configuration": {
                "issuer": self.issuer,
                "jwks_uri": f"{self.issuer}/jwks",
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "end_session_endpoint": f"{self.issuer}/end-session",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            },
            "/jwks": {"keys": [key]},
        }


def auth0(url: str, token: str, kind: str, sub: str) -> httpx.Response:
    """A log stream's delivery: `sdu` deleted, `ublkdu` and the like as Auth0 names them."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    log = {"log_id": uuid.uuid4().hex, "data": {"date": now, "type": kind, "user_id": sub, "log_id": uuid.uuid4().hex}}
    return httpx.post(url, json=[log], headers={"Authorization": token}, timeout=30)


def clerk(url: str, secret: str, kind: str, **data: Any) -> httpx.Response:
    """A delivery through Svix, signed as Standard Webhooks has it."""
    name, now = f"msg_{uuid.uuid4().hex}", int(time.time())
    body = json.dumps({"type": kind, "object": "event", "timestamp": now * 1000, "data": data})
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{name}.{now}.{body}".encode(), hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    headers = {"svix-id": name, "svix-timestamp": str(now), "svix-signature": signature, "content-type": "application/json"}
    return httpx.post(url, content=body, headers=headers, timeout=30)


def fresh_clerk_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    idp: Idp

    def handle_error(self, request, client_address) -> None:  # type: ignore[no-untyped-def]
        """The vault may hang up; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        given = dict(urllib.parse.parse_qsl(address.query))
        match address.path:
            case "/authorize":
                self._go(self.server.idp.authorize(given))
            case "/end-session":
                assert given["post_logout_redirect_uri"] == self.server.idp.logout_uri, given
                self.server.idp.person = ""
                self._go(f"{given['post_logout_redirect_uri']}?{urllib.parse.urlencode({'state': given['state']})}")
            case path:
                self._say(self.server.idp.documents().get(path), 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        self._say(self.server.idp.exchange(form, self.headers.get("authorization", "")), 400)

    def _go(self, address: str) -> None:
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _say(self, document: dict[str, Any] | None, otherwise: int) -> None:
        body = json.dumps(document or {"error": "invalid_request"}).encode()
        self.send_response(otherwise if document is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
