"""The life of a token at a provider that rotates refresh tokens and ends the line when one is used twice."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import anyio
import httpx
import pytest
from alter_sdk import (
    AlterSDKError,
    App,
    BackendError,
    CredentialRevokedError,
    ReAuthRequiredError,
    TokenRefreshInProgressError,
)
from oauth_provider import OAuthProvider, account
from person import POLL, Person, connect_one, visit
from tokens import TOKEN_SECONDS, call, expired, since

CALLS = 100
#: A token younger than this that the API refuses is not exchanged: it would not help (`model/lease.rs`).
YOUNG_SECONDS = 60
#: How long whoever may have sent a refresh token is waited for.
LEASE_SECONDS = 25
#: How long a call may take, whatever goes on behind it.
CALL_SECONDS = 27


async def test_an_expired_token_is_renewed_and_the_pair_rotates(app, connected, provider, clock) -> None:
    who, grant_id = await expired(app, provider, clock)
    before, tokens = provider.exchanges(), provider.issued()
    for _ in range(3):
        reply = await call(app, provider, grant_id)
        assert (reply.status_code, reply.body_json()["sub"]) == (200, who)
    assert since(before, provider.exchanges()) == {"ok": 1}, "the new token is kept"
    rotated = provider.issued()
    assert len(rotated["refresh_tokens"]) == len(tokens["refresh_tokens"]) + 1
    assert (await app.list_grants(provider_id="notes")).grants[0].expires_at is not None
    (row,) = connected.audit("&event=connection.refreshed")
    assert row["outcome"] == "success"


async def test_a_hundred_calls_over_an_expired_token_are_one_exchange(app, connected, provider) -> None:
    """By the provider's clock too: whoever called with the token that is over would be refused."""
    who = account()
    provider.sign_in(who)
    # The provider counts whole seconds: of two, one at least.
    with provider.access_tokens_live(2):
        grant_id = (await connect_one(app)).grant_id
    await anyio.sleep(2.05)
    before, state = provider.exchanges(), provider.state()
    replies = await asyncio.gather(*(call(app, provider, grant_id) for _ in range(CALLS)))
    assert {(reply.status_code, reply.body_json()["sub"]) for reply in replies} == {(200, who)}
    assert since(before, provider.exchanges()) == {"ok": 1}
    after = provider.state()
    assert (after["reuses"], after["races"]) == (state["reuses"], state["races"])
    assert after["api"]["401"] == state["api"]["401"]


async def test_rotation_goes_on_and_on(app, connected, provider, clock) -> None:
    who, grant_id = await expired(app, provider, clock)
    before, state = provider.exchanges(), provider.state()
    for _ in range(5):
        replies = await asyncio.gather(*(call(app, provider, grant_id) for _ in range(10)))
        assert {reply.body_json()["sub"] for reply in replies} == {who}
        clock.forward(TOKEN_SECONDS + 1)
    assert since(before, provider.exchanges()) == {"ok": 5}
    assert provider.grants_of(who) == 1
    after = provider.state()["refresh_tokens"]
    assert after["consumed"] == state["refresh_tokens"]["consumed"] + 5
    assert after["live"] == state["refresh_tokens"]["live"], "one that works, always"


async def test_b063_access_that_was_ended_at_the_provider_is_mended_in_place(
    app, connected, provider, clock, refused
) -> None:
    who, grant_id = await expired(app, provider, clock)
    assert provider.revoke_grants(who) == 1
    before = provider.exchanges()
    for _ in range(2):
        error = await refused(CredentialRevokedError, "credential_revoked", call(app, provider, grant_id))
        assert (error.grant_id, error.provider_id) == (grant_id, "notes")
        assert error.details["status_code"] == 403 and isinstance(error, ReAuthRequiredError)
    assert since(before, provider.exchanges()) == {"invalid_grant": 1}, "a dead token is tried once"
    (item,) = (await app.list_grants(provider_id="notes")).grants
    assert item.needs_reconnect and item.grant_id == grant_id
    assert connected.grant_view(grant_id)["connection"]["needs_reconnect"]

    session = await app.create_connect_session_for_error(error)
    assert session.single_provider
    person = Person()
    provider.sign_in(who)
    page = await anyio.to_thread.run_sync(person.open, session.connect_url)
    assert "Reconnect Notes" in page.text and page.offers("Reconnect", provider="notes")
    await anyio.to_thread.run_sync(person.connect, "notes")
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    assert (result.grant_id, result.operation, result.account_identifier) == (grant_id, "reauth", who)
    reply = await call(app, provider, grant_id)
    assert (reply.status_code, reply.body_json()["sub"]) == (200, who)
    (item,) = (await app.list_grants(provider_id="notes")).grants
    assert not item.needs_reconnect and provider.grants_of(who) == 1


