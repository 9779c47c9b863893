"""Calls through what users connected: by grant, by provider, listed, revoked."""

from __future__ import annotations

import datetime
import time
import uuid
from typing import Any

import anyio
import pytest
from alter_sdk import (
    BackendError,
    BlockedDestinationError,
    ConnectDeniedError,
    GrantExpiredError,
    GrantNotFoundError,
    GrantRevokedError,
    NoDelegatedGrantError,
    OAuthGrantItem,
    PolicyViolationError,
    RestrictedGrantRequiresProxyError,
)
from oauth_provider import IDENTITY, account
from person import POLL, Person, connect, connect_one, visit


async def test_a_call_reaches_the_api_as_the_user_and_with_what_was_granted(app, connected, provider) -> None:
    who = account()
    provider.sign_in(who)
    result = await connect_one(app, required_scopes={"notes": ["notes:read", "notes:write"]})
    reply = await app.proxy_request("GET", provider.url("/notes/1"), grant_id=result.grant_id)
    assert (reply.status_code, reply.body_truncated) == (200, False)
    told = reply.body_json()
    assert (told["sub"], told["path"]) == (who, "/api/notes/1")
    assert set(told["scope"].split()) == {*IDENTITY, "notes:read", "notes:write"}
    reply = await app.proxy_request(
        "POST", provider.url("/notes"), grant_id=result.grant_id, json={"text": "hello"}, reason="a note"
    )
    assert reply.status_code == 200
    rows = [row for row in connected.audit("&event=call") if row["grant_id"] == result.grant_id]
    assert [row["reason"] for row in rows].count("a note") == 1
    assert {(row["outcome"], row["status"]) for row in rows} == {("success", 200)}


async def test_what_was_not_granted_the_provider_refuses_and_the_app_is_told_so(
    app, connected, provider
) -> None:
    provider.sign_in(account())
    result = await connect_one(app)
    reply = await app.proxy_request("POST", provider.url("/notes"), grant_id=result.grant_id, json={})
    assert (reply.status_code, reply.body_json()["error"]) == (403, "insufficient_scope")


async def test_a_token_goes_to_its_providers_api_and_nowhere_else(app, connected, provider, upstream) -> None:
    provider.sign_in(account())
    result = await connect_one(app)
    for url in (
        upstream.url(f"/echo/{connected.app_id}"),
        "https://example.com/",
        provider.issuer.replace("127.0.0.1", "localhost") + "/api/x",
        provider.issuer.replace("http://", "http://me@") + "/api/x",
    ):
        call = app.proxy_request("GET", url, grant_id=result.grant_id)
        with pytest.raises(BlockedDestinationError):
            await call
    assert upstream.seen(connected.app_id) == []


async def test_the_raw_token_is_never_handed_out(app, connected, provider, refused) -> None:
    provider.sign_in(account())
    result = await connect_one(app)
    for call in (
        app.request("GET", provider.url("/x"), grant_id=result.grant_id),
        app.request("GET", provider.url("/x"), provider="notes"),
    ):
        error = await refused(RestrictedGrantRequiresProxyError, "restricted_grant_requires_proxy", call)
        assert error.details["status_code"] == 400


async def test_b088_what_is_the_apps_own_is_called_by_its_grant_id(app, connected, provider, refused) -> None:
    """By provider, grants of people are found. The error is good for a session all the same."""
    who = account()
    provider.sign_in(who)
    made = []
    for _ in range(2):
        call = app.proxy_request("GET", provider.url("/x"), provider="notes", account=who)
        error = await refused(GrantNotFoundError, "grant_not_found", call)
        assert error.provider_id == "notes"
        session = await app.create_connect_session_for_error(error)
        await visit(Person(), session.connect_url, "notes")
        made += await app.poll_connect_session(session.session_token, **POLL)
    first, second = made
    assert (first.operation, second.operation) == ("creation", "reauth")
    assert first.grant_id == second.grant_id
    call = app.proxy_request("GET", provider.url("/x"), provider="calendar")
    error = await refused(GrantNotFoundError, "grant_not_found", call)
    assert error.provider_id == "calendar"


