"""Users and groups: known from their tokens, suspended, gone; what they connect and what their groups have."""

from __future__ import annotations

import uuid
from typing import Any

import anyio
import pytest
from alter_sdk import (
    BackendError,
    GrantNotFoundError,
    PolicyViolationError,
    ReAuthRequiredError,
)
from oauth_provider import account
from people import connect_own, known, until_gone


async def test_b072_b073_the_first_token_makes_the_user_and_later_ones_keep_them_up_to_date(
    app, identified, idp, user_token
) -> None:
    sub = idp.person(name="Ann Lee", email="ann@example.test", groups=["staff"])
    assert identified.users() == []
    identity = await app.resolve_identity(user_token=idp.token(sub), include_profile=True)
    assert str(uuid.UUID(identity.app_user_id)) == identity.app_user_id
    assert (identity.app_id, identity.external_subject_id) == (identified.app_id, sub)
    assert (identity.user_status, identity.group_ids) == ("active", ["staff"])
    assert (identity.email, identity.display_name) == ("ann@example.test", "Ann Lee")
    assert identity.idp_id == identified.call("GET", "/identity-provider")["idp_id"]
    (user,) = identified.users()
    assert (user["user_id"], user["subject"], user["status"]) == (identity.app_user_id, sub, "active")

    token = user_token(sub, name="Ann Low", groups=["staff", "board"])
    again = await app.resolve_identity(user_token=token)
    assert (again.app_user_id, set(again.group_ids)) == (identity.app_user_id, {"staff", "board"})
    assert (again.email, again.display_name) == (None, None), "the profile is for whoever asks for it"
    (user,) = identified.users()
    assert (user["name"], set(user["groups"])) == ("Ann Low", {"staff", "board"})
    headless = await app.resolve_identity()
    assert (headless.app_id, headless.app_user_id, headless.group_ids) == (identified.app_id, None, [])


async def test_who_somebody_is_does_not_depend_on_the_app(portal, upstream, identified, idp) -> None:
    """One person is one user in all apps that share the provider; another subject is another user."""
    other = portal.tenant(upstream.host)
    idp.register(other)
    sub, second = idp.person(), idp.person()
    ids = []
    for tenant in (identified, other):
        async with tenant.sdk() as app:
            ids.append([(await app.resolve_identity(user_token=idp.token(s))).app_user_id for s in (sub, second)])
    assert ids[0] == ids[1] and ids[0][0] != ids[0][1]


async def test_the_token_is_checked_without_a_call(app, tenant, identified, idp) -> None:
    sub = idp.person()
    assert await app.verify_user_token(idp.token(sub)) == sub
    assert await app.verify_user_token(idp.token(sub, "access")) == sub
    for token in (idp.forged(sub, stranger=True), "not.a.token", "  "):
        assert await app.verify_user_token(token) is None


async def test_without_an_identity_provider_nobody_is_anybody(app, tenant, idp, refused) -> None:
    token = idp.token(idp.person())
    assert await app.verify_user_token(token) is None
    await refused(ReAuthRequiredError, "jwt_validation_error", app.resolve_identity(user_token=token))
    await refused(BackendError, "identity_provider_not_configured", app.create_auth_session())


async def test_b055_what_a_user_connects_is_theirs(app, identified, provider, idp, refused) -> None:
    provider.register(identified)
    anna, bert = await known(app, idp), await known(app, idp)
    who = account()
    annas = await connect_own(app, provider, anna.token, who)
    view = identified.grant_view(annas.grant_id)
    assert view["principal"] == anna.principal
    # The same account, connected by another user, is another grant.
    berts = await connect_own(app, provider, bert.token, who)
    assert berts.grant_id != annas.grant_id and berts.operation == "creation"
    again = await connect_own(app, provider, anna.token, who)
    assert (again.grant_id, again.operation) == (annas.grant_id, "reauth")
    for user, grant in ((anna, annas), (bert, berts)):
        async with identified.sdk(user_token_getter=lambda user=user: user.token) as own:
            page = await own.list_grants()
            assert [(item.grant_id, item.principal_type) for item in page.grants] == [(grant.grant_id, "user")]
            assert page.total == 1
    everything = await app.list_grants()
    assert {item.grant_id for item in everything.grants} == {
        annas.grant_id,
        berts.grant_id,
        identified.grant_id,
    }
    # The session of a user repairs nobody else's grant.
    call = app.create_connect_session(
        allowed_providers=["notes"], user_token=bert.token, repair_grant_id=annas.grant_id
    )
    await refused(GrantNotFoundError, "grant_not_found", call)


