"""Users' tokens, and what proves who tells of users, take every path that there is, and come out nowhere but there."""

from __future__ import annotations

import contextlib
import logging
import urllib.parse

import anyio
import httpx
import pytest
from alter_sdk import AlterSDKError
from journal import Journal
from leaks import leaks, written
from oauth_provider import account
from people import connect_own
from person import POLL, Person


async def test_no_users_token_comes_out_anywhere(app, identified, vault, provider, upstream, idp, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    provider.register(identified)
    journal, person = Journal(), Person()
    sub = idp.person(groups=["staff"])
    good = [idp.token(sub), idp.token(sub, "access")]
    bad = [
        idp.forged(sub, stranger=True),
        idp.forged(sub, claims={"iss": "https://evil.example"}),
        idp.forged(sub, header={"kid": "unknown"}),
        idp.forged(sub, header={"typ": "logout+jwt"}),
    ]
    # Shown once, and never again.
    secret = identified.call("PUT", "/identity-provider/webhooks/auth0", {})["secret"]
    pasted = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwQGX5qQ=="
    identified.call("PUT", "/identity-provider/webhooks/clerk", {"secret": pasted})

    await connect_own(app, provider, good[0], account())
    for token in (*good, *bad):
        for call in (
            app.proxy_request("GET", provider.url("/x"), provider="notes", user_token=token),
            app.proxy_request("GET", upstream.url("/echo"), provider="notes", user_token=token),
            app.resolve_identity(user_token=token, include_profile=True),
            app.create_connect_session(allowed_providers=["notes"], user_token=token),
            app.verify_user_token(token),
        ):
            try:
                journal.note("answer", await call)
            except AlterSDKError as error:
                journal.note("error", error)

    # Signed in, refused, lost on the way.
    sessions, signed_in = [], []
    for deny, fault in ((False, None), (True, None), (False, "status"), (False, "html")):
        idp.sign_in(sub, deny=deny)
        session = await app.create_auth_session()
        sessions += [session.session_token, session.auth_url.rpartition("/")[2]]
        with idp.fault("token", fault) if fault else contextlib.nullcontext():
            await anyio.to_thread.run_sync(person.open, session.auth_url)
        try:
            signed_in.append((await app.poll_auth_session(session.session_token, **POLL)).user_token)
        except AlterSDKError as error:
            journal.note("not signed in", error)
    assert len(signed_in) == 1
    journal.note_pages(person)

    # Deliveries that are refused, with what they brought.
    hooks = identified.call("GET", "/identity-provider/webhooks")["items"]
    async with httpx.AsyncClient() as client:
        for hook in hooks:
            for authorization in (f"{secret}x", f"Bearer {good[0]}"):
                headers = {"authorization": authorization, "svix-id": "msg_1", "svix-signature": f"v1,{bad[0]}"}
                reply = await client.post(hook["url"], headers=headers, content=good[0])
                assert reply.status_code in (400, 401), hook["url"]
                journal.note(hook["url"], reply)

    # The operator's side, and what is written down: here, in the vault's log, and in its store.
    paths = ["/identity-provider", "/identity-provider/webhooks", "/users", "/audit?limit=1000", "/grants"]
    for path in paths:
        journal.seen.append((path, identified.portal.text(f"/apps/{identified.app_id}{path}").encode()))
    journal.seen.append(("the organization's record", identified.portal.text("/audit?limit=1000").encode()))
    journal.seen.append(("the client's log", caplog.text.encode()))
    log = vault.log.read_bytes()
    assert b"TRACE" in log and urllib.parse.urlsplit(idp.issuer).netloc.encode() in log, "it says what it can"
    stored = await anyio.to_thread.run_sync(written, vault.data_dir)
    assert sub.encode() in stored and identified.app_id.encode() in stored
    journal.seen += [("the vault's log", log), ("the store", stored)]

    # What is left of a token without its signature is worth nothing; what it says of the user is known.
    signatures = [token.rpartition(".")[2] for token in (*good, *bad, *signed_in)]
    for hidden in (*signatures, secret, pasted.removeprefix("whsec_"), idp.client_secret):
        for what, data in journal.seen:
            assert leaks(hidden, data) == [], (what, hidden[:12])
    # A code and a state travel in the browser's address; they are written down nowhere. Nor is what opens a sign-in.
    answers = [
        dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(hop.url).query))
        for hop in person.hops
        if "/sdk/auth/callback" in hop.url
    ]
    assert len(answers) == 4
    quiet = [answer[name] for answer in answers for name in ("code", "state") if name in answer]
    cookies = [cookie.value for cookie in person.cookies if cookie.name.startswith("alter_") and cookie.value]
    assert len(cookies) == 4
    for hidden in (*quiet, *sessions, *cookies, identified.key):
        for what, data in [("log", log), ("store", stored)]:
            assert leaks(hidden, data) == [], (what, hidden[:12])


@pytest.mark.parametrize("mode", ["status", "reset", "html", "huge", "empty"])
async def test_a_token_that_cannot_be_checked_is_not_told_on(app, identified, vault, idp, mode) -> None:
    sub = idp.person()
    with idp.fault("jwks", mode):
        token = idp.forged(sub, header={"kid": f"unknown-{mode}"})
        with pytest.raises(AlterSDKError) as caught:
            await app.resolve_identity(user_token=token)
    signature = token.rpartition(".")[2]
    journal = Journal()
    journal.note("error", caught.value)
    journal.seen.append(("the vault's log", vault.log.read_bytes()))
    for what, data in journal.seen:
        assert leaks(signature, data) == [], what