async def test_b068_an_agent_with_nothing_needs_its_users_consent(app, connected, provider, refused) -> None:
    """The error names agent and provider, and the session for it needs the user's token."""
    provider.sign_in(account())
    await connect_one(app)
    bot = connected.agent()
    async with bot.sdk() as agent:
        call = agent.proxy_request("GET", provider.url("/x"), provider="notes")
        error = await refused(NoDelegatedGrantError, "no_delegated_grant", call)
        assert (error.provider_id, error.agent_id) == ("notes", bot.agent_id)
        call = agent.create_connect_session_for_error(error)
        await refused(BackendError, "agent_requires_user_token", call)


async def test_an_item_says_what_was_connected(app, connected, provider) -> None:
    who = account()
    provider.sign_in(who)
    before = datetime.datetime.now(datetime.UTC)
    result = await connect_one(
        app, requested_grant={"label": "Anna's – ü"}, grant_policy={"max_ttl_seconds": 7200}
    )
    page = await app.list_grants(provider_id="notes")
    (item,) = page.grants
    assert type(item) is OAuthGrantItem
    assert (item.grant_id, item.grant_kind, item.provider_id) == (result.grant_id, "oauth", "notes")
    assert (item.status, item.principal_type, item.access_via) == ("active", "system", "ownership")
    assert set(item.scopes) == {*IDENTITY, "notes:read"}
    assert (item.account_identifier, item.account_display_name) == (who, who.capitalize())
    assert item.label == "Anna's – ü" and str(uuid.UUID(item.credential_id)) == item.credential_id
    assert item.api_base_url is None, "http is no origin that the client would take"
    ends = datetime.datetime.fromisoformat(item.expires_at)
    assert abs((ends - before).total_seconds() - 3600) < 30, "when the token ends"
    ends = datetime.datetime.fromisoformat(item.grant_expires_at)
    assert abs((ends - before).total_seconds() - 7200) < 30, "when the grant ends"
    assert datetime.datetime.fromisoformat(item.created_at) >= before - datetime.timedelta(seconds=1)
    assert (item.scope_mismatch, item.needs_reconnect, item.delegable) == (False, False, False)
    assert (item.depth, item.parent_grant_id, item.delegated_at, item.scope_constraint) == (
        0,
        None,
        None,
        None,
    )
    assert item.delegated_agent_ids == [] and item.grant_policy["max_ttl_seconds"] == 7200
    assert item.last_used_at is None
    await app.proxy_request("GET", provider.url("/x"), grant_id=result.grant_id)
    with anyio.fail_after(5):
        while not (item := (await app.list_grants(provider_id="notes")).grants[0]).last_used_at:
            await anyio.sleep(0.02)
    assert item.last_used_at > item.created_at


async def test_filters_find_what_was_connected(app, connected, provider) -> None:
    provider.register(connected, "calendar")
    anna, bert = account(), account()
    provider.sign_in(anna)
    notes, calendar = await connect(app, "notes", "calendar")
    labelled = await connect_one(app, requested_grant={"label": "payroll"})
    provider.sign_in(bert)
    berts = await connect_one(app)
    await app.revoke_grant(berts.grant_id)

    async def ids(**filters: str) -> set[str]:
        page = await app.list_grants(**filters)
        assert page.total == len(page.grants)
        return {grant.grant_id for grant in page.grants}

    mine = {notes.grant_id, labelled.grant_id}
    assert await ids() == {*mine, calendar.grant_id, berts.grant_id, connected.grant_id}
    assert await ids(provider_id="notes") == {*mine, berts.grant_id}
    assert await ids(provider_id="calendar") == {calendar.grant_id}
    assert await ids(account=anna) == {*mine, calendar.grant_id}
    assert await ids(account=anna, provider_id="notes") == mine
    assert await ids(account=anna, label="payroll") == {labelled.grant_id}
    assert await ids(account=bert, status="active") == set()
    assert await ids(account=bert, status="revoked") == {berts.grant_id}
    assert await ids(provider_id="notes", status="active") == mine
    assert await ids(account=anna.upper()) == set()


