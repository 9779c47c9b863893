"""An app with users of its own, by their tokens."""

from __future__ import annotations

import dataclasses
import json
import uuid
from typing import Any

import httpx
from connecting import browsing, register
from idp import Idp
from portal import Tenant, canary
from signing import signed
from toy import Family, Toy
from upstream import Upstream


@dataclasses.dataclass
class Shop:
    base_url: str
    tenant: Tenant
    idp: Idp
    upstream: Upstream

    def send(self, path: str, body: dict[str, Any]) -> httpx.Response:
        content = json.dumps(body).encode()
        headers = signed(self.tenant.key, "POST", path, content)
        return httpx.post(self.base_url + path, headers=headers, content=content, timeout=30)

    def call(self, sub: str, **chosen: str) -> httpx.Response:
        """A call with the user's token."""
        request = {"method": "GET", "url": self.upstream.url("/echo/identity"), "reason": None}
        named = chosen or {"provider_id": self.tenant.provider}
        return self.send("/sdk/proxy", {**request, **named, "user_token": self.idp.token(sub)})

    def refused(self, sub: str) -> str:
        answer = self.call(sub)
        assert answer.status_code == 403, answer.text
        return answer.json()["error"]

    def user(self, sub: str) -> str:
        """Their id; the first token makes them known."""
        resolved = self.send("/sdk/identity/resolve", {"user_token": self.idp.token(sub)})
        assert resolved.status_code == 200, resolved.text
        (found,) = [user for user in self.tenant.users() if user["subject"] == sub]
        return found["user_id"]

    def granted(self, sub: str, count: int = 1) -> tuple[str, list[str]]:
        """Somebody with grants on the tenant's secret, and on others."""
        user_id = self.user(sub)
        principal = {"type": "user", "user_id": user_id}
        grants = [self.tenant.grant(principal, label="Shop")]
        for number in range(1, count):
            secret = self.tenant.add_secret(f"Key {number}", canary())
            grants.append(self.tenant.grant(principal, secret["secret_id"], label="Shop"))
        return user_id, grants

    def connect(self, sub: str, toy: Toy) -> Family:
        """The user's own connection at a provider."""
        register(self.tenant, toy)
        body = {"allowed_providers": ["toy"], "user_token": self.idp.token(sub)}
        opened = self.send("/sdk/oauth/connect/session", body)
        assert opened.status_code == 200, opened.text
        with browsing() as browser:
            done = browser.connect(opened.json()["connect_url"])
        assert done.kind == "done", done.text
        return toy.families[-1]

    def alive(self, user_id: str) -> list[str]:
        grants = self.tenant.call("GET", f"/grants?user_id={user_id}")["items"]
        return [grant["grant_id"] for grant in grants if grant["status"] != "revoked"]


def somebody() -> str:
    return f"auth0|{uuid.uuid4().hex}"
