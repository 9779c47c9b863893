"""Users of an app, as its identity provider knows them and as the vault does."""

from __future__ import annotations

import dataclasses
from typing import Any

import anyio
from alter_sdk import App
from alter_sdk.models import ConnectResult
from identity_provider import IdentityProvider
from oauth_provider import OAuthProvider, account
from person import POLL, Person, visit


@dataclasses.dataclass(frozen=True)
class User:
    sub: str
    token: str
    user_id: str

    @property
    def principal(self) -> dict[str, str]:
        return {"type": "user", "user_id": self.user_id}


async def known(app: App, idp: IdentityProvider, **profile: Any) -> User:
    """Somebody whom the vault has seen once."""
    sub = idp.person(**profile)
    token = idp.token(sub)
    identity = await app.resolve_identity(user_token=token)
    assert identity.app_user_id
    return User(sub, token, identity.app_user_id)


async def connect_own(
    app: App, provider: OAuthProvider, token: str, who: str | None = None, **options: Any
) -> ConnectResult:
    """The user connects an account at the provider, for themselves."""
    provider.sign_in(who or account())
    session = await app.create_connect_session(allowed_providers=["notes"], user_token=token, **options)
    await visit(Person(), session.connect_url, "notes")
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    return result


async def until_gone(app: App, provider: OAuthProvider, who: str) -> None:
    """Waits until the provider has nothing of the account on record."""
    with anyio.fail_after(10):
        while provider.grants_of(who):
            await anyio.sleep(0.02)
