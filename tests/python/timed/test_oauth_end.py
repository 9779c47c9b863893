"""A connection ends: at the provider too, whatever is under way there."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from alter_sdk import AlterSDKError, BackendError, GrantRevokedError
from oauth_provider import account
from person import connect_one
from tokens import call, expired, since


@pytest.mark.parametrize("mode", ["status", "reset", "lost"])
async def test_a_provider_that_is_down_is_told_of_a_revoke_when_it_is_back(
    app, connected, provider, refused, mode
) -> None:
    who = account()
    provider.sign_in(who)
    result = await connect_one(app)

    def receipt() -> dict[str, str]:
        return connected.grant_view(result.grant_id)["connection"]["provider_revocation"]

    with provider.outage(mode, "revocation"):
        down = provider.state()["outages"][mode]
        assert (await app.revoke_grant(result.grant_id)).success
        await refused(GrantRevokedError, "grant_revoked", call(app, provider, result.grant_id))
        with anyio.fail_after(5):
            while provider.state()["outages"][mode] == down:
                await anyio.sleep(0.02)
        assert receipt()["status"] == "pending"
        usage = connected.call("GET", "/providers/notes")["usage"]
        assert usage["pending_revocations"] == 1
    with anyio.fail_after(20):
        while (told := receipt())["status"] == "pending":
            await anyio.sleep(0.05)
    assert told["status"] == "revoked" and told["at"] and told["reason"] is None
    assert provider.grants_of(who) == 0
    assert connected.call("GET", "/providers/notes")["usage"]["pending_revocations"] == 0


async def test_a_provider_that_cannot_be_told_is_no_failure(app, connected, provider) -> None:
    definition = provider.definition()
    del definition["revocation"]
    connected.change_provider("notes", definition=definition)
    provider.sign_in(account())
    result = await connect_one(app)
    await app.revoke_grant(result.grant_id)
    with anyio.fail_after(5):
        while (
            connected.grant_view(result.grant_id)["connection"]["provider_revocation"]["status"] == "pending"
        ):
            await anyio.sleep(0.02)
    assert (
        connected.grant_view(result.grant_id)["connection"]["provider_revocation"]["status"]
        == "not_supported"
    )


async def test_a_revoke_cuts_cleanly_among_calls_that_need_a_new_token(
    app, connected, provider, clock
) -> None:
    """No call that begins after the revoke was answered is let through, whatever a refresh does meanwhile."""
    who, grant_id = await expired(app, provider, clock)
    revoked = asyncio.Event()
    answers: list[tuple[bool, str]] = []

    async def caller() -> None:
        while len(answers) < 2000:
            after = revoked.is_set()
            try:
                await call(app, provider, grant_id)
                answers.append((after, "answered"))
            except GrantRevokedError:
                answers.append((after, "refused"))
                return

    async def revoker() -> None:
        while len(answers) < 30:
            await asyncio.sleep(0)
        await app.revoke_grant(grant_id)
        revoked.set()

    await asyncio.gather(revoker(), *(caller() for _ in range(16)))
    assert (True, "answered") not in answers
    assert sum(answer == "refused" for _, answer in answers) == 16
    with anyio.fail_after(10):
        while provider.grants_of(who):
            await anyio.sleep(0.02)


async def test_a_pair_that_comes_after_the_revoke_is_ended_too(app, connected, provider, clock) -> None:
    """The answer to a refresh is on its way when the grant is revoked: nobody is left with what it brings."""
    who, grant_id = await expired(app, provider, clock)
    before = provider.exchanges()
    provider.control("delay", {"ms": 1500, "when": "after"})
    try:
        async with anyio.create_task_group() as tasks:
            outcome: list[BaseException | None] = []

            async def late() -> None:
                try:
                    await call(app, provider, grant_id)
                    outcome.append(None)
                except AlterSDKError as error:
                    outcome.append(error)

            tasks.start_soon(late)
            with anyio.fail_after(10):
                while since(before, provider.exchanges()) != {"ok": 1}:
                    await anyio.sleep(0.01)
            # The provider has made the new pair; the vault does not have it yet.
            assert (await app.revoke_grant(grant_id)).success
    finally:
        provider.control("delay", {"ms": 0, "when": "after"})
    (error,) = outcome
    assert isinstance(error, GrantRevokedError), error
    with anyio.fail_after(10):
        while provider.grants_of(who):
            await anyio.sleep(0.02)


async def test_a_registration_goes_when_the_provider_knows_of_the_end(
    app, connected, provider, refused
) -> None:
    who = account()
    provider.sign_in(who)
    grant_id = (await connect_one(app)).grant_id

    def remove(query: str = "") -> tuple[int, str]:
        response = connected.portal.send("DELETE", f"/apps/{connected.app_id}/providers/notes{query}")
        return response.status_code, response.json().get("error")

    assert remove() == (409, "provider_in_use")
    with provider.outage("status", "revocation"):
        assert remove("?force=true") == (409, "revocations_pending")
        await refused(GrantRevokedError, "grant_revoked", call(app, provider, grant_id))
        assert remove() == (409, "revocations_pending"), "its secret is still needed"
    with anyio.fail_after(20):
        while remove() != (200, None):
            await anyio.sleep(0.1)
    assert provider.grants_of(who) == 0
    await refused(GrantRevokedError, "grant_revoked", call(app, provider, grant_id))
    call_by_name = app.create_connect_session(allowed_providers=["notes"])
    await refused(BackendError, "provider_not_configured", call_by_name)
