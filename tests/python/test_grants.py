"""Grants: listing, issuing, revoking, expiring."""

from __future__ import annotations

import uuid

import anyio
import pytest
from alter_sdk import (
    AgentPrincipal,
    AmbiguousGrantError,
    BackendError,
    ConnectConfigError,
    GrantExpiredError,
    GrantNotFoundError,
    GrantRevokedError,
    GroupPrincipal,
    InsufficientScopeError,
    ManagedSecretGrantItem,
    ReAuthRequiredError,
    SiblingLabelConflictError,
    SystemPrincipal,
    UserPrincipal,
)
from portal import canary, user


@pytest.fixture
async def issuer(tenant):  # type: ignore[no-untyped-def]
    """May issue grants as well; a standard key may not."""
    scopes = ["secrets:write", "grants:read", "grants:write", "proxy:execute"]
    async with tenant.sdk(tenant.mint_key(scopes=scopes)["api_key"]) as app:
        yield app


async def test_an_item_says_what_the_grant_is(app, tenant) -> None:
    label = "Anna's CRM – ü"
    principal = user()
    grant_id = tenant.grant(principal, label=label, grant_policy={"max_ttl_seconds": 3600})
    page = await app.list_grants(label=label)
    (item,) = page.grants
    assert type(item) is ManagedSecretGrantItem
    assert (item.grant_id, item.grant_kind, item.status) == (grant_id, "managed_secret", "active")
    assert (item.managed_secret_id, item.managed_secret_slug) == (tenant.secret_id, tenant.provider)
    assert item.managed_secret_name == "Provider"
    assert (item.principal_type, item.access_via, item.label) == ("user", "ownership", label)
    assert item.agent_id is None and item.last_used_at is None and item.expires_at is None
    assert item.credential_kind == "developer" and item.credential_id
    assert item.grant_expires_at is not None and item.grant_expires_at > item.created_at
    assert (page.total, page.limit, page.offset, page.has_more) == (1, 100, 0, False)


async def test_pages_have_no_gap_and_no_repeat(app, tenant) -> None:
    made = {tenant.grant_id, *(tenant.grant(label=f"grant {n}") for n in range(11))}
    seen: list[str] = []
    sizes = []
    while True:
        page = await app.list_grants(limit=5, offset=len(seen))
        assert (page.total, page.limit, page.offset) == (12, 5, len(seen))
        seen += [grant.grant_id for grant in page.grants]
        sizes.append(len(page.grants))
        if not page.has_more:
            break
    assert sizes == [5, 5, 2]
    assert len(seen) == 12 and set(seen) == made
    exactly = await app.list_grants(limit=12)
    assert len(exactly.grants) == 12 and not exactly.has_more
    beyond = await app.list_grants(limit=5, offset=12)
    assert (beyond.grants, beyond.total, beyond.has_more) == ([], 12, False)
    assert len((await app.list_grants(limit=1000)).grants) == 12


async def test_filters_narrow_and_combine(app, tenant) -> None:
    other = tenant.add_secret("Other", canary(), {"type": "system"})
    labelled = tenant.grant(label="payroll")
    gone = tenant.grant(label="gone")
    tenant.revoke_grant(gone)

    async def ids(**filters: str) -> set[str]:
        page = await app.list_grants(**filters)
        assert page.total == len(page.grants)
        return {grant.grant_id for grant in page.grants}

    other_id = other["grant"]["grant_id"]
    assert await ids() == {tenant.grant_id, other_id, labelled, gone}
    assert await ids(provider_id=tenant.provider) == {tenant.grant_id, labelled, gone}
    assert await ids(provider_id=other["slug"]) == {other_id}
    assert await ids(provider_id="no-such") == set()
    assert await ids(status="active") == {tenant.grant_id, other_id, labelled}
    assert await ids(status="revoked") == {gone}
    assert await ids(status="deprovisioned") == set()
    assert await ids(label="payroll") == {labelled}
    assert await ids(label="gone", status="active") == set()
    assert await ids(provider_id=other["slug"], label="payroll") == set()
    assert await ids(account="anna@example.com") == set()


