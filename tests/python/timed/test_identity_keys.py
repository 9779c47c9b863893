"""The keys of an identity provider change, or cannot be had, while time passes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import anyio
import pytest
from alter_sdk import App, BackendError, ReAuthRequiredError
from identity_provider import IdentityProvider

#: How long keys are used before they are fetched again, how long while that fails, and how seldom an unknown key or a
#: failure has them fetched again (`oidc/keys.rs`).
FRESH_SECONDS, STALE_SECONDS, REST_SECONDS = 600, 3600, 10


def long(idp: IdentityProvider, sub: str) -> str:
    """A token for as long as such a test takes, by the clock that the vault goes by."""
    now = int(time.time())
    return idp.forged(sub, claims={"iat": now, "exp": now + 3 * STALE_SECONDS})


class Calls:
    """Calls of one user; a call says the status, or the vault's code."""

    def __init__(self, app: App, url: str, provider: str, sub: str) -> None:
        self.app, self.url, self.provider, self.sub = app, url, provider, sub

    async def __call__(self, token: str) -> int | str:
        try:
            reply = await self.app.proxy_request(
                "GET", self.url, provider=self.provider, user_token=token
            )
        except (ReAuthRequiredError, BackendError) as error:
            return error.details["error"]
        return reply.status_code


@pytest.fixture
async def call(identified, upstream, idp, clock) -> AsyncIterator[Calls]:
    """With keys that are due to be fetched."""
    clock.forward(FRESH_SECONDS + 1)
    sub = idp.person()
    async with identified.sdk() as app:
        user_id = (await app.resolve_identity(user_token=long(idp, sub))).app_user_id
        identified.grant({"type": "user", "user_id": user_id}, label="own")
        clock.forward(FRESH_SECONDS + 1)
        yield Calls(app, upstream.url("/empty"), identified.provider, sub)


async def test_b071_a_new_key_counts_at_once_and_a_withdrawn_one_soon_no_more(call, idp, clock) -> None:
    old = long(idp, call.sub)
    assert await call(old) == 200
    idp.control("rotate", {})
    clock.forward(REST_SECONDS + 1)
    before = idp.fetches()
    assert await call(long(idp, call.sub)) == 200
    assert await call(old) == 200, "its key is published still"
    assert idp.fetches() == before + 1

    idp.control("retire", {})
    assert await call(old) == 200, "the keys are ten minutes old at most"
    clock.forward(FRESH_SECONDS + 1)
    assert await call(old) == "jwt_validation_error"
    assert await call(long(idp, call.sub)) == 200
    assert idp.fetches() <= before + 3


async def test_tokens_with_unknown_keys_do_not_have_the_keys_fetched_each_time(call, idp, clock) -> None:
    good = long(idp, call.sub)
    assert await call(good) == 200
    before = idp.fetches()
    for number in range(20):
        assert await call(idp.forged(call.sub, header={"kid": f"made-up-{number}"})) == "jwt_validation_error"
    assert idp.fetches() <= before + 1
    assert await call(good) == 200


@pytest.mark.parametrize("mode", ["status", "reset", "html", "huge", "empty", "redirect"])
async def test_keys_that_cannot_be_had_do_not_open_the_vault(call, idp, clock, mode) -> None:
    """The last ones count for an hour, then calls with a token are refused until there are keys again."""
    good = long(idp, call.sub)
    assert await call(good) == 200
    with idp.fault("jwks", mode):
        clock.forward(FRESH_SECONDS + 1)
        assert await call(good) == 200
        assert await call(idp.forged(call.sub, stranger=True)) == "jwt_validation_error"
        clock.forward(STALE_SECONDS)
        assert await call(good) == "identity_provider_unavailable"
        assert await call(idp.forged(call.sub, stranger=True)) == "identity_provider_unavailable"
    clock.forward(REST_SECONDS + 1)
    with anyio.fail_after(5):
        while await call(good) != 200:
            await anyio.sleep(0.02)


async def test_keys_that_come_slowly_hold_nobody_up(call, idp, clock) -> None:
    good = long(idp, call.sub)
    assert await call(good) == 200
    with idp.fault("jwks", "slow", ms=1500):
        clock.forward(FRESH_SECONDS + 1)
        # One fetches; whoever comes meanwhile is answered with what is at hand, or waits for the same fetch.
        before = idp.fetches()
        async with anyio.create_task_group() as group:
            with anyio.fail_after(6):
                for _ in range(20):
                    group.start_soon(call, good)
        assert idp.fetches() == before + 1
    assert await call(good) == 200