async def test_b003_revoke_then_use_and_the_provider_knows(app, connected, provider, refused) -> None:
    who = account()
    provider.sign_in(who)
    result = await connect_one(app)
    call = app.proxy_request("GET", provider.url("/x"), grant_id=result.grant_id)
    assert (await call).status_code == 200
    assert provider.grants_of(who) == 1
    calls = provider.state()["api"]
    revoked = await app.revoke_grant(result.grant_id, reason="left the team")
    answered = time.monotonic()
    assert revoked.success and revoked.grant_id == result.grant_id
    call = app.proxy_request("GET", provider.url("/x"), grant_id=result.grant_id)
    error = await refused(GrantRevokedError, "grant_revoked", call)
    assert error.grant_id == result.grant_id and error.details["status_code"] == 403
    while provider.grants_of(who):
        assert time.monotonic() - answered < 1, "told within a second"
        await anyio.sleep(0.01)
    assert provider.state()["api"] == calls, "the refused call did not reach the API"
    with anyio.fail_after(5):
        while (connection := connected.grant_view(result.grant_id)["connection"])["provider_revocation"][
            "status"
        ] == "pending":
            await anyio.sleep(0.02)
    assert connection["provider_revocation"]["status"] == "revoked"
    assert connection["provider_revocation"]["at"]
    await refused(GrantNotFoundError, "grant_not_found", app.revoke_grant(result.grant_id))
    (row,) = connected.audit("&event=grant.revoked")
    assert (row["outcome"], row["grant_id"]) == ("success", result.grant_id)
    (row,) = connected.audit("&event=connection.revoked_at_provider")
    assert row["outcome"] == "success"


async def test_siblings_share_a_connection_that_ends_with_the_last(app, connected, provider, refused) -> None:
    who = account()
    provider.sign_in(who)
    plain = await connect_one(app)
    payroll = await connect_one(app, requested_grant={"label": "payroll"})
    # Connecting again gave a second authorization at the provider; how many it keeps is its own affair.
    await app.revoke_grant(plain.grant_id)
    call = app.proxy_request("GET", provider.url("/x"), grant_id=plain.grant_id)
    await refused(GrantRevokedError, "grant_revoked", call)
    reply = await app.proxy_request("GET", provider.url("/x"), grant_id=payroll.grant_id)
    assert reply.status_code == 200
    assert connected.grant_view(plain.grant_id)["connection"]["provider_revocation"] is None
    await app.revoke_grant(payroll.grant_id)
    with anyio.fail_after(5):
        while (
            connected.grant_view(payroll.grant_id)["connection"]["provider_revocation"]["status"] != "revoked"
        ):
            await anyio.sleep(0.02)


async def test_a_grant_that_is_over_is_over(app, connected, provider, refused) -> None:
    provider.sign_in(account())
    result = await connect_one(app, grant_policy={"max_ttl_seconds": 1})
    ends = datetime.datetime.fromisoformat(result.grant_policy.expires_at)
    await anyio.sleep(max(0, (ends - datetime.datetime.now(datetime.UTC)).total_seconds()) + 0.01)
    call = app.proxy_request("GET", provider.url("/x"), grant_id=result.grant_id)
    error = await refused(GrantExpiredError, "grant_expired", call)
    assert error.provider_id == "notes"
    (item,) = (await app.list_grants(provider_id="notes")).grants
    assert item.status == "expired"


