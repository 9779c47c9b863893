"""`connect()` as a program on somebody's own machine calls it, and the visit that it leads to."""

from __future__ import annotations

import datetime
import time
import uuid
import webbrowser

import anyio
import pytest
from alter_sdk import (
    AgentDelegationMissingError,
    BackendError,
    ConnectConfigError,
    ConnectDeniedError,
    ConnectFlowError,
    ConnectTimeoutError,
    GrantNotFoundError,
)

from oauth_provider import IDENTITY, account
from person import POLL, Person, connect_one, visit


async def test_it_opens_the_browser_and_returns_what_was_connected(
    app, connected, provider, desktop, capsys
) -> None:
    who = account()
    provider.sign_in(who)
    machine = desktop(lambda url: Person().visit(url, "notes"))
    (result,) = await app.connect(providers=["notes"], **POLL)
    assert (result.provider_id, result.account_identifier, result.operation) == ("notes", who, "creation")
    assert str(uuid.UUID(result.grant_id)) == result.grant_id
    assert set(result.scopes) == {*IDENTITY, "notes:read"}, "what was granted, not what could have been"
    assert (result.failed_grants, result.delegation, result.grant_policy) == ([], None, None)
    assert len(machine.opened) == 1 and capsys.readouterr().out == ""
    assert provider.grants_of(who) == 1
    # The grant works at once.
    reply = await app.proxy_request("GET", provider.url("/list"), grant_id=result.grant_id)
    assert reply.body_json()["sub"] == who


async def test_the_page_says_who_asks_for_what(app, connected, provider) -> None:
    provider.sign_in(account())
    person = Person()
    session = await app.create_connect_session(
        allowed_providers=["notes"], required_scopes={"notes": ["notes:read", "notes:write"]}
    )
    page = await anyio.to_thread.run_sync(person.open, session.connect_url)
    assert page.status == 200
    name = connected.call("GET", "")["name"]
    assert f"Connect Notes to {name}" in page.text
    assert "read your notes" in page.text and "change your notes" in page.text
    assert "password" in page.text


@pytest.mark.parametrize("opens", [True, False])
async def test_without_a_browser_it_prints_where_to_go(
    app, connected, provider, monkeypatch, capsys, opens
) -> None:
    """Asked for, and on a machine that has none."""
    who = account()
    provider.sign_in(who)
    monkeypatch.setattr(webbrowser, "_tryorder", [])
    monkeypatch.setattr(webbrowser, "_browsers", {})
    results: list = []

    async def call() -> None:
        results.extend(await app.connect(providers=["notes"], open_browser=opens, **POLL))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        with anyio.fail_after(10):
            while not (printed := capsys.readouterr().out):
                await anyio.sleep(0.01)
        text, url = printed.rstrip("\n").rsplit(" ", 1)
        assert text == "Open this URL to authorize:"
        await visit(Person(), url, "notes")
    assert [result.account_identifier for result in results] == [who]


async def test_several_providers_give_a_result_each(app, connected, provider, desktop) -> None:
    provider.register(connected, "calendar")
    who = account()
    provider.sign_in(who)
    desktop(lambda url: Person().visit(url, "notes", "calendar"))
    results = await app.connect(**POLL)
    assert {result.provider_id for result in results} == {"notes", "calendar"}
    assert len({result.grant_id for result in results}) == 2
    assert provider.grants_of(who) == 2
    for result in results:
        reply = await app.proxy_request("GET", provider.url("/list"), grant_id=result.grant_id)
        assert reply.body_json()["sub"] == who


async def test_a_direct_session_goes_straight_to_the_provider(app, connected, provider, desktop) -> None:
    provider.sign_in(account())
    person = Person()
    desktop(person.visit)
    (result,) = await app.connect(providers=["notes"], direct=True, **POLL)
    assert result.provider_id == "notes"
    first, *_ = person.pages
    assert [button.text for button in first.buttons] == []
    assert not any(page.offers("Connect") or page.offers("Done") for page in person.pages)


async def test_the_term_that_the_app_sets_is_the_grants(app, connected, provider, desktop) -> None:
    provider.sign_in(account())
    desktop(lambda url: Person().visit(url, "notes"))
    begun = time.time()
    (result,) = await app.connect(
        providers=["notes"], grant_policy={"max_ttl_seconds": 3600}, allow_user_policy_rules=False, **POLL
    )
    assert result.grant_policy is not None
    ends = datetime.datetime.fromisoformat(result.grant_policy.expires_at).timestamp()
    assert 3590 < ends - begun < 3620
    (item,) = (await app.list_grants(provider_id="notes")).grants
    assert item.grant_id == result.grant_id and item.grant_expires_at is not None
    assert item.grant_policy["max_ttl_seconds"] == 3600


async def test_b059_a_no_at_the_provider_is_a_denial_and_no_grant(app, connected, provider, desktop) -> None:
    who = account()
    provider.sign_in(who, deny=True)
    person = Person()
    desktop(lambda url: person.visit(url, "notes"))
    with pytest.raises(ConnectDeniedError) as caught:
        await app.connect(providers=["notes"], **POLL)
    assert caught.value.details["error_code"] == "connect_denied"
    assert isinstance(caught.value, ConnectFlowError) and len(caught.value.message) > 10
    assert "Nothing was connected" in person.page.text
    assert provider.grants_of(who) == 0
    assert (await app.list_grants(provider_id="notes")).total == 0


async def test_a_no_on_our_page_is_a_denial_too(app, connected, provider, desktop) -> None:
    def walk(url: str) -> None:
        person = Person()
        person.open(url)
        person.cancel()

    desktop(walk)
    with pytest.raises(ConnectDeniedError):
        await app.connect(providers=["notes"], **POLL)
    assert (await app.list_grants(provider_id="notes")).total == 0