async def test_any_visit_by_the_same_account_mends_and_no_other(app, connected, provider, clock) -> None:
    """A session that asks for no repair: the account tells which connection it is."""
    who, grant_id = await expired(app, provider, clock)
    provider.revoke_grants(who)
    with pytest.raises(CredentialRevokedError):
        await call(app, provider, grant_id)
    provider.sign_in(account())
    other = await connect_one(app)
    assert (other.grant_id == grant_id, other.operation) == (False, "creation")
    with pytest.raises(CredentialRevokedError):
        await call(app, provider, grant_id)
    provider.sign_in(who)
    again = await connect_one(app)
    assert (again.grant_id, again.operation) == (grant_id, "reauth")
    assert (await call(app, provider, grant_id)).body_json()["sub"] == who


async def test_an_error_whose_grant_is_gone_leads_to_a_new_one(
    app, connected, provider, clock, refused
) -> None:
    """The client falls back to an ordinary session when the repair is refused with 404."""
    who, grant_id = await expired(app, provider, clock)
    provider.revoke_grants(who)
    error = await refused(CredentialRevokedError, "credential_revoked", call(app, provider, grant_id))
    await app.revoke_grant(grant_id)
    session = await app.create_connect_session_for_error(error)
    await visit(Person(), session.connect_url, "notes")
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    assert result.operation == "creation" and result.grant_id != grant_id
    assert (await call(app, provider, result.grant_id)).status_code == 200


async def test_a_connection_without_a_refresh_token_lasts_as_long_as_its_token(
    app, connected, provider, clock, refused
) -> None:
    connected.change_provider("notes", definition=provider.definition(refresh={"kind": "none"}))
    who = account()
    provider.sign_in(who)
    grant_id = (await connect_one(app)).grant_id
    before = provider.exchanges()
    assert (await call(app, provider, grant_id)).status_code == 200
    clock.forward(TOKEN_SECONDS + 1)
    error = await refused(CredentialRevokedError, "credential_revoked", call(app, provider, grant_id))
    assert since(before, provider.exchanges()) == {}, "there is nothing to ask with"
    session = await app.create_connect_session_for_error(error)
    await visit(Person(), session.connect_url, "notes")
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    assert (result.grant_id, result.operation) == (grant_id, "reauth")
    assert (await call(app, provider, grant_id)).status_code == 200


@pytest.mark.parametrize("method", ["client_secret_post", "none"])
async def test_a_client_proves_itself_as_the_provider_wants_it(app, tenant, provider, clock, method) -> None:
    """In the form, or not at all: a public client has its proof key only. Exchange, refresh, revocation."""
    client = provider.control(
        "clients", {"client_id": f"vault-{method}", "token_endpoint_auth_method": method}
    )
    auth = {"client_secret_post": "post", "none": "none"}[method]
    definition = provider.definition(token={"url": f"{provider.issuer}/token", "auth": auth})
    secret = {"client_secret": client["client_secret"]} if auth == "post" else {}
    registered = tenant.add_provider(definition, client_id=client["client_id"], **secret)
    uris = {"client_id": client["client_id"], "uris": [registered["redirect_uri"]]}
    provider.control("redirect_uris", uris)
    who, grant_id = await expired(app, provider, clock)
    before = provider.exchanges()
    assert (await call(app, provider, grant_id)).body_json()["sub"] == who
    assert since(before, provider.exchanges()) == {"ok": 1}
    await app.revoke_grant(grant_id)
    with anyio.fail_after(5):
        while provider.grants_of(who):
            await anyio.sleep(0.02)


