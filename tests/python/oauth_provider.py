"""A certified OpenID provider with an API behind it (`tests/web/provider.mjs`): rotation and reuse detection
are on, PKCE and `iss` are required. It consents by itself, as the account that it is told."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import urllib.parse
from collections.abc import Iterator
from typing import Any

from node_server import NodeServer
from portal import Tenant

#: Asked for always: who it is.
IDENTITY = ["openid", "profile", "email"]
#: What the app may ask for, and of it what it asks for when a session names nothing.
ALLOWED, DEFAULT = ["notes:read", "notes:write"], ["notes:read"]

_numbers = itertools.count(1)


def account() -> str:
    """Somebody who has never been there."""
    return f"user{next(_numbers)}"


class OAuthProvider(NodeServer):
    def __init__(self, log: pathlib.Path) -> None:
        super().__init__(log, "provider.mjs", "--auto", "alice")
        self.api: str = self.ready["api"]

    @property
    def host(self) -> str:
        return urllib.parse.urlsplit(self.issuer).netloc

    def url(self, path: str) -> str:
        return f"{self.api}{path}"

    def grants_of(self, account: str) -> int:
        """How many authorizations of an account the provider has on record."""
        return self.state()["grants_by_account"].get(account, 0)

    def exchanges(self) -> dict[str, int]:
        """Of refresh tokens so far: ``ok``, and each error with its number."""
        tally = self.state()["exchanges"]["refresh_token"]
        return {"ok": tally["ok"], **tally["errors"]}

    def issued(self) -> dict[str, list[str]]:
        """Every token and code that was ever made here."""
        return self.control("issued")

    def expire_access_tokens(self) -> None:
        self.control("expire-access-tokens", {})

    def revoke_grants(self, account: str) -> int:
        """As the account's owner does in the provider's settings."""
        return self.control("revoke-grant", {"account": account})["revoked"]

    @contextlib.contextmanager
    def outage(self, mode: str, *endpoints: str, **more: Any) -> Iterator[None]:
        """``status``, ``reset`` or ``lost``, at ``token`` or ``revocation``."""
        self.control("outage", {"on": True, "mode": mode, "endpoints": endpoints, **more})
        try:
            yield
        finally:
            self.control("outage", {"on": False})

    @contextlib.contextmanager
    def access_tokens_live(self, seconds: float) -> Iterator[None]:
        self.control("access-token-ttl", {"seconds": seconds})
        try:
            yield
        finally:
            self.control("access-token-ttl", {"seconds": 3600})

    def definition(self, provider_id: str = "notes", **changes: Any) -> dict[str, Any]:
        """The provider as an operator describes it to the vault."""
        return {
            "id": provider_id,
            "name": provider_id.capitalize(),
            "category": "productivity",
            "monogram": provider_id[0].upper(),
            "docs_url": "https://example.com/docs",
            "authorization": {
                "url": f"{self.issuer}/auth",
                "pkce": "required",
                "issuer": self.issuer,
                "iss_required": True,
                "switch_account_params": {"prompt": "login"},
            },
            "token": {"url": f"{self.issuer}/token", "auth": "basic"},
            "scopes": {
                "known": [
                    {"scope": "notes:read", "description": "read your notes", "default": True},
                    {"scope": "notes:write", "description": "change your notes"},
                ],
                "always": IDENTITY,
            },
            "refresh": {"kind": "refresh_token", "rotation": "always", "grace": "none"},
            "revocation": {"url": f"{self.issuer}/token/revocation"},
            "api": {"hosts": [self.host]},
            "account": {
                "source": {"request": {"url": f"{self.issuer}/me"}},
                "identifier": ["sub"],
                "display_name": ["name"],
                "email": ["email"],
            },
            "evidence": {
                "sources": ["https://example.com/docs"],
                "date": "2026-11",
                "endpoints": "low",
                "behaviour": "low",
            },
            **changes,
        }

    def register(self, tenant: Tenant, provider_id: str = "notes", **changes: Any) -> dict[str, Any]:
        """Both sides of a registration: the provider in the vault, the vault at the provider."""
        scopes = {"allowed": ALLOWED, "default": DEFAULT, "required": []}
        registered = tenant.add_provider(
            self.definition(provider_id, **changes),
            client_id=self.client_id,
            client_secret=self.client_secret,
            scopes=scopes,
        )
        self.control("redirect_uris", {"uris": [registered["redirect_uri"]]})
        return registered