async def test_a_user_ends_their_own_grants_and_nobody_elses(app, identified, provider, idp, refused) -> None:
    provider.register(identified)
    anna, bert = await known(app, idp), await known(app, idp)
    who = account()
    annas = await connect_own(app, provider, anna.token, who)
    async with identified.sdk(user_token_getter=lambda: bert.token) as berts:
        await refused(GrantNotFoundError, "grant_not_found", berts.revoke_grant(annas.grant_id))
        await refused(GrantNotFoundError, "grant_not_found", berts.revoke_grant(identified.grant_id))
    async with identified.sdk(user_token_getter=lambda: anna.token) as own:
        assert (await own.revoke_grant(annas.grant_id)).success
        call = own.proxy_request("GET", provider.url("/x"), provider="notes")
        await refused(GrantNotFoundError, "grant_not_found", call)
    await until_gone(app, provider, who)


async def test_b086_a_groups_grant_is_its_members_as_long_as_they_are_members(
    app, identified, upstream, idp, user_token, refused
) -> None:
    idp_id = identified.call("GET", "/identity-provider")["idp_id"]
    group = {"type": "group", "idp_id": idp_id, "external_group_id": "staff"}
    grant_id = identified.grant(group, label="for the staff")
    member, other, later = idp.person(groups=["staff", "all"]), idp.person(groups=["all"]), idp.person()

    def call(token: str, **which: str) -> Any:
        which = which or {"provider": identified.provider}
        return app.proxy_request("GET", upstream.url("/empty"), user_token=token, **which)

    assert (await call(idp.token(member))).status_code == 200
    assert (await call(idp.token(member), grant_id=grant_id)).status_code == 200
    for sub in (other, later):
        for which in ({}, {"grant_id": grant_id}):
            await refused(GrantNotFoundError, "grant_not_found", call(idp.token(sub), **which))
    assert (await call(user_token(later, groups=["staff"]))).status_code == 200, "a future member"
    async with identified.sdk(user_token_getter=lambda: idp.token(member)) as own:
        (item,) = (await own.list_grants()).grants
        assert (item.grant_id, item.principal_type, item.label) == (grant_id, "group", "for the staff")
    old = idp.token(member)
    # Tokens count whole seconds: who left is told by one that is newer.
    await anyio.sleep(1.05)
    await refused(GrantNotFoundError, "grant_not_found", call(user_token(member, groups=["all"])))
    await refused(GrantNotFoundError, "grant_not_found", call(old))
    (row, *_) = [row for row in identified.audit("&event=call") if row["outcome"] == "success"]
    assert row["user_id"], "a group's grant names who used it"


@pytest.mark.parametrize("verb", ["suspend", "deprovision"])
async def test_who_may_not_act_is_refused_with_token_and_without(
    app, identified, provider, upstream, idp, refused, verb
) -> None:
    provider.register(identified)
    user, who = await known(app, idp), account()
    connected = await connect_own(app, provider, user.token, who)
    own = identified.grant(user.principal, label="own")
    code = {"suspend": "user_suspended", "deprovision": "user_deprovisioned"}[verb]
    shown = identified.change_user(user.user_id, verb)
    assert shown["status"] == f"{verb.removesuffix('e')}ed"

    def calls(**more: str) -> list[Any]:
        return [
            app.proxy_request("GET", provider.url("/x"), grant_id=connected.grant_id, **more),
            app.proxy_request("GET", upstream.url("/x"), grant_id=own, **more),
        ]

    by_token = [
        app.proxy_request("GET", provider.url("/x"), provider="notes", user_token=user.token),
        app.create_connect_session(allowed_providers=["notes"], user_token=user.token),
        app.resolve_identity(user_token=user.token),
        *calls(user_token=user.token),
    ]
    for call in by_token:
        error = await refused(PolicyViolationError, code, call)
        assert error.policy_error == code and error.details["status_code"] == 403
    assert await app.verify_user_token(user.token) is None
    if verb == "suspend":
        for call in calls():
            await refused(PolicyViolationError, code, call)
        assert provider.grants_of(who) == 1, "everything is kept"
        identified.change_user(user.user_id, "reactivate")
        for call in calls(user_token=user.token):
            assert (await call).status_code == 200
        return
    await until_gone(app, provider, who)
    with anyio.fail_after(5):
        while identified.user(user.user_id)["deprovision"]["grants_revoked"] < 2:
            await anyio.sleep(0.02)
    for grant_id in (connected.grant_id, own):
        assert identified.grant_view(grant_id)["status"] == "revoked"
    for call in calls():
        with pytest.raises((PolicyViolationError, BackendError)) as caught:
            await call
        assert caught.value.details["error"] in (code, "grant_revoked")