async def test_a_thief_who_uses_the_refresh_token_first_is_found_out(
    app, connected, provider, clock, refused
) -> None:
    who, grant_id = await expired(app, provider, clock)
    stolen = provider.issued()["refresh_tokens"][-1]
    state = provider.state()
    async with httpx.AsyncClient(auth=(quoted(provider.client_id), quoted(provider.client_secret))) as thief:
        form = {"grant_type": "refresh_token", "refresh_token": stolen}
        theirs = await thief.post(f"{provider.issuer}/token", data=form)
        assert theirs.status_code == 200
    await refused(CredentialRevokedError, "credential_revoked", call(app, provider, grant_id))
    after = provider.state()
    assert after["reuses"] == state["reuses"] + 1
    assert provider.grants_of(who) == 0, "the provider ended the whole line, the thief's part too"


@pytest.mark.parametrize("mode", ["status", "reset"])
async def test_an_outage_at_refresh_breaks_nothing(app, connected, provider, clock, mode) -> None:
    """`status`: the provider says that it is down. With `reset` it is not known whether it did anything;
    where asking again is safe, and here the entry says so, that is done at once."""
    changes = {"refresh": {"kind": "refresh_token", "rotation": "always", "grace": {"seconds": 60}}}
    connected.change_provider("notes", definition=provider.definition(**changes))
    who, grant_id = await expired(app, provider, clock)
    with provider.outage(mode, "token"):
        for _ in range(3):
            begun = time.monotonic()
            with pytest.raises(BackendError) as caught:
                await call(app, provider, grant_id)
            assert caught.value.details["status_code"] in (409, 502, 503, 504), caught.value.details
            assert time.monotonic() - begun < CALL_SECONDS
        (item,) = (await app.list_grants(provider_id="notes")).grants
        assert not item.needs_reconnect
    reply = await call(app, provider, grant_id)
    assert (reply.status_code, reply.body_json()["sub"]) == (200, who)
    assert provider.grants_of(who) == 1


async def test_a_grace_that_the_provider_does_not_keep_ends_in_reconnect(
    app, connected, provider, clock
) -> None:
    """The entry promises what the provider then refuses: the lost pair is gone, and the user is told."""
    changes = {"refresh": {"kind": "refresh_token", "rotation": "always", "grace": {"seconds": 60}}}
    connected.change_provider("notes", definition=provider.definition(**changes))
    _, grant_id = await expired(app, provider, clock)
    with provider.outage("lost", "token", times=1):
        with pytest.raises(AlterSDKError) as caught:
            await call(app, provider, grant_id)
        with pytest.raises(CredentialRevokedError):
            await call(app, provider, grant_id)
    assert type(caught.value) in (CredentialRevokedError, BackendError)
    (item,) = (await app.list_grants(provider_id="notes")).grants
    assert item.needs_reconnect


async def test_a_lost_answer_without_a_grace_is_waited_out_and_says_reconnect(
    app, connected, provider, clock
) -> None:
    """Two requests at a time would look like theft, so the second one waits until the first has surely ended.
    Nothing hangs, and nothing is an internal error."""
    _, lost = await expired(app, provider, clock)
    reset_who, reset = await expired(app, provider, clock)
    with provider.outage("reset", "token", times=1):
        assert await ends(app, provider, reset, rounds=1) is None
    with provider.outage("lost", "token", times=1):
        assert await ends(app, provider, lost, rounds=1) is None

    async def patience() -> None:
        await anyio.sleep(1)
        clock.forward(LEASE_SECONDS + 1)

    before = provider.exchanges()
    with anyio.fail_after(60):
        gone, works, _ = await asyncio.gather(
            ends(app, provider, lost), ends(app, provider, reset), patience()
        )
    assert since(before, provider.exchanges()) == {"ok": 1, "invalid_grant": 1}
    assert isinstance(gone, CredentialRevokedError) and gone.grant_id == lost
    assert works.status_code == 200, "that request had never arrived: its token was good, and was sent again"
    assert works.body_json()["sub"] == reset_who
    items = {
        item.grant_id: item.needs_reconnect for item in (await app.list_grants(provider_id="notes")).grants
    }
    assert items == {lost: True, reset: False}