async def test_last_use_is_shown(app, tenant, upstream) -> None:
    await app.proxy_request("GET", upstream.url("/status/200"), grant_id=tenant.grant_id)
    with anyio.fail_after(5):
        # It follows from the record, a moment later.
        while (item := (await app.list_grants()).grants[0]).last_used_at is None:
            await anyio.sleep(0.02)
    assert item.last_used_at > item.created_at


async def test_revoke_then_use(app, tenant, upstream, refused) -> None:
    url = upstream.url(f"/status/200?{uuid.uuid4().hex}")
    assert (await app.proxy_request("GET", url, grant_id=tenant.grant_id)).status_code == 200
    result = await app.revoke_grant(tenant.grant_id, reason="left the team")
    assert result.success and result.grant_id == tenant.grant_id and result.revoked_at
    error = await refused(
        GrantRevokedError, "grant_revoked", app.proxy_request("GET", url, grant_id=tenant.grant_id)
    )
    assert error.grant_id == tenant.grant_id
    assert error.details["status_code"] == 403 and isinstance(error, ReAuthRequiredError)
    # Final, and no longer there to be revoked.
    await refused(GrantNotFoundError, "grant_not_found", app.revoke_grant(tenant.grant_id))
    (item,) = (await app.list_grants()).grants
    assert item.status == "revoked"
    assert len(upstream.seen(url.rpartition("?")[2])) == 1
    (row,) = [row for row in tenant.audit("&event=grant.revoked") if row["outcome"] == "success"]
    assert (row["grant_id"], row["surface"]) == (tenant.grant_id, "sdk")
    assert "left the team" in str(row)


async def test_a_revoke_in_the_portal_is_felt_by_the_very_next_call(app, tenant, upstream, refused) -> None:
    url = upstream.url("/status/200")
    for _ in range(5):
        grant_id = tenant.grant()
        assert (await app.proxy_request("GET", url, grant_id=grant_id)).status_code == 200
        tenant.revoke_grant(grant_id)
        await refused(GrantRevokedError, "grant_revoked", app.proxy_request("GET", url, grant_id=grant_id))


async def test_a_label_is_free_again_after_a_revoke(app, tenant, issuer, refused) -> None:
    principal = SystemPrincipal(label="report")
    first = await issuer.create_managed_secret_grant(tenant.secret_id, principal=principal)
    call = issuer.create_managed_secret_grant(tenant.secret_id, principal=principal)
    error = await refused(SiblingLabelConflictError, "sibling_label_conflict", call)
    assert error.label == "report"
    await issuer.revoke_grant(first.grant_id)
    second = await issuer.create_managed_secret_grant(tenant.secret_id, principal=principal)
    assert second.grant_id != first.grant_id


@pytest.mark.parametrize("grant_id", [str(uuid.UUID(int=0)), str(uuid.uuid4())])
async def test_grants_that_do_not_exist(app, upstream, refused, grant_id) -> None:
    await refused(GrantNotFoundError, "grant_not_found", app.revoke_grant(grant_id))
    url = upstream.url("/status/200")
    await refused(GrantNotFoundError, "grant_not_found", app.proxy_request("GET", url, grant_id=grant_id))
    await refused(GrantNotFoundError, "grant_not_found", app.proxy_request("GET", url, grant_id="no uuid"))


async def test_an_expired_grant_says_so_everywhere(app, tenant, upstream, refused) -> None:
    url = upstream.url(f"/status/200?{uuid.uuid4().hex}")
    grant_id = tenant.grant(label="short", grant_policy={"default_ttl_seconds": 1, "max_ttl_seconds": 60})
    assert (await app.list_grants(label="short", status="active")).total == 1
    with anyio.fail_after(5):
        while (await app.list_grants(label="short", status="active")).total:
            await anyio.sleep(0.05)
    assert (await app.list_grants(label="short", status="expired")).total == 1
    error = await refused(
        GrantExpiredError, "grant_expired", app.proxy_request("GET", url, grant_id=grant_id)
    )
    assert error.provider_id == tenant.provider and error.details["status_code"] == 403
    assert upstream.seen(url.rpartition("?")[2]) == []
    # It can still be ended for good, and then says that instead.
    await app.revoke_grant(grant_id)
    await refused(GrantRevokedError, "grant_revoked", app.proxy_request("GET", url, grant_id=grant_id))


