"""Calls for users: the app passes their token, and the vault finds the grant (wire protocol sections 3.3 and 5)."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from alter_sdk import (
    AgentDelegationMissingError,
    AlterSDKError,
    AmbiguousGrantError,
    GrantNotFoundError,
    HttpMethod,
    NoDelegatedGrantError,
    ReAuthRequiredError,
    RestrictedGrantRequiresProxyError,
)
from oauth_provider import account
from people import connect_own, known
from portal import canary


def bearer(upstream: Any, part: str) -> str | None:
    """The credential with which the only such request arrived."""
    return upstream.only(part).header("authorization")


@pytest.mark.parametrize("kind", ["id", "access"])
async def test_b066_by_provider_and_token_the_users_grant_is_found(identified, upstream, idp, kind) -> None:
    """The getter may be a coroutine; ID tokens are good, and access tokens of the app's own API."""
    async with identified.sdk() as app:
        user = await known(app, idp)
    grant_id = identified.grant(user.principal, label="own")
    asked = []

    def getter() -> str:
        asked.append(1)
        return idp.token(user.sub, kind)

    async def coroutine() -> str:
        return getter()

    for number, one in enumerate((getter, coroutine)):
        async with identified.sdk(user_token_getter=one) as app:
            for turn in range(2):
                url = upstream.url(f"/echo/{identified.app_id}/{number}/{turn}")
                reply = await app.proxy_request(HttpMethod.GET, url, provider=identified.provider)
                assert reply.status_code == 200
    assert len(asked) == 4, "asked for each call"
    seen = upstream.seen(f"/echo/{identified.app_id}/")
    assert [request.header("authorization") for request in seen] == [f"Bearer {identified.secret}"] * 4
    rows = identified.audit("&event=call")
    assert {(row["grant_id"], row["user_id"], row["outcome"]) for row in rows} == {
        (grant_id, user.user_id, "success")
    }


async def test_a_token_of_the_call_wins_over_the_getters(identified, upstream, idp, refused) -> None:
    async with identified.sdk() as app:
        anna, bert = await known(app, idp), await known(app, idp)
    boards = {}
    for user in (anna, bert):
        secret = canary(user.sub)
        created = identified.add_secret(f"Board of {user.sub}", secret)
        identified.grant(user.principal, created["secret_id"], label="board")
        boards[user.sub] = (created["slug"], f"Bearer {secret}")
    async with identified.sdk(user_token_getter=lambda: anna.token) as app:
        for user, token in ((anna, None), (bert, bert.token)):
            slug, credential = boards[user.sub]
            url = upstream.url(f"/echo/{identified.app_id}/{user.sub}")
            await app.proxy_request("GET", url, provider=slug, user_token=token)
            assert bearer(upstream, f"{identified.app_id}/{user.sub}") == credential
        call = app.proxy_request("GET", upstream.url("/x"), provider=boards[bert.sub][0])
        await refused(GrantNotFoundError, "grant_not_found", call)


async def test_b067_several_are_told_apart_by_account_and_label(identified, provider, idp, refused) -> None:
    provider.register(identified)
    async with identified.sdk() as app:
        user = await known(app, idp)
        first, second = account(), account()
        one = await connect_own(app, provider, user.token, first)
        two = await connect_own(app, provider, user.token, second, switch_account=True)
        sibling = await connect_own(
            app, provider, user.token, second, switch_account=True, requested_grant={"label": "payroll"}
        )
    async with identified.sdk(user_token_getter=lambda: user.token) as app:

        def call(**which: str) -> Any:
            return app.proxy_request("GET", provider.url("/x"), provider="notes", **which)

        error = await refused(AmbiguousGrantError, "ambiguous_grant", call())
        assert (error.provider_id, error.account_was_provided) == ("notes", False)
        assert sorted(error.account_identifiers) == sorted({first, second})
        candidates = {candidate.grant_id: candidate for candidate in error.candidates}
        assert set(candidates) == {one.grant_id, two.grant_id, sibling.grant_id}
        assert (candidates[sibling.grant_id].label, candidates[one.grant_id].label) == ("payroll", None)
        assert candidates[one.grant_id].account_identifier == first
        assert not error.candidates_truncated

        assert (await call(account=first)).body_json()["sub"] == first
        assert (await call(account=f"{first}@example.test")).body_json()["sub"] == first
        assert (await call(label="payroll")).body_json()["sub"] == second
        error = await refused(AmbiguousGrantError, "ambiguous_grant", call(account=second))
        assert error.account_was_provided
        assert {candidate.grant_id for candidate in error.candidates} == {two.grant_id, sibling.grant_id}
        for which in ({"account": "nobody"}, {"label": "nothing"}, {"account": first, "label": "payroll"}):
            error = await refused(GrantNotFoundError, "grant_not_found", call(**which))
            assert error.provider_id == "notes"
        # By its id, whichever it is.
        reply = await app.proxy_request("GET", provider.url("/x"), grant_id=two.grant_id)
        assert reply.body_json()["sub"] == second