async def ends(app: App, provider: OAuthProvider, grant_id: str, rounds: int = 20) -> Any:
    """Calls until it is known what became of the connection; `None` if it is not after so many rounds."""
    for _ in range(rounds):
        begun = time.monotonic()
        try:
            return await call(app, provider, grant_id)
        except CredentialRevokedError as error:
            return error
        except (TokenRefreshInProgressError, BackendError) as error:
            assert error.details["status_code"] in (409, 502, 503, 504), error.details
        finally:
            assert time.monotonic() - begun < CALL_SECONDS
    return None


async def test_a_token_that_the_api_refuses_is_renewed_once_for_all_who_call(
    app, connected, provider, clock
) -> None:
    """The provider has forgotten it before its time; only its answer tells."""
    who = account()
    provider.sign_in(who)
    grant_id = (await connect_one(app)).grant_id
    clock.forward(YOUNG_SECONDS + 1)
    assert (await call(app, provider, grant_id)).status_code == 200
    before, state = provider.exchanges(), provider.state()
    provider.expire_access_tokens()
    replies = await asyncio.gather(*(call(app, provider, grant_id) for _ in range(CALLS)))
    assert {(reply.status_code, reply.body_json()["sub"]) for reply in replies} == {(200, who)}
    assert since(before, provider.exchanges()) == {"ok": 1}
    after = provider.state()
    assert (after["reuses"], after["races"]) == (state["reuses"], state["races"])


async def test_a_token_that_the_api_refuses_at_once_is_not_renewed_over_and_over(
    app, connected, provider
) -> None:
    """The API's answer is passed on: a newer token would not please it more."""
    provider.sign_in(account())
    grant_id = (await connect_one(app)).grant_id
    provider.expire_access_tokens()
    before = provider.exchanges()
    for _ in range(3):
        reply = await call(app, provider, grant_id)
        assert reply.status_code == 401 and reply.credential_hint
    assert since(before, provider.exchanges()) == {}


async def test_access_that_was_ended_at_the_provider_is_noticed_by_a_call(
    app, connected, provider, clock, refused
) -> None:
    """That call gets the API's own answer and what it means; from then on nothing is sent any more."""
    who = account()
    provider.sign_in(who)
    grant_id = (await connect_one(app)).grant_id
    clock.forward(YOUNG_SECONDS + 1)
    assert provider.revoke_grants(who) == 1
    reply = await call(app, provider, grant_id)
    assert reply.status_code == 401 and "Connecting again renews it" in reply.credential_hint
    calls = provider.state()["api"]
    error = await refused(CredentialRevokedError, "credential_revoked", call(app, provider, grant_id))
    assert (error.grant_id, error.provider_id) == (grant_id, "notes")
    assert provider.state()["api"] == calls


async def test_a_refresh_token_that_idles_out_is_used_in_time(app, connected, provider, clock) -> None:
    refresh = {"kind": "refresh_token", "rotation": "always", "keep": {"seconds": 7200, "idle": True}}
    connected.change_provider("notes", definition=provider.definition(refresh=refresh))
    who = account()
    provider.sign_in(who)
    grant_id = (await connect_one(app)).grant_id
    before = provider.exchanges()
    clock.forward(7000)
    with anyio.fail_after(10):
        while since(before, provider.exchanges()) != {"ok": 1}:
            await anyio.sleep(0.05)
    assert (await call(app, provider, grant_id)).status_code == 200
    assert since(before, provider.exchanges()) == {"ok": 1}, "by nobody's call"


async def test_a_user_who_reconnects_while_a_refresh_is_under_way_keeps_access(
    app, connected, provider, clock
) -> None:
    who, grant_id = await expired(app, provider, clock)
    provider.control("delay", {"ms": 500, "when": "after"})
    try:
        first, result = await asyncio.gather(call(app, provider, grant_id), connect_one(app))
    finally:
        provider.control("delay", {"ms": 0, "when": "after"})
    assert (first.status_code, result.grant_id, result.operation) == (200, grant_id, "reauth")
    for _ in range(3):
        clock.forward(TOKEN_SECONDS + 1)
        reply = await call(app, provider, grant_id)
        assert (reply.status_code, reply.body_json()["sub"]) == (200, who)
    (item,) = (await app.list_grants(provider_id="notes")).grants
    assert not item.needs_reconnect


def quoted(text: str) -> str:
    """As RFC 6749 section 2.3.1 has it, before id and secret are joined."""
    return str(httpx.QueryParams({"v": text}))[2:]