async def test_b064_nobody_at_the_browser_is_a_timeout(app, connected, provider, capsys) -> None:
    begun = time.monotonic()
    with pytest.raises(ConnectTimeoutError) as caught:
        await app.connect(providers=["notes"], open_browser=False, timeout=1, poll_interval=0.05)
    assert caught.value.details == {"timeout": 1, "reason": "poll_deadline_elapsed"}
    assert 0.9 < time.monotonic() - begun < 5
    # The session goes on without the program that asked for it.
    who = account()
    provider.sign_in(who)
    url = capsys.readouterr().out.split()[-1]
    await visit(Person(), url, "notes")
    (result,) = await app.poll_connect_session(url.partition("#session=")[2], **POLL)
    assert result.account_identifier == who


async def test_a_registration_that_the_provider_refuses_is_the_operators_to_mend(
    app, connected, provider
) -> None:
    who = account()
    provider.sign_in(who)
    connected.call("PUT", "/providers/notes/client-secret", {"client_secret": "not-the-secret"})
    person = Person()
    session = await app.create_connect_session(allowed_providers=["notes"])
    await visit(person, session.connect_url, "notes")
    assert "registration" in person.page.text and person.page.offers("Try", provider="notes")
    # Mended while the user looks at the page.
    connected.call("PUT", "/providers/notes/client-secret", {"client_secret": provider.client_secret})
    await anyio.to_thread.run_sync(person.connect, "notes")
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    assert result.account_identifier == who


@pytest.mark.parametrize("way", ["wrong secret", "disabled meanwhile"])
async def test_a_setup_that_stays_wrong_is_a_config_error(app, connected, provider, way) -> None:
    provider.sign_in(account())
    person = Person()
    session = await app.create_connect_session(allowed_providers=["notes"])
    await anyio.to_thread.run_sync(person.open, session.connect_url)
    if way == "disabled meanwhile":
        connected.switch_provider("notes", on=False)
        code = "provider_configuration_unavailable"
    else:
        connected.call("PUT", "/providers/notes/client-secret", {"client_secret": "not-the-secret"})
        code = "invalid_client"
    await anyio.to_thread.run_sync(person.connect, "notes")
    await anyio.to_thread.run_sync(person.cancel)
    with pytest.raises(ConnectConfigError) as caught:
        await app.poll_connect_session(session.session_token, **POLL)
    assert caught.value.details["error_code"] == code
    assert (await app.list_grants(provider_id="notes")).total == 0


@pytest.mark.parametrize("mode", ["status", "reset", "lost"])
async def test_a_provider_that_is_down_can_be_tried_again(app, connected, provider, mode) -> None:
    who = account()
    provider.sign_in(who)
    person = Person()
    session = await app.create_connect_session(allowed_providers=["notes"])
    with provider.outage(mode, "token"):
        await visit(person, session.connect_url, "notes")
    assert "Try again" in person.page.text and person.page.status == 200
    await anyio.to_thread.run_sync(person.connect, "notes")
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    assert (result.account_identifier, result.operation) == (who, "creation")
    assert len((await app.list_grants(provider_id="notes")).grants) == 1


async def test_connecting_the_same_account_again_renews_what_is_there(app, connected, provider) -> None:
    who = account()
    provider.sign_in(who)
    first = await connect_one(app)
    second = await connect_one(app)
    assert (second.grant_id, second.operation) == (first.grant_id, "reauth")
    assert (await app.list_grants(provider_id="notes")).total == 1
    provider.sign_in(account())
    other = await connect_one(app, switch_account=True)
    assert (other.grant_id == first.grant_id, other.operation) == (False, "creation")


async def test_b062_after_a_revoke_connecting_makes_a_new_grant(app, connected, provider) -> None:
    provider.sign_in(account())
    first = await connect_one(app)
    await app.revoke_grant(first.grant_id)
    second = await connect_one(app)
    assert second.grant_id != first.grant_id and second.operation == "creation"
    reply = await app.proxy_request("GET", provider.url("/list"), grant_id=second.grant_id)
    assert reply.status_code == 200


async def test_an_agents_own_key_connects_nothing(app, connected, provider, refused) -> None:
    """Nothing is an agent's without a user's consent, and the app's own is not for it to renew."""
    provider.sign_in(account())
    mine = await connect_one(app)
    async with connected.agent().sdk() as agent:
        call = agent.create_connect_session(allowed_providers=["notes"])
        await refused(BackendError, "repair_grant_id_required", call)
        call = agent.create_connect_session(allowed_providers=["notes"], repair_grant_id=mine.grant_id)
        await refused(GrantNotFoundError, "grant_not_found", call)
        call = agent.proxy_request("GET", provider.url("/list"), grant_id=mine.grant_id)
        await refused(AgentDelegationMissingError, "grant_not_found", call)


async def test_two_visits_in_one_browser_do_not_get_in_each_others_way(app, connected, provider) -> None:
    provider.register(connected, "calendar")
    names = ["notes", "calendar"]
    sessions = [await app.create_connect_session(allowed_providers=[name]) for name in names]
    person = Person()

    def walk() -> None:
        pages = [person.open(session.connect_url) for session in sessions]
        for page, name in zip(pages, names, strict=True):
            provider.sign_in(f"{name}-user")
            person.submit(page.button("Connect", provider=name))

    await anyio.to_thread.run_sync(walk)
    for session, name in zip(sessions, names, strict=True):
        (result,) = await app.poll_connect_session(session.session_token, **POLL)
        assert (result.provider_id, result.account_identifier) == (name, f"{name}-user")