async def test_b068_who_has_connected_nothing_is_told_so(identified, provider, idp, refused) -> None:
    provider.register(identified)
    user = idp.person()
    async with identified.sdk(user_token_getter=lambda: idp.token(user)) as app:
        call = app.proxy_request("GET", provider.url("/x"), provider="notes")
        error = await refused(GrantNotFoundError, "grant_not_found", call)
        assert error.provider_id == "notes"
        # The error is good for the session that mends it.
        who = account()
        provider.sign_in(who)
        session = await app.create_connect_session_for_error(error)
        await connect_own(app, provider, idp.token(user), who)
        assert session.connect_url
        reply = await app.proxy_request("GET", provider.url("/x"), provider="notes")
        assert reply.body_json()["sub"] == who


async def test_b068_an_agent_reaches_nothing_of_a_users_by_their_token(
    identified, provider, idp, refused
) -> None:
    """What a user gives to an agent, they give it by consent; a token that the agent holds opens nothing."""
    provider.register(identified)
    bot = identified.agent()
    async with identified.sdk() as app:
        user = await known(app, idp)
        connected = await connect_own(app, provider, user.token)
    async with bot.sdk() as agent:
        by_provider = agent.proxy_request("GET", provider.url("/x"), provider="notes", user_token=user.token)
        error = await refused(NoDelegatedGrantError, "no_delegated_grant", by_provider)
        assert (error.provider_id, error.agent_id) == ("notes", bot.agent_id)
        for more in ({}, {"user_token": user.token}):
            by_id = agent.proxy_request("GET", provider.url("/x"), grant_id=connected.grant_id, **more)
            await refused(AgentDelegationMissingError, "grant_not_found", by_id)


async def test_b088_a_system_grant_is_never_found_by_a_token(identified, upstream, idp, refused) -> None:
    async with identified.sdk(user_token_getter=lambda: idp.token(user)) as app:
        user = idp.person(groups=["staff"])
        call = app.proxy_request("GET", upstream.url("/x"), provider=identified.provider)
        await refused(GrantNotFoundError, "grant_not_found", call)
        # Nor used by its id: it is not the user's.
        call = app.proxy_request("GET", upstream.url("/x"), grant_id=identified.grant_id)
        await refused(GrantNotFoundError, "grant_not_found", call)
    bot = identified.agent()
    bots = bot.grant()
    async with identified.sdk(user_token_getter=lambda: idp.token(user)) as app:
        call = app.proxy_request("GET", upstream.url("/x"), grant_id=bots)
        await refused(GrantNotFoundError, "grant_not_found", call)


async def test_with_a_token_a_grant_id_must_be_the_users(identified, provider, idp, refused) -> None:
    provider.register(identified)
    async with identified.sdk() as app:
        anna, bert = await known(app, idp), await known(app, idp)
        annas = await connect_own(app, provider, anna.token)
        reply = await app.proxy_request(
            "GET", provider.url("/x"), grant_id=annas.grant_id, user_token=anna.token
        )
        assert reply.status_code == 200
        before = provider.state()["api"]
        for grant_id in (annas.grant_id, anna.user_id):
            call = app.proxy_request("GET", provider.url("/x"), grant_id=grant_id, user_token=bert.token)
            error = await refused(GrantNotFoundError, "grant_not_found", call)
            assert "not" in error.message
        assert provider.state()["api"] == before
        # Without a token it is the app that calls, as ever.
        reply = await app.proxy_request("GET", provider.url("/x"), grant_id=annas.grant_id)
        assert reply.status_code == 200