async def test_issuing_for_the_app_itself(issuer, app, tenant, upstream) -> None:
    made = await issuer.create_managed_secret_grant(tenant.secret_id, principal=SystemPrincipal())
    assert (made.principal_type, made.label) == ("system", None)
    assert made.credential_id and made.created_at
    result = await app.proxy_request("GET", upstream.url("/status/200"), grant_id=made.grant_id)
    assert result.status_code == 200
    timed = await issuer.create_managed_secret_grant(
        tenant.secret_id, principal=SystemPrincipal(label="timed"), grant_policy={"max_ttl_seconds": 60}
    )
    (item,) = (await app.list_grants(label="timed")).grants
    assert item.grant_id == timed.grant_id and item.grant_expires_at
    assert item.grant_policy is not None and item.grant_policy["max_ttl_seconds"] == 60


async def test_issuing_for_a_group(issuer, app, tenant) -> None:
    principal = GroupPrincipal(external_group_id="org_eng", idp_id=str(uuid.uuid4()), label="engineering")
    made = await issuer.create_managed_secret_grant(tenant.secret_id, principal=principal)
    assert (made.principal_type, made.label) == ("group", "engineering")
    (item,) = (await app.list_grants(label="engineering")).grants
    assert (item.grant_id, item.principal_type) == (made.grant_id, "group")


async def test_what_cannot_be_issued(issuer, app, tenant, refused) -> None:
    before = (await app.list_grants()).total

    def issue(principal, secret_id=tenant.secret_id, client=issuer, **more):  # type: ignore[no-untyped-def]
        return client.create_managed_secret_grant(secret_id, principal=principal, **more)

    system = SystemPrincipal()
    someone = UserPrincipal(user_token="ey.no.jwt", label="Anna")
    # No identity provider is configured, so no user can be known.
    await refused(ReAuthRequiredError, "jwt_validation_error", issue(someone))
    await refused(BackendError, "invalid_principal", issue(AgentPrincipal()))
    error = await refused(InsufficientScopeError, "insufficient_scope", issue(system, client=app))
    assert error.missing == ["secrets:write"]
    for policy, code in [
        ({"max_ttl_seconds": 10, "default_ttl_seconds": 11}, "invalid_grant_policy"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "invalid_grant_policy"),
    ]:
        await refused(BackendError, code, issue(system, grant_policy=policy))
    assert (await app.list_grants()).total == before


async def test_a_secret_that_is_not_there_cannot_be_issued_on(
    issuer, tenant, portal, upstream, refused
) -> None:
    system = SystemPrincipal()
    foreign = portal.tenant(upstream.host).secret_id
    for secret_id in [foreign, str(uuid.uuid4()), "no-uuid"]:
        call = issuer.create_managed_secret_grant(secret_id, principal=system)
        await refused(ConnectConfigError, "secret_not_found", call)
    other = str(uuid.uuid4())
    call = issuer.create_managed_secret_grant(tenant.secret_id, principal=system, credential_id=other)
    await refused(GrantNotFoundError, "not_found", call)


async def test_several_matches_are_never_guessed_between(app, tenant, upstream, refused) -> None:
    mark = uuid.uuid4().hex
    url = upstream.url(f"/status/200?{mark}")
    grants = {tenant.grant(user(), label=label): label for label in ["Anna", "Ben"]}
    call = app.proxy_request("GET", url, provider=tenant.provider)
    error = await refused(AmbiguousGrantError, "ambiguous_grant", call)
    assert error.provider_id == tenant.provider
    assert set(error.grant_ids) == set(grants)
    assert {candidate.grant_id: candidate.label for candidate in error.candidates} == grants
    assert error.candidates_truncated is False and error.account_identifiers == []
    assert upstream.seen(mark) == []
    for grant_id, label in grants.items():
        result = await app.proxy_request("GET", url, provider=tenant.provider, label=label)
        assert result.status_code == 200
        (row, *_) = tenant.audit("&event=call")
        assert row["grant_id"] == grant_id
    missing = app.proxy_request("GET", url, provider=tenant.provider, label="Carl")
    error = await refused(GrantNotFoundError, "grant_not_found", missing)
    assert error.provider_id == tenant.provider
    account = app.proxy_request("GET", url, provider=tenant.provider, account="a@b.example")
    await refused(GrantNotFoundError, "grant_not_found", account)


