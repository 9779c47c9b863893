"""`poll_connect_session`: every answer that it can get; and repairs in place."""

from __future__ import annotations

import datetime
import uuid

import anyio
import pytest
from alter_sdk import ConnectDeniedError, ConnectFlowError, GrantNotFoundError

from oauth_provider import IDENTITY, account
from person import POLL, Person, connect_one, raw_poll, visit


async def test_a_poll_tells_how_it_stands(app, several, provider) -> None:
    who = account()
    provider.sign_in(who)
    session = await app.create_connect_session(allowed_providers=["notes", "calendar", "photos"])
    token = session.session_token
    pending = {"status": "pending", "declined_providers": []}
    assert await raw_poll(app, token) == pending
    person = Person()
    await anyio.to_thread.run_sync(person.open, session.connect_url)
    assert await raw_poll(app, token) == pending
    await anyio.to_thread.run_sync(person.decline, "calendar")
    state = await raw_poll(app, token)
    (declined,) = state["declined_providers"]
    assert state["status"] == "pending" and declined["provider_id"] == "calendar"
    assert declined["error_code"] and datetime.datetime.fromisoformat(declined["declined_at"])
    await anyio.to_thread.run_sync(person.connect, "notes")
    assert (await raw_poll(app, token))["status"] == "pending", "the user is not done"
    with provider.outage("status", "token"):
        await anyio.to_thread.run_sync(person.connect, "photos")
    await anyio.to_thread.run_sync(person.done)
    state = await raw_poll(app, token)
    assert state["status"] == "completed"
    (grant,) = state["grants"]
    assert (grant["provider_id"], grant["account_identifier"], grant["operation"]) == (
        "notes",
        who,
        "creation",
    )
    assert set(grant["scopes"]) == {*IDENTITY, "notes:read"} and "grant_policy" not in grant
    (failed,) = state["failed_grants"]
    assert (failed["provider_id"], failed["reason"]) == ("photos", "provider_unavailable") and failed[
        "message"
    ]
    # And it stays so, for as many as ask.
    for _ in range(3):
        (result,) = await app.poll_connect_session(token, **POLL)
        assert result.grant_id == grant["grant_id"]
        assert [f.provider_id for f in result.failed_grants] == ["photos"]
    assert await raw_poll(app, token) == state


async def test_a_decline_among_several_is_told_while_the_user_goes_on(app, several, provider) -> None:
    provider.sign_in(account())
    session = await app.create_connect_session(allowed_providers=["notes", "calendar"])
    person = Person()
    await anyio.to_thread.run_sync(person.open, session.connect_url)
    await anyio.to_thread.run_sync(person.decline, "notes")
    events: list[dict[str, str]] = []
    told = anyio.Event()

    def on_event(event: dict[str, str]) -> None:
        events.append(event)
        told.set()

    results: list = []

    async def poll() -> None:
        results.extend(await app.poll_connect_session(session.session_token, on_event=on_event, **POLL))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(poll)
        with anyio.fail_after(10):
            await told.wait()
        await anyio.to_thread.run_sync(person.connect, "calendar")
        # A change of mind is possible until the end.
        await anyio.to_thread.run_sync(person.connect, "notes")
    (event,) = events
    assert (event["type"], event["provider_id"]) == ("provider_declined", "notes")
    assert event["error_code"] and event["declined_at"]
    assert {result.provider_id for result in results} == {"notes", "calendar"}


async def test_all_declined_is_a_denial(app, several) -> None:
    session = await app.create_connect_session(allowed_providers=["notes", "calendar"])

    def walk() -> None:
        person = Person()
        person.open(session.connect_url)
        person.decline("notes")
        person.decline("calendar")
        person.cancel()

    await anyio.to_thread.run_sync(walk)
    with pytest.raises(ConnectDeniedError) as caught:
        await app.poll_connect_session(session.session_token, **POLL)
    assert caught.value.details == {"error_code": "connect_denied"}
    state = await raw_poll(app, session.session_token)
    assert state["status"] == "error" and set(state["error"]) == {"error_code", "error_message"}


async def test_a_provider_that_stayed_down_is_a_failure_with_its_code(app, connected, provider) -> None:
    session = await app.create_connect_session(allowed_providers=["notes"], direct=True)
    with provider.outage("status", "token"):
        page = await visit(Person(), session.connect_url)
    assert page.data["page"] == "done"
    with pytest.raises(ConnectFlowError) as caught:
        await app.poll_connect_session(session.session_token, **POLL)
    assert type(caught.value) is ConnectFlowError
    assert caught.value.details["error_code"] == "provider_unavailable"


async def test_a_token_that_is_no_sessions_of_this_app_is_expired(
    app, connected, provider, portal, upstream
) -> None:
    session = await app.create_connect_session(allowed_providers=["notes"])
    token = session.session_token
    other = portal.tenant(upstream.host)
    tampered = token[:-1] + ("A" if token[-1] != "A" else "B")
    for key, unknown in [(connected.key, tampered), (connected.key, "sess_nothing"), (other.key, token)]:
        async with connected.sdk(key) as stranger:
            assert await raw_poll(stranger, unknown) == {"status": "expired"}
            with pytest.raises(ConnectFlowError, match="expired or was not found"):
                await stranger.poll_connect_session(unknown, **POLL)
    assert (await raw_poll(app, token))["status"] == "pending"


async def test_a_repair_needs_a_grant_that_can_be_repaired(
    app, connected, provider, portal, upstream, refused
) -> None:
    provider.register(connected, "calendar")
    provider.sign_in(account())
    mine = await connect_one(app)

    async def repair(grant_id: str, provider_id: str = "notes") -> None:
        call = app.create_connect_session(allowed_providers=[provider_id], repair_grant_id=grant_id)
        await refused(GrantNotFoundError, "grant_not_found", call)

    await repair(str(uuid.uuid4()))
    await repair(mine.grant_id, "calendar")
    await repair(connected.grant_id)
    other = portal.tenant(upstream.host)
    provider.register(other)
    async with other.sdk() as stranger:
        call = stranger.create_connect_session(allowed_providers=["notes"], repair_grant_id=mine.grant_id)
        await refused(GrantNotFoundError, "grant_not_found", call)
    await app.revoke_grant(mine.grant_id)
    await repair(mine.grant_id)


async def test_a_repair_by_another_account_changes_nothing(app, connected, provider) -> None:
    who = account()
    provider.sign_in(who)
    mine = await connect_one(app)
    session = await app.create_connect_session(allowed_providers=["notes"], repair_grant_id=mine.grant_id)
    person = Person()
    other = account()
    provider.sign_in(other)
    await visit(person, session.connect_url, "notes")
    assert "another account" in person.page.text
    with anyio.fail_after(5):
        while provider.grants_of(other):
            await anyio.sleep(0.02)
    assert (await raw_poll(app, session.session_token))["status"] == "pending"
    provider.sign_in(who)
    await anyio.to_thread.run_sync(person.connect, "notes")
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    assert (result.grant_id, result.operation) == (mine.grant_id, "reauth")
