"""A certified OpenID provider as an app's identity provider (`tests/web/identity-provider.mjs`): its tokens are
made and signed by the library, such as are wrong are signed by its keys."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

from node_server import NodeServer
from portal import Tenant

_numbers = itertools.count(1)


class IdentityProvider(NodeServer):
    def __init__(self, log: pathlib.Path) -> None:
        super().__init__(log, "identity-provider.mjs")
        #: What the access tokens of the app's own client are for.
        self.resource: str = self.ready["resource"]

    def person(self, **profile: Any) -> str:
        """Somebody who has never been there, with an account: `groups`, `roles`, `name`, `email`."""
        sub = f"person{next(_numbers)}"
        self.change(sub, **profile)
        return sub

    def change(self, sub: str, **profile: Any) -> None:
        self.control("account", {"account": sub, **profile})

    def delete(self, sub: str) -> None:
        self.control("account", {"account": sub, "deleted": True})

    def token(self, sub: str, kind: str = "id", **about: Any) -> str:
        """An ID token of the app's client; `kind="access"`: an access token for its API (RFC 9068)."""
        return self.control("token", {"kind": kind, "account": sub, **about})["token"]

    def forged(self, sub: str, **about: Any) -> str:
        """`header` and `claims` replace what a good one has (`None` removes); `stranger`: by a key of somebody else's."""
        return self.control("token", {"kind": "forged", "account": sub, **about})["token"]

    def fetches(self) -> int:
        """How often its keys were asked for."""
        return self.state()["requests"].get("/jwks", 0)

    @contextlib.contextmanager
    def fault(self, at: str, mode: str, ms: int = 0) -> Iterator[None]:
        self.control("fault", {"at": at, "mode": mode, "ms": ms})
        try:
            yield
        finally:
            self.control("fault", {"at": at})

    def register(self, tenant: Tenant, **fields: Any) -> dict[str, Any]:
        """Both sides: the provider in the vault, the vault at the provider."""
        claims = {"groups": "groups", "roles": "roles"}
        body = {"issuer": self.issuer, "claims": claims, **fields}
        added = tenant.call("POST", "/identity-provider", body)
        client = {"client_id": self.client_id, "client_secret": self.client_secret}
        tenant.call("PUT", "/identity-provider/client", client)
        uris = [added["sdk_redirect_uri"], added["wallet_redirect_uri"]]
        self.control("client", {"client_id": self.client_id, "redirect_uris": uris})
        return added