def encode(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def bad_tokens(idp: Any, sub: str) -> dict[str, str]:
    now = int(time.time())
    good = idp.token(sub)
    header, claims, signature = good.split(".")
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    none = encode({"alg": "none", "typ": "JWT"})
    return {
        "somebody else's key": idp.forged(sub, stranger=True),
        "another issuer": idp.forged(sub, claims={"iss": "https://evil.example"}),
        "issuer with a slash": idp.forged(sub, claims={"iss": f"{idp.issuer}/"}),
        "another audience": idp.forged(sub, claims={"aud": "blog"}),
        "no audience": idp.forged(sub, claims={"aud": None}),
        "expired": idp.forged(sub, claims={"exp": now - 120}),
        "no end": idp.forged(sub, claims={"exp": None}),
        "not yet": idp.forged(sub, claims={"nbf": now + 3600}),
        "nobody": idp.forged(sub, claims={"sub": None}),
        "a logout token": idp.forged(sub, header={"typ": "logout+jwt"}),
        "an event": idp.forged(sub, claims={"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        "critical header": idp.forged(sub, header={"crit": ["exp"], "exp": now}),
        "unknown key": idp.forged(sub, header={"kid": "unknown"}),
        "unsigned": f"{none}.{claims}.",
        "other claims": f"{header}.{encode({**told, 'sub': 'root'})}.{signature}",
        "cut": good[:-4],
        "no token": "not.a.token",
        "no dots": "abc",
        "too long": idp.forged(sub, claims={"padding": "x" * 8192}),
    }


async def test_b070_no_token_that_is_wrong_in_any_way_is_taken(identified, upstream, idp, refused) -> None:
    """All refusals look the same: whoever probes learns nothing of what was wrong."""
    identified.call("PATCH", "/identity-provider", {"audience": "shop"})
    async with identified.sdk() as app:
        user = await known(app, idp)
        identified.grant(user.principal, label="own")

        def call(token: str) -> Any:
            url = upstream.url(f"/echo/{identified.app_id}")
            return app.proxy_request("GET", url, provider=identified.provider, user_token=token)

        assert (await call(user.token)).status_code == 200
        messages = set()
        for name, token in bad_tokens(idp, user.sub).items():
            with pytest.raises(AlterSDKError) as caught:
                await call(token)
            error = caught.value
            assert type(error) is ReAuthRequiredError, f"{name}: {type(error).__name__}: {error}"
            assert error.details["error"] == "jwt_validation_error", name
            assert token not in str(error.details), name
            messages.add(error.message)
        assert len(messages) == 1, messages
    assert len(upstream.seen(f"/echo/{identified.app_id}")) == 1


async def test_an_app_without_identity_provider_takes_no_token(app, tenant, upstream, idp, refused) -> None:
    token = idp.token(idp.person())
    call = app.proxy_request("GET", upstream.url("/x"), provider=tenant.provider, user_token=token)
    await refused(ReAuthRequiredError, "jwt_validation_error", call)
    call = app.proxy_request("GET", upstream.url("/x"), grant_id=tenant.grant_id, user_token=token)
    await refused(ReAuthRequiredError, "jwt_validation_error", call)


async def test_a_getter_that_gives_no_token_is_no_operator(identified, upstream) -> None:
    """The client never falls back to the app's own rights."""

    def broken() -> str:
        raise RuntimeError("no session")

    for getter in (lambda: "", broken):
        async with identified.sdk(user_token_getter=getter) as app:
            url = upstream.url(f"/echo/{identified.app_id}")
            with pytest.raises(AlterSDKError):
                await app.proxy_request("GET", url, grant_id=identified.grant_id)
    assert upstream.seen(f"/echo/{identified.app_id}") == []


async def test_b125_the_quick_start_runs_with_the_published_names(identified, provider, idp) -> None:
    """Seed S4's sample, with the class's present name and through the proxy, which is where secrets may be used."""
    provider.register(identified)
    who, person = account(), idp.person()
    async with identified.sdk() as app:
        await connect_own(app, provider, idp.token(person), who)

    def get_user_jwt() -> str:
        return idp.token(person)

    async with identified.sdk(
        caller="my-agent",
        user_token_getter=lambda: get_user_jwt(),  # Returns JWT from the identity provider
    ) as vault:
        # JWT is automatically included by the SDK via user_token_getter
        response = await vault.proxy_request(
            HttpMethod.GET,
            provider.url("/data"),
            provider="notes",
        )
        assert (response.status_code, response.body_json()["sub"]) == (200, who)
        # The sample's own `request` would hand the token out, which this vault does for nobody.
        with pytest.raises(RestrictedGrantRequiresProxyError):
            await vault.request(HttpMethod.GET, provider.url("/data"), provider="notes")


async def test_b069_grant_id_and_provider_are_one_or_the_other(identified, upstream, idp) -> None:
    async with identified.sdk(user_token_getter=lambda: idp.token(idp.person())) as app:
        with pytest.raises(AlterSDKError):
            await app.proxy_request(
                "GET", upstream.url("/x"), grant_id=identified.grant_id, provider=identified.provider
            )
        response = await app._client._authed_backend_request(
            "POST",
            "/sdk/proxy",
            body={
                "method": "GET",
                "url": upstream.url(f"/echo/{identified.app_id}"),
                "grant_id": identified.grant_id,
                "provider_id": identified.provider,
            },
        )
        assert response.status_code in (400, 422)
    assert upstream.seen(f"/echo/{identified.app_id}") == []