async def test_more_candidates_than_are_told(app, tenant, upstream, refused) -> None:
    for number in range(21):
        tenant.grant(user(), label=f"user {number}")
    call = app.proxy_request("GET", upstream.url("/status/200"), provider=tenant.provider)
    error = await refused(AmbiguousGrantError, "ambiguous_grant", call)
    assert len(error.candidates) == 20 and error.candidates_truncated is True


async def test_one_users_grant_is_found_by_the_users_id(app, tenant, upstream) -> None:
    anna, ben = user(), user()
    grants = {who["user_id"]: tenant.grant(who, label=who["user_id"]) for who in (anna, ben)}
    for user_id, grant_id in grants.items():
        await app.proxy_request(
            "GET", upstream.url("/status/200"), provider=tenant.provider, app_user_id=user_id
        )
        (row, *_) = tenant.audit("&event=call")
        assert (row["grant_id"], row["principal_user_id"]) == (grant_id, user_id)


@pytest.mark.parametrize("token", ["x", "ey.ey.sig", "x" * 8193])
async def test_a_user_token_is_never_ignored(app, tenant, upstream, refused, token) -> None:
    """Without an identity provider no token can be verified; dropping it would widen the call to the app."""
    mark = uuid.uuid4().hex
    url = upstream.url(f"/status/200?{mark}")
    for label in ["Anna", "Ben"]:
        tenant.grant(user(), label=label)
    for call in [
        lambda: app.proxy_request("GET", url, grant_id=tenant.grant_id, user_token=token),
        lambda: app.proxy_request("GET", url, provider=tenant.provider, user_token=token),
        lambda: app.proxy_request("GET", url, provider="no-such-provider", user_token=token),
        lambda: app.list_grants(end_user_token=token),
    ]:
        await refused(ReAuthRequiredError, "jwt_validation_error", call())
    async with tenant.sdk(user_token_getter=lambda: token) as with_getter:
        call = with_getter.revoke_grant(tenant.grant_id)
        await refused(ReAuthRequiredError, "jwt_validation_error", call)
    assert upstream.seen(mark) == []
    assert (await app.list_grants(status="active")).total == 3


async def test_a_key_without_the_scope(tenant, upstream, refused) -> None:
    url = upstream.url(f"/status/200?{uuid.uuid4().hex}")
    cases = [
        (["grants:read"], "proxy:execute", lambda a: a.proxy_request("GET", url, grant_id=tenant.grant_id)),
        (["grants:read"], "proxy:execute", lambda a: a.proxy_request("GET", url, provider=tenant.provider)),
        (["grants:read"], "grants:write", lambda a: a.revoke_grant(tenant.grant_id)),
        (["proxy:execute"], "grants:read", lambda a: a.list_grants()),
        (
            ["secrets:read"],
            "secrets:write",
            lambda a: a.create_managed_secret_grant(tenant.secret_id, principal=SystemPrincipal()),
        ),
    ]
    for scopes, required, call in cases:
        async with tenant.sdk(tenant.mint_key(scopes=scopes)["api_key"]) as app:
            error = await refused(InsufficientScopeError, "insufficient_scope", call(app))
            assert (error.required, error.granted, error.missing) == ([required], scopes, [required])
    async with tenant.sdk(tenant.mint_key(scopes=["grants:admin"])["api_key"]) as app:
        assert (await app.list_grants()).total == 1, (
            "admin includes read, and the refused revoke had no effect"
        )
    assert upstream.seen(url.rpartition("?")[2]) == []
