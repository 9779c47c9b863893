"""Calls through connections, and tokens whose time is over."""

from __future__ import annotations

from typing import Any

from alter_sdk import App
from clock import Clock
from oauth_provider import OAuthProvider, account
from person import connect_one

#: The life of the provider's access tokens.
TOKEN_SECONDS = 3600


async def call(app: App, provider: OAuthProvider, grant_id: str) -> Any:
    return await app.proxy_request("GET", provider.url("/x"), grant_id=grant_id)


async def expired(app: App, provider: OAuthProvider, clock: Clock) -> tuple[str, str]:
    """Connects somebody whose access token has ended since: account and grant."""
    who = account()
    provider.sign_in(who)
    result = await connect_one(app)
    clock.forward(TOKEN_SECONDS + 1)
    return who, result.grant_id


def since(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    """What has been added to a tally."""
    return {
        name: number - before.get(name, 0) for name, number in now.items() if number != before.get(name, 0)
    }