async def test_a_provider_that_is_switched_off_stops_the_next_call(app, connected, provider, refused) -> None:
    provider.sign_in(account())
    result = await connect_one(app)
    connected.switch_provider("notes", on=False)
    call = app.proxy_request("GET", provider.url("/x"), grant_id=result.grant_id)
    error = await refused(PolicyViolationError, "provider_disabled", call)
    assert error.policy_error == "provider_disabled"
    connected.switch_provider("notes", on=True)
    reply = await app.proxy_request("GET", provider.url("/x"), grant_id=result.grant_id)
    assert reply.status_code == 200


async def test_a_scope_that_is_required_later_is_flagged_until_the_user_connects_again(
    app, connected, provider
) -> None:
    provider.sign_in(account())
    result = await connect_one(app)
    scopes = {
        "allowed": ["notes:read", "notes:write"],
        "default": ["notes:read"],
        "required": ["notes:write"],
    }
    changed = connected.change_provider("notes", scopes=scopes)
    assert changed["usage"]["scope_mismatches"] == 1
    (item,) = (await app.list_grants(provider_id="notes")).grants
    assert item.scope_mismatch and item.status == "active"
    assert connected.grant_view(result.grant_id)["connection"]["missing_scopes"] == ["notes:write"]
    reply = await app.proxy_request("GET", provider.url("/x"), grant_id=result.grant_id)
    assert reply.status_code == 200, "what was granted goes on working"
    again = await connect_one(app)
    assert (again.grant_id, again.operation) == (result.grant_id, "reauth")
    (item,) = (await app.list_grants(provider_id="notes")).grants
    assert not item.scope_mismatch and "notes:write" in item.scopes


async def test_another_apps_connections_do_not_exist(
    app, connected, provider, portal, upstream, refused
) -> None:
    provider.sign_in(account())
    mine = await connect_one(app)
    other = portal.tenant(upstream.host)
    provider.register(other)
    async with other.sdk() as stranger:
        call = stranger.proxy_request("GET", provider.url("/x"), grant_id=mine.grant_id)
        await refused(GrantNotFoundError, "grant_not_found", call)
        await refused(GrantNotFoundError, "grant_not_found", stranger.revoke_grant(mine.grant_id))
        assert (await stranger.list_grants(provider_id="notes")).total == 0
        theirs = await connect_one(stranger)
        assert theirs.operation == "creation" and theirs.grant_id != mine.grant_id
    reply = await app.proxy_request("GET", provider.url("/x"), grant_id=mine.grant_id)
    assert reply.status_code == 200


async def test_the_record_tells_the_story(app, connected, provider) -> None:
    who = account()
    provider.sign_in(who, deny=True)
    with pytest.raises(ConnectDeniedError):
        await connect_one(app)
    provider.sign_in(who)
    result = await connect_one(app)
    await connect_one(app)
    await app.proxy_request("GET", provider.url("/x"), grant_id=result.grant_id, reason="look")
    await app.revoke_grant(result.grant_id, reason="enough")
    wanted = [
        "connect_session.created",
        "connect.declined",
        "connect_session.created",
        "grant.created",
        "connect_session.created",
        "connection.renewed",
        "call",
        "grant.revoked",
        "connection.revoked_at_provider",
    ]

    def story() -> list[dict[str, Any]]:
        mine = (None, result.grant_id)
        rows = [row for row in connected.audit() if row["event"] in wanted and row["grant_id"] in mine]
        return rows[::-1]

    with anyio.fail_after(10):
        while len(story()) < len(wanted):
            await anyio.sleep(0.05)
    rows = story()
    assert [row["event"] for row in rows] == wanted
    assert {row["outcome"] for row in rows} == {"success"}
    by_event = {row["event"]: row for row in rows}
    assert by_event["grant.created"]["detail"]["account"] == who
    assert by_event["grant.created"]["surface"] == "connect"
    assert by_event["grant.revoked"]["detail"]["reason"] == "enough"
    assert by_event["connect.declined"]["detail"]["code"] == "access_denied"
