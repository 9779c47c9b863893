"""Sign-in for programs without a browser session (wire protocol section 4.5)."""

from __future__ import annotations

import datetime
import urllib.parse
from typing import Any

import anyio
import pytest
from alter_sdk import (
    AlterSDKError,
    ConnectConfigError,
    ConnectTimeoutError,
    GrantNotFoundError,
    InsufficientScopeError,
)
from oauth_provider import account
from people import connect_own
from person import POLL, Person


async def sign_in(person: Person, url: str) -> Any:
    return await anyio.to_thread.run_sync(person.open, url)


async def test_b065_authenticate_signs_in_and_its_token_is_used_from_then_on(
    app, identified, provider, idp, desktop, capsys
) -> None:
    provider.register(identified)
    sub, who = idp.person(name="Ann Lee", email="ann@example.test"), account()
    idp.sign_in(sub)
    machine = desktop(lambda url: Person().open(url))
    result = await app.authenticate(timeout=15)
    assert result.user_info == {"sub": sub, "email": "ann@example.test", "name": "Ann Lee"}
    assert len(machine.opened) == 1 and capsys.readouterr().out == ""
    assert await app.verify_user_token(result.user_token) == sub
    # From here on the client acts for whoever has signed in, without being told.
    with pytest.raises(GrantNotFoundError):
        await app.proxy_request("GET", provider.url("/x"), provider="notes")
    connected = await connect_own(app, provider, result.user_token, who)
    reply = await app.proxy_request("GET", provider.url("/x"), provider="notes")
    assert reply.body_json()["sub"] == who
    assert [item.grant_id for item in (await app.list_grants()).grants] == [connected.grant_id]
    (user,) = identified.users()
    assert (user["subject"], user["name"]) == (sub, "Ann Lee")


async def test_a_session_is_signed_in_elsewhere_and_polled_here(app, identified, idp, base_url) -> None:
    sub = idp.person()
    idp.sign_in(sub)
    before = datetime.datetime.now(datetime.UTC)
    session = await app.create_auth_session()
    assert session.expires_in == 600
    ends = datetime.datetime.fromisoformat(session.expires_at)
    assert abs((ends - before).total_seconds() - 600) < 10
    assert session.auth_url.startswith(f"{base_url}/sdk/auth/start/")
    assert session.session_token not in session.auth_url, "whoever has the link has not the result"
    with pytest.raises(ConnectTimeoutError):
        await app.poll_auth_session(session.session_token, poll_interval=0.05, timeout=0.3)

    results = []

    async def poll() -> None:
        results.append(await app.poll_auth_session(session.session_token, **POLL))

    person = Person()
    async with anyio.create_task_group() as group:
        group.start_soon(poll)
        page = await sign_in(person, session.auth_url)
    assert page.status == 200 and not page.buttons
    (result,) = results
    assert result.user_info["sub"] == sub
    # Nothing of it was installed: the client is the app's still.
    assert (await app.list_grants()).total == 1
    assert (await app.resolve_identity()).app_user_id is None
    asked = [hop.url for hop in person.hops if hop.url.startswith(f"{idp.issuer}/auth?")]
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(asked[0]).query))
    assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
    assert len(query["code_challenge"]) == 43 and len(query["state"]) >= 43 and len(query["nonce"]) >= 22
    assert query["redirect_uri"] == f"{base_url}/sdk/auth/callback"
    assert "openid" in query["scope"].split()
    for hop in person.hops:
        assert result.user_token not in hop.url and result.user_token not in (hop.location or "")


async def test_who_says_no_is_not_signed_in(app, identified, idp) -> None:
    idp.sign_in(idp.person(), deny=True)
    session = await app.create_auth_session()
    page = await sign_in(Person(), session.auth_url)
    assert not page.buttons
    with pytest.raises(AlterSDKError) as caught:
        await app.poll_auth_session(session.session_token, **POLL)
    assert "Authentication failed" in str(caught.value)
    assert identified.users() == []


async def test_who_is_suspended_or_has_left_is_not_signed_in(app, identified, idp) -> None:
    sub = idp.person()
    user_id = (await app.resolve_identity(user_token=idp.token(sub))).app_user_id
    for verb, word in (("suspend", "suspended"), ("deprovision", "closed")):
        identified.change_user(user_id, verb)
        idp.sign_in(sub)
        session = await app.create_auth_session()
        await sign_in(Person(), session.auth_url)
        with pytest.raises(AlterSDKError, match=word):
            await app.poll_auth_session(session.session_token, **POLL)


async def test_without_a_client_there_is_no_sign_in_and_tokens_are_good_all_the_same(
    app, tenant, idp, refused
) -> None:
    tenant.call("POST", "/identity-provider", {"issuer": idp.issuer})
    sub = idp.person()
    assert await app.verify_user_token(idp.token(sub)) == sub
    await refused(ConnectConfigError, "idp_signin_not_configured", app.create_auth_session())


async def test_a_sign_in_is_for_one_browser_and_happens_once(app, identified, idp) -> None:
    idp.sign_in(idp.person())
    session = await app.create_auth_session()
    person, thief = Person(), Person()
    await sign_in(person, session.auth_url)
    (callback,) = [hop.url for hop in person.hops if "/sdk/auth/callback" in hop.url]
    used = idp.state()["requests"]["/token"]
    for browser in (person, thief):
        page = await sign_in(browser, callback)
        assert page.status in (400, 403, 404, 410), page.text
    page = await sign_in(thief, session.auth_url)
    assert page.status in (400, 403, 404, 410), page.text
    assert idp.state()["requests"]["/token"] == used, "no code was sent anywhere"
    assert (await app.poll_auth_session(session.session_token, **POLL)).user_token


async def test_what_is_polled_must_be_a_session(app, identified, portal, upstream, idp) -> None:
    for token in ("auth_none", "sess_none", "x"):
        with pytest.raises(AlterSDKError):
            await app.poll_auth_session(token, **POLL)
    # Nor is one app's session another's.
    idp.sign_in(idp.person())
    session = await app.create_auth_session()
    await sign_in(Person(), session.auth_url)
    other = portal.tenant(upstream.host)
    idp.register(other)
    async with other.sdk() as stranger:
        with pytest.raises(AlterSDKError):
            await stranger.poll_auth_session(session.session_token, **POLL)
    assert (await app.poll_auth_session(session.session_token, **POLL)).user_token


async def test_a_key_needs_the_scope_for_it(identified, idp, refused) -> None:
    key = identified.mint_key(scopes=["grants:read"])["api_key"]
    async with identified.sdk(key) as app:
        error = await refused(InsufficientScopeError, "insufficient_scope", app.create_auth_session())
        assert error.missing
