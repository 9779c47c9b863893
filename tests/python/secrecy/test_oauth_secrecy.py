"""The tokens that a provider really issued take every path that there is, and come out nowhere but there."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import anyio
import pytest
from alter_sdk import AlterSDKError, ConnectFlowError, CredentialRevokedError

from journal import Journal
from leaks import everything, leaks, written
from oauth_provider import account
from person import POLL, Person, visit
from test_secrecy import FORMS


@pytest.fixture
def mirrored(connected, provider, upstream):  # type: ignore[no-untyped-def]
    """Beside its own API the provider has one that sends credentials back."""
    definition = provider.definition(api={"hosts": [provider.host, upstream.host]})
    connected.change_provider("notes", definition=definition)
    return connected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_an_api_that_sends_the_token_back(app, mirrored, provider, upstream, form, size) -> None:
    provider.sign_in(account())
    session = await app.create_connect_session(allowed_providers=["notes"])
    await visit(Person(), session.connect_url, "notes")
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    token = provider.issued()["access_tokens"][-1]
    path = f"/leak/{form}/{size}?{mirrored.app_id}"
    reply = await app.proxy_request("GET", upstream.url(path), grant_id=result.grant_id)
    assert upstream.only(path).header("authorization") == f"Bearer {token}"
    assert leaks(token, everything(reply)) == []
    body = reply.body_text()
    assert body.startswith("before ") and body.endswith(" after") and "***" in body


async def test_no_token_comes_out_anywhere(app, mirrored, vault, provider, upstream, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    journal, person = Journal(), Person()
    who = account()
    provider.sign_in(who)
    before = provider.issued()
    sessions = []

    async def connect(*, wrong: str | None = None, **options: object):  # type: ignore[no-untyped-def]
        session = await app.create_connect_session(
            allowed_providers=["notes"], return_url="https://shop.example/done", **options
        )
        sessions.append(session.session_token)
        with provider.outage(wrong, "token", times=1) if wrong else contextlib.nullcontext():
            await visit(person, session.connect_url, "notes")
        if wrong:
            await anyio.to_thread.run_sync(person.cancel)
        return await app.poll_connect_session(session.session_token, **POLL)

    # Connected, refused, lost, connected again, with another account, under another name.
    (first,) = await connect()
    for mode in ("lost", "status", "reset"):
        with pytest.raises(ConnectFlowError) as caught:
            await connect(wrong=mode)
        journal.note(mode, caught.value)
    provider.sign_in(who, deny=True)
    with pytest.raises(ConnectFlowError) as caught:
        await connect()
    journal.note("denied", caught.value)
    with provider.access_tokens_live(2):
        provider.sign_in(who)
        (again,) = await connect()
        (label,) = await connect(requested_grant={"label": "payroll"})
        provider.sign_in(account())
        (other,) = await connect(switch_account=True)
        provider.sign_in(account())
        (broken,) = await connect()
    assert first.grant_id == again.grant_id
    for result in (first, again, label, other, broken):
        journal.note("result", result)
    await anyio.sleep(2.05)

    # Used, renewed, used in vain, refused by the provider, lost on the way, ended.
    grants = [result.grant_id for result in (first, label, other)]
    calls = [app.proxy_request("GET", provider.url("/x"), grant_id=grant) for grant in grants]
    calls += [app.proxy_request("GET", upstream.url("/echo"), grant_id=grant) for grant in grants]
    calls += [app.proxy_request("DELETE", provider.url("/x"), grant_id=first.grant_id)]
    calls += [app.proxy_request("GET", upstream.url("/silent"), grant_id=first.grant_id)]
    calls += [app.proxy_request("GET", "http://127.0.0.1:1/", grant_id=first.grant_id)]
    calls += [app.request("GET", provider.url("/x"), grant_id=first.grant_id)]
    calls += [app.proxy_request("GET", provider.url("/x"), provider="notes")]
    calls += [app.list_grants(), app.oauth_providers.list()]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        assert not isinstance(outcome, BaseException) or isinstance(outcome, AlterSDKError), outcome
        journal.note("call", outcome)
    assert sum(isinstance(outcome, BaseException) for outcome in outcomes) == 4
    state = provider.state()
    assert provider.revoke_grants(broken.account_identifier) == 1
    with pytest.raises(CredentialRevokedError) as dead:
        await app.proxy_request("GET", provider.url("/x"), grant_id=broken.grant_id)
    journal.note("dead", dead.value)
    recovery = await app.create_connect_session_for_error(dead.value)
    sessions.append(recovery.session_token)
    await visit(person, recovery.connect_url, "notes")
    journal.note("repaired", await app.poll_connect_session(recovery.session_token, **POLL))
    with provider.outage("status", "revocation"):
        for grant in grants:
            journal.note("revoked", await app.revoke_grant(grant))
        # While the provider has still to be told, the tokens wait in the store.
        waiting = await anyio.to_thread.run_sync(written, vault.data_dir)
    with anyio.fail_after(20):
        while mirrored.call("GET", "/providers/notes")["usage"]["pending_revocations"]:
            await anyio.sleep(0.05)
    assert provider.state()["revocations"]["ok"] > state["revocations"]["ok"]
    for path in ("/v1/audit?limit=1000", "/v1/audit/export?format=csv", "/v1/audit/export?format=jsonl"):
        journal.note(path, await app._client._authed_backend_request("GET", path))
    journal.note_pages(person)

    # The operator's side, and what is written down: here, in the vault's log, and in its store.
    paths = ["/providers", "/providers/notes", "/grants", "/audit?limit=1000", "/keys"]
    paths += [f"/grants/{grant}" for grant in grants]
    for path in paths:
        journal.seen.append((path, mirrored.portal.text(f"/apps/{mirrored.app_id}{path}").encode()))
    journal.seen.append(("the client's log", caplog.text.encode()))
    log = vault.log.read_bytes()
    assert b"TRACE" in log and provider.host.encode() in log, "it says what it can"
    journal.seen.append(("the vault's log", log))
    stored = await anyio.to_thread.run_sync(written, vault.data_dir)
    assert mirrored.app_id.encode() in stored and other.grant_id.encode() in stored
    journal.seen += [("the store", stored), ("the store before", waiting)]

    issued = {kind: set(tokens) - set(before[kind]) for kind, tokens in provider.issued().items()}
    assert len(issued["access_tokens"]) >= 8 and len(issued["refresh_tokens"]) >= 8
    secrets = [*issued["access_tokens"], *issued["refresh_tokens"], provider.client_secret]
    for secret in secrets:
        for what, data in journal.seen:
            assert leaks(secret, data) == [], what
    # A code travels in the browser's address, where it is worth nothing without the verifier; it is written
    # down nowhere. Nor are a session's token, the browser's cookies, or the keys.
    cookies = [cookie.value for cookie in person.cookies if cookie.name.startswith("alter_") and cookie.value]
    assert len(cookies) >= 8
    quiet = [*issued["codes"], *sessions, *cookies, mirrored.key]
    for secret in quiet:
        for what, data in [("log", log), ("store", stored), ("store before", waiting)]:
            assert leaks(secret, data) == [], what
    # What any test before this one was given, in clear.
    for tokens in before.values():
        for token in tokens:
            assert token.encode() not in stored and token.encode() not in log
