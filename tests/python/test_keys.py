"""Keys: their form, whose they are, and how each that does not work is refused."""

from __future__ import annotations

import time

import anyio
import pytest
from alter_sdk import (
    Agent,
    App,
    BackendError,
    GrantNotFoundError,
    InvalidKeyError,
    KeyExpiredError,
    KeyRevokedError,
    KeyRotationExpiredError,
    RestrictedGrantRequiresProxyError,
    is_valid_key,
)
from portal import dump


def test_every_minted_key_passes_the_clients_own_check(vault, tenant) -> None:
    agent_id = tenant.agent().agent_id
    app_keys = [vault.app_key, tenant.key, *(tenant.mint_key()["api_key"] for _ in range(10))]
    agent_keys = [tenant.mint_key(agent_id=agent_id)["api_key"] for _ in range(10)]
    assert len({*app_keys, *agent_keys}) == 22
    for prefix, length, keys in [("alter_key_app_", 36, app_keys), ("alter_key_agent_", 34, agent_keys)]:
        for key in keys:
            assert is_valid_key(key), key
            assert key.startswith(prefix) and len(key) == len(prefix) + length
    # The check is worth something: it sees a key that lost a character.
    assert not is_valid_key(tenant.key[:-1])


async def test_a_key_is_shown_once(tenant) -> None:
    minted = tenant.mint_key(name="once")
    plain, key_id = minted["api_key"], minted["key"]["key_id"]
    secret_part = plain.removeprefix(minted["key"]["key_prefix"])
    assert len(secret_part) == 24
    seen = [tenant.call("GET", "/keys"), tenant.call("GET", f"/keys/{key_id}"), tenant.audit()]
    assert key_id in dump(seen)
    assert secret_part not in dump(seen)


async def test_the_demos_key_and_grant_work_at_once(vault) -> None:
    async with App(api_key=vault.app_key) as app:
        page = await app.list_grants()
        assert {vault.grant_id, vault.revocable_grant_id} <= {grant.grant_id for grant in page.grants}
        result = await app.proxy_request("GET", vault.upstream_url, grant_id=vault.grant_id)
        assert result.status_code < 500


async def _every_call(app: App | Agent, tenant):  # type: ignore[no-untyped-def]
    """Each route that the client has, by its name."""
    url = f"http://{tenant.upstream_host}/status/200"
    yield "proxy", app.proxy_request("GET", url, grant_id=tenant.grant_id)
    yield "provider", app.proxy_request("GET", url, provider=tenant.provider)
    yield "token", app.request("GET", url, grant_id=tenant.grant_id)
    yield "list", app.list_grants()
    if isinstance(app, App):
        yield "revoke", app.revoke_grant(tenant.grant_id)


def _mistyped(key: str) -> str:
    return key[:-1] + ("A" if key[-1] != "A" else "B")


@pytest.mark.parametrize("unknown", ["mistyped", "never existed", "scoped form"])
async def test_unknown_keys_are_one_answer(tenant, upstream, refused, unknown) -> None:
    key = {
        "mistyped": _mistyped(tenant.key),
        "never existed": "alter_key_app_" + "x" * 36,
        "scoped form": "alter_rk_" + "a" * 22 + "_l77ykl",
    }[unknown]
    before = len(upstream.seen())
    async with tenant.sdk(key) as app:
        async for _, call in _every_call(app, tenant):
            error = await refused(InvalidKeyError, "invalid_key", call)
            assert error.hint and error.message == "The API key is not valid."
    assert len(upstream.seen()) == before


async def test_a_revoked_key_fails_at_once_everywhere(tenant, refused) -> None:
    minted = tenant.mint_key()
    async with tenant.sdk(minted["api_key"]) as app:
        await app.list_grants()
        tenant.revoke_key(minted["key"]["key_id"])
        async for _, call in _every_call(app, tenant):
            error = await refused(KeyRevokedError, "key_revoked", call)
            assert error.hint
    async with tenant.sdk() as app:
        assert (await app.list_grants(status="active")).total == 1, "the refused revoke had no effect"


