"""What the Connect page lets nobody do, and what it asks of the provider."""

from __future__ import annotations

import urllib.parse

import anyio

from oauth_provider import account
from person import POLL, Person, raw_poll, visit


def asked(person: Person) -> dict[str, str]:
    """The parameters of the last authorization request."""
    (*_, url) = [hop.url for hop in person.hops if urllib.parse.urlsplit(hop.url).path == "/auth"]
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


async def test_the_authorization_request_is_as_the_standards_want_it(app, connected, provider) -> None:
    provider.sign_in(account())
    person = Person()
    session = await app.create_connect_session(allowed_providers=["notes"])
    await visit(person, session.connect_url, "notes")
    sent = asked(person)
    assert (sent["response_type"], sent["code_challenge_method"]) == ("code", "S256")
    assert len(sent["code_challenge"]) == 43 and len(sent["state"]) >= 43
    assert sent["redirect_uri"] == connected.call("GET", "/providers/notes")["redirect_uri"]
    assert "prompt" not in sent
    session = await app.create_connect_session(allowed_providers=["notes"], switch_account=True)
    await visit(person, session.connect_url, "notes")
    again = asked(person)
    assert again["prompt"] == "login"
    assert not {sent[name] for name in ("state", "code_challenge")} & set(again.values())


async def test_b053_a_link_is_for_one_browser_and_for_one_visit(app, connected, provider) -> None:
    provider.sign_in(account())
    session = await app.create_connect_session(allowed_providers=["notes"])
    person, thief = Person(), Person()
    await anyio.to_thread.run_sync(person.open, session.connect_url)
    page = await anyio.to_thread.run_sync(thief.open, session.connect_url)
    assert page.status == 403 and not page.buttons
    # Not with the address of the page either, nor with the redirect that was meant for the other one.
    page = await anyio.to_thread.run_sync(thief.open, person.page.url)
    assert page.status == 403 and not page.buttons
    await anyio.to_thread.run_sync(person.connect, "notes")
    for browser in (person, thief):
        page = await anyio.to_thread.run_sync(browser.open, session.connect_url)
        assert not page.buttons
    assert person.page.status == 200 and person.page.data["page"] == "done"
    assert thief.page.status in (403, 410)
    assert (await app.list_grants(provider_id="notes")).total == 1


async def test_b060_a_redirect_works_once_and_only_in_its_browser(app, connected, provider) -> None:
    provider.sign_in(account())
    session = await app.create_connect_session(allowed_providers=["notes"])
    person = Person()
    await visit(person, session.connect_url, "notes")
    (callback,) = [hop.url for hop in person.hops if "/sdk/oauth/callback/" in hop.url]
    before = provider.state()["exchanges"]["authorization_code"]
    for browser, change in [
        (person, ("", "")),
        (Person(), ("", "")),
        (person, ("state=", "state=x")),
        (person, ("/notes?", "/calendar?")),
        (person, ("code=", "kode=")),
        (person, ("iss=", "iss=https%3A%2F%2Fevil.example&was=")),
    ]:
        page = await anyio.to_thread.run_sync(
            browser.open, callback.replace(*change) if change[0] else callback
        )
        assert page.status in (400, 403) and not page.buttons
    assert provider.state()["exchanges"]["authorization_code"] == before, "no code was sent anywhere"
    (item,) = (await app.list_grants(provider_id="notes")).grants
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    assert result.grant_id == item.grant_id


async def test_a_form_of_another_visit_does_nothing(app, connected, provider) -> None:
    sessions = [await app.create_connect_session(allowed_providers=["notes"]) for _ in range(2)]
    person = Person()
    first = await anyio.to_thread.run_sync(person.open, sessions[0].connect_url)
    second = await anyio.to_thread.run_sync(person.open, sessions[1].connect_url)
    token = dict(first.button("Connect").fields)["form_token"]
    for text in ("Connect", "Cancel"):
        button = second.button(text)
        for forged in (token, "", "x"):
            page = await anyio.to_thread.run_sync(lambda b=button, t=forged: person.submit(b, form_token=t))
            assert page.status == 403
    for session in sessions:
        assert (await raw_poll(app, session.session_token))["status"] == "pending"


async def test_every_page_keeps_to_itself(app, connected, provider) -> None:
    provider.sign_in(account())
    session = await app.create_connect_session(
        allowed_providers=["notes"], allowed_origin="https://shop.example"
    )
    person = Person()
    await visit(person, session.connect_url, "notes")
    ours = [hop for hop in person.hops if "/sdk/oauth/" in hop.url]
    assert len(ours) >= 5
    for hop in ours:
        policy = hop.headers["content-security-policy"]
        assert (
            "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        )
        assert hop.headers["referrer-policy"] == "no-referrer"
        assert "cross-origin-opener-policy" not in hop.headers
        assert "no-store" in hop.headers["cache-control"]
        assert session.session_token not in hop.url and session.session_token not in (hop.location or "")
        if hop.method == "POST" and hop.location:
            assert hop.status == 303
    for cookie in person.cookies:
        if cookie.name.startswith("alter_"):
            assert cookie.has_nonstandard_attr("HttpOnly")
            assert cookie.get_nonstandard_attr("SameSite") == "Lax"


async def test_two_clicks_are_one_connection(app, several, provider) -> None:
    """Two requests under way for one provider, both answered: one grant, which works, and no token that nobody has."""
    who = account()
    provider.sign_in(who)
    session = await app.create_connect_session(allowed_providers=["notes", "calendar"])
    person = Person()

    def walk() -> None:
        button = person.open(session.connect_url).button("Connect", provider="notes")
        leaving = [person.submit(button, onward=False) for _ in range(2)]
        for page in leaving:
            assert page.onward
            person.open(page.onward)
        person.done()

    await anyio.to_thread.run_sync(walk)
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    assert (await app.list_grants(provider_id="notes")).total == 1
    reply = await app.proxy_request("GET", provider.url("/x"), grant_id=result.grant_id)
    assert reply.body_json()["sub"] == who


async def test_another_account_on_the_second_click_is_not_taken(app, several, provider) -> None:
    first, second = account(), account()
    session = await app.create_connect_session(allowed_providers=["notes", "calendar"])
    person = Person()

    def walk() -> None:
        button = person.open(session.connect_url).button("Connect", provider="notes")
        leaving = [person.submit(button, onward=False) for _ in range(2)]
        for page, who in zip(leaving, (first, second), strict=True):
            provider.sign_in(who)
            assert page.onward
            person.open(page.onward)
        person.done()

    await anyio.to_thread.run_sync(walk)
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    assert result.account_identifier == first
    assert (await app.list_grants(provider_id="notes")).total == 1
    with anyio.fail_after(5):
        while provider.grants_of(second):
            await anyio.sleep(0.02)
