"""Connect sessions that run out of time."""

from __future__ import annotations

import anyio
import pytest
from alter_sdk import ConnectFlowError, ConnectTimeoutError
from oauth_provider import account
from person import POLL, Person, visit

#: A session's life, and how long after that its result is kept.
SESSION_SECONDS, RESULT_SECONDS = 600, 3600


async def test_b052_a_session_that_expires_while_it_is_polled_is_a_timeout(
    app, connected, provider, clock
) -> None:
    provider.register(connected, "calendar")
    session = await app.create_connect_session(allowed_providers=["notes", "calendar"])
    person = Person()
    await anyio.to_thread.run_sync(person.open, session.connect_url)
    await anyio.to_thread.run_sync(person.decline, "calendar")

    def on_event(_: object) -> None:
        clock.forward(SESSION_SECONDS + 1)

    with pytest.raises(ConnectTimeoutError) as caught:
        await app.poll_connect_session(session.session_token, on_event=on_event, **POLL)
    assert caught.value.details == {
        "timeout": POLL["timeout"],
        "reason": "session_expired",
        "declined_providers": ["calendar"],
    }
    page = await anyio.to_thread.run_sync(person.connect, "notes")
    assert page.status == 410 and "10 minutes" in page.text and not page.buttons
    assert (await app.list_grants(provider_id="notes")).total == 0


async def test_a_link_that_is_opened_too_late_leads_nowhere(app, connected, provider, clock) -> None:
    session = await app.create_connect_session(allowed_providers=["notes"])
    clock.forward(SESSION_SECONDS + 1)
    page = await anyio.to_thread.run_sync(Person().open, session.connect_url)
    assert page.status == 410 and "10 minutes" in page.text and not page.buttons
    with pytest.raises(ConnectFlowError) as caught:
        await app.poll_connect_session(session.session_token, **POLL)
    assert not isinstance(caught.value, ConnectTimeoutError)


async def test_a_user_who_takes_too_long_at_the_provider_connects_nothing(
    app, connected, provider, clock
) -> None:
    who = account()
    provider.sign_in(who)
    session = await app.create_connect_session(allowed_providers=["notes"])
    person = Person()

    def walk() -> None:
        page = person.open(session.connect_url)
        leaving = person.submit(page.button("Connect"), onward=False)
        clock.forward(SESSION_SECONDS + 1)
        person.open(leaving.onward)

    before = provider.state()["exchanges"]["authorization_code"]
    await anyio.to_thread.run_sync(walk)
    assert person.page.status in (400, 410) and not person.page.buttons
    assert provider.state()["exchanges"]["authorization_code"] == before, "the code is not even sent"
    assert (await app.list_grants(provider_id="notes")).total == 0


async def test_a_result_outlives_its_session_for_a_while(app, connected, provider, clock) -> None:
    provider.sign_in(account())
    session = await app.create_connect_session(allowed_providers=["notes"])
    await visit(Person(), session.connect_url, "notes")
    (first,) = await app.poll_connect_session(session.session_token, **POLL)
    clock.forward(SESSION_SECONDS + 1)
    (again,) = await app.poll_connect_session(session.session_token, **POLL)
    assert again.grant_id == first.grant_id
    clock.forward(RESULT_SECONDS)
    with pytest.raises(ConnectFlowError):
        await app.poll_connect_session(session.session_token, **POLL)
    assert (await app.list_grants(provider_id="notes")).total == 1