async def test_an_expired_key_says_so(tenant, refused) -> None:
    soon = time.time() + 1.5
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(soon)) + f".{int(soon % 1 * 1000):03d}Z"
    minted = tenant.mint_key(expires_at=at)
    async with tenant.sdk(minted["api_key"]) as app:
        await app.list_grants()
        await anyio.sleep(max(0.0, soon - time.time()) + 0.01)
        async for _, call in _every_call(app, tenant):
            error = await refused(KeyExpiredError, "key_expired", call)
            assert error.hint


async def test_a_rotated_key_works_in_its_grace_period_and_not_after(tenant, refused) -> None:
    minted = tenant.mint_key()
    rotated = tenant.rotate_key(minted["key"]["key_id"], grace_seconds=3600)
    assert is_valid_key(rotated["api_key"]) and rotated["api_key"] != minted["api_key"]
    for key in (minted["api_key"], rotated["api_key"]):
        async with tenant.sdk(key) as app:
            assert (await app.list_grants()).total == 1
    last = tenant.rotate_key(rotated["key"]["key_id"], grace_seconds=0)
    async with tenant.sdk(rotated["api_key"]) as app:
        async for _, call in _every_call(app, tenant):
            error = await refused(KeyRotationExpiredError, "key_rotated_grace_expired", call)
            assert error.hint
    async with tenant.sdk(last["api_key"]) as app:
        assert (await app.list_grants()).total == 1


async def test_a_keys_state_is_told_to_its_holder_only(tenant, refused) -> None:
    """Who knows the public part of a revoked key and not its secret learns nothing of its state."""
    minted = tenant.mint_key()
    tenant.revoke_key(minted["key"]["key_id"])
    async with tenant.sdk(_mistyped(minted["api_key"])) as app:
        await refused(InvalidKeyError, "invalid_key", app.list_grants())


async def test_one_apps_key_sees_nothing_of_another(portal, upstream, tenant, refused) -> None:
    other = portal.tenant(upstream.host)
    url = upstream.url("/status/200?cross-app")
    async with tenant.sdk() as app:
        assert [grant.grant_id for grant in (await app.list_grants()).grants] == [tenant.grant_id]
        foreign = await refused(
            GrantNotFoundError, "grant_not_found", app.proxy_request("GET", url, grant_id=other.grant_id)
        )
        missing = await refused(
            GrantNotFoundError, "grant_not_found", app.proxy_request("GET", url, grant_id=tenant.app_id)
        )
        assert (foreign.message, foreign.details) == (missing.message, missing.details)
        await refused(GrantNotFoundError, "grant_not_found", app.revoke_grant(other.grant_id))
    async with other.sdk() as app:
        result = await app.proxy_request("GET", upstream.url("/status/200?own"), grant_id=other.grant_id)
        assert result.status_code == 200
    assert upstream.seen("cross-app") == []


@pytest.mark.parametrize("by", ["grant", "provider", "unknown grant"])
async def test_request_is_refused_for_every_grant_and_names_the_way_out(
    tenant, upstream, refused, by
) -> None:
    """Retrieve mode: no route returns credential material (wire protocol 4.2)."""
    named = {
        "grant": {"grant_id": tenant.grant_id},
        "provider": {"provider": tenant.provider},
        "unknown grant": {"grant_id": tenant.app_id},
    }[by]
    code = "restricted_grant_requires_proxy"
    url = upstream.url("/status/200?retrieve")
    async with tenant.sdk() as app:
        error = await refused(
            RestrictedGrantRequiresProxyError, code, app.request("GET", url, reason="try", **named)
        )
        assert "proxy_request" in error.message
        assert isinstance(error, BackendError)
    bot = tenant.agent()
    async with bot.sdk() as agent:
        await refused(RestrictedGrantRequiresProxyError, code, agent.request("GET", url, **named))
    assert upstream.seen("retrieve") == []
