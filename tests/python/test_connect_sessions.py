"""`create_connect_session`: every option (wire protocol section 4.4)."""

from __future__ import annotations

import datetime
import json
import urllib.parse

import anyio
import pytest
from alter_sdk import (
    AlterValueError,
    BackendError,
    InsufficientScopeError,
    ReAuthRequiredError,
)

from oauth_provider import IDENTITY, account
from person import CONNECT, POLL, Person, connect_one, raw_create, visit


async def test_a_session_says_where_to_go_and_how_long(app, connected, base_url) -> None:
    before = datetime.datetime.now(datetime.UTC)
    session = await app.create_connect_session(allowed_providers=["notes"])
    assert session.session_token.startswith("sess_") and len(session.session_token) > 40
    assert session.connect_url == f"{base_url}{CONNECT}#session={session.session_token}"
    assert session.expires_in == 600
    ends = datetime.datetime.fromisoformat(session.expires_at)
    assert abs((ends - before).total_seconds() - 600) < 10
    assert (session.single_provider, session.direct, session.scope_constraint_warnings) == (True, False, [])
    others = await app.create_connect_session(allowed_providers=["notes"], direct=True)
    assert others.direct and others.session_token != session.session_token


async def test_b054_only_what_is_allowed_is_offered_and_taken(app, several, provider) -> None:
    person = Person()
    session = await app.create_connect_session(allowed_providers=[" Notes ", "notes", "CALENDAR"])
    assert not session.single_provider
    page = await anyio.to_thread.run_sync(person.open, session.connect_url)
    offered = [dict(b.fields)["provider"] for b in page.buttons if b.text.startswith("Connect")]
    assert offered == ["notes", "calendar"]
    forged = page.button("Connect", provider="notes")
    page = await anyio.to_thread.run_sync(lambda: person.submit(forged, provider="photos"))
    assert page.status == 404 and len(person.hops) == 4
    # None named: all that the app has.
    session = await app.create_connect_session()
    page = await anyio.to_thread.run_sync(Person().open, session.connect_url)
    assert all(page.offers("Connect", provider=name) for name in ("notes", "calendar", "photos"))


async def test_providers_that_the_app_does_not_have(app, several, refused) -> None:
    create = app.create_connect_session
    for names in (["github"], ["notes", "github"], ["no such/thing"]):
        await refused(BackendError, "provider_not_configured", create(allowed_providers=names))
    several.switch_provider("photos", on=False)
    await refused(BackendError, "provider_not_configured", create(allowed_providers=["photos"]))
    session = await create()
    page = await anyio.to_thread.run_sync(Person().open, session.connect_url)
    assert page.offers("Connect", provider="notes") and not page.offers("Connect", provider="photos")


async def test_an_app_without_providers_has_nothing_to_connect(app, refused) -> None:
    error = await refused(BackendError, "no_provider_configured", app.create_connect_session())
    assert error.details["status_code"] == 409


async def test_b058_scopes_are_those_of_the_session_within_the_apps_list(
    app, connected, provider, refused
) -> None:
    provider.sign_in(account())
    wide = await connect_one(app, required_scopes={" Notes ": ["notes:read", "notes:write"]})
    assert set(wide.scopes) == {*IDENTITY, "notes:read", "notes:write"}
    narrow = await connect_one(app, required_scopes={"notes": []}, switch_account=True)
    assert set(narrow.scopes) == set(IDENTITY)
    create = app.create_connect_session
    for scopes in (["notes:delete"], ["notes:read", "notes:*"], [""]):
        call = create(allowed_providers=["notes"], required_scopes={"notes": scopes})
        error = await refused(BackendError, "scope_not_allowed", call)
        assert error.details["status_code"] == 400
    call = create(allowed_providers=["notes"], required_scopes={"calendar": ["notes:read"]})
    await refused(BackendError, "provider_not_configured", call)


async def test_what_the_operator_requires_is_always_asked_for(app, connected, provider) -> None:
    scopes = {"allowed": ["notes:read", "notes:write"], "default": [], "required": ["notes:write"]}
    connected.change_provider("notes", scopes=scopes)
    provider.sign_in(account())
    result = await connect_one(app)
    assert set(result.scopes) == {*IDENTITY, "notes:write"}


async def test_b056_an_allowed_origin_is_an_origin(app, connected, provider, refused) -> None:
    provider.sign_in(account())
    for given, told in [
        ("https://shop.example", "https://shop.example"),
        ("https://shop.example/", "https://shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        (None, None),
    ]:
        session = await app.create_connect_session(allowed_providers=["notes"], allowed_origin=given)
        page = await visit(Person(), session.connect_url, "notes")
        assert page.data.get("origin") == told
        message = json.loads(page.data["message"])
        assert message["type"] == "alter_connect_success"
        (grant,) = message["grants"]
        (result,) = await app.poll_connect_session(session.session_token, **POLL)
        assert (grant["grant_id"], grant["provider"]) == (result.grant_id, "notes")
    for bad in (
        "*",
        "https://shop.example/path",
        "https://*.example",
        "shop.example",
        "http://shop.example",
        "",
    ):
        call = app.create_connect_session(allowed_providers=["notes"], allowed_origin=bad)
        error = await refused(BackendError, "invalid_allowed_origin", call)
        assert error.details["status_code"] == 422


async def test_b057_the_way_back_is_the_one_that_the_app_fixed(app, connected, provider, refused) -> None:
    who = account()
    provider.sign_in(who)
    back = "https://shop.example/done?tab=2"
    session = await app.create_connect_session(allowed_providers=["notes"], return_url=back)
    page = await visit(Person(), session.connect_url, "notes")
    to = urllib.parse.urlsplit(page.data["return"])
    assert f"{to.scheme}://{to.netloc}{to.path}" == "https://shop.example/done"
    query = dict(urllib.parse.parse_qsl(to.query))
    (result,) = await app.poll_connect_session(session.session_token, **POLL)
    assert query.pop("tab") == "2" and query.pop("timestamp")
    assert query == {
        "alter_connect_success": "true",
        "grant_id": result.grant_id,
        "provider": "notes",
        "provider_name": "Notes",
        "account_identifier": who,
        "operation": "creation",
        "scopes": ",".join(result.scopes),
        "status": "active",
    }
    session = await app.create_connect_session(allowed_providers=["notes"], return_url=back)
    person = Person()
    await anyio.to_thread.run_sync(person.open, session.connect_url)
    page = await anyio.to_thread.run_sync(person.cancel)
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.data["return"]).query))
    assert query["tab"] == "2" and query["alter_connect_error"] == query["error_code"] == "connect_denied"
    assert query["error_description"] and "grant_id" not in query
    for bad in ("/done", "http://shop.example/", "javascript:alert(1)", "https://shop.example/#x", ""):
        call = app.create_connect_session(allowed_providers=["notes"], return_url=bad)
        error = await refused(BackendError, "invalid_return_url", call)
        assert error.details["status_code"] == 422


@pytest.mark.parametrize(
    "bounds",
    [
        {"default_ttl_seconds": 600, "max_ttl_seconds": 3600},
        {"max_ttl_seconds": 600},
        {"default_ttl_seconds": 600},
    ],
)
async def test_a_grant_ends_when_the_app_wants(app, connected, provider, bounds) -> None:
    provider.sign_in(account())
    result = await connect_one(app, grant_policy=bounds)
    assert result.grant_policy is not None
    ends = datetime.datetime.fromisoformat(result.grant_policy.expires_at)
    assert 580 < (ends - datetime.datetime.now(datetime.UTC)).total_seconds() <= 600
    (item,) = (await app.list_grants(provider_id="notes")).grants
    assert datetime.datetime.fromisoformat(item.grant_expires_at) == ends


async def test_terms_that_cannot_be_kept_are_refused(app, connected, refused) -> None:
    create = app.create_connect_session
    for bounds in ({"default_ttl_seconds": 3600, "max_ttl_seconds": 600}, {"max_ttl_seconds": 0}):
        with pytest.raises((BackendError, AlterValueError)):
            await create(allowed_providers=["notes"], grant_policy=bounds)
    call = create(
        allowed_providers=["notes"],
        requested_grant={"label": "read-only", "restrictions": {"allowed_methods": ["GET"]}},
    )
    error = await refused(BackendError, "invalid_requested_grant", call)
    assert error.details["status_code"] == 422
    response = await raw_create(app, allowed_providers=["notes"], surprise=True)
    assert (response.status_code, response.json()["error"]) == (422, "unknown_field")


async def test_a_label_makes_a_sibling_on_the_same_connection(app, connected, provider) -> None:
    who = account()
    provider.sign_in(who)
    plain = await connect_one(app)
    payroll = await connect_one(app, requested_grant={"label": "payroll"})
    again = await connect_one(app, requested_grant={"label": "payroll"})
    assert plain.grant_id != payroll.grant_id
    assert (payroll.operation, again.operation, again.grant_id) == ("creation", "reauth", payroll.grant_id)
    items = {item.grant_id: item for item in (await app.list_grants(provider_id="notes")).grants}
    assert items[payroll.grant_id].label == "payroll" and items[plain.grant_id].label is None
    assert items[payroll.grant_id].credential_id == items[plain.grant_id].credential_id


async def test_users_and_agents_wait_for_an_identity_provider(app, connected, refused) -> None:
    create = app.create_connect_session
    one = ["notes"]
    agent = connected.agent()
    for name in (agent.agent_id, "no-such-agent"):
        call = create(allowed_providers=one, agent=name)
        error = await refused(BackendError, "agent_requires_user_token", call)
        assert error.details["status_code"] == 400
    call = create(allowed_providers=one, user_token="eyJhbGciOiJub25lIn0.e30.")
    error = await refused(ReAuthRequiredError, "jwt_validation_error", call)
    assert error.details["status_code"] == 401
    for value in (True, False):
        call = create(allowed_providers=one, delegable=value)
        await refused(BackendError, "delegable_requires_agent", call)
    call = create(allowed_providers=one, scope_constraint=["notes:read"])
    error = await refused(BackendError, "invalid_scope_constraint", call)
    assert error.details["status_code"] == 422


async def test_the_rest_of_what_can_be_said(app, connected, provider, refused) -> None:
    provider.sign_in(account())
    result = await connect_one(
        app,
        metadata={"ip_address": "203.0.113.7", "user_agent": "shop/1.0"},
        allow_user_policy_rules=False,
        direct=False,
    )
    assert result.operation == "creation"
    response = await raw_create(app, allowed_providers=["notes"], metadata={"password": "x"})
    assert (response.status_code, response.json()["error"]) == (422, "invalid_metadata")
    for providers in (None, ["notes", "calendar"]):
        response = await raw_create(app, allowed_providers=providers or ["notes"], direct="yes")
        assert response.status_code == 400


async def test_a_key_needs_the_scope_for_it(connected, refused) -> None:
    async with connected.sdk(connected.mint_key(scopes=["grants:read"])["api_key"]) as app:
        for call in (
            app.create_connect_session(allowed_providers=["notes"]),
            app.poll_connect_session("sess_whatever", **POLL),
        ):
            error = await refused(InsufficientScopeError, "insufficient_scope", call)
            assert error.required == ["connect:initiate"]


async def test_the_catalogue_of_an_app_is_what_can_be_connected(app, several) -> None:
    several.switch_provider("photos", on=False)
    catalog = await app.oauth_providers.list()
    assert set(catalog.providers) == {"notes", "calendar"}
    notes = catalog.providers["notes"]
    assert (notes.id, notes.display_name, notes.status) == ("notes", "Notes", "active")
    assert notes.supports_refresh and notes.supports_pkce
    assert set(notes.available_scopes) == {"notes:read", "notes:write"}
    assert notes.available_scopes["notes:read"].description == "read your notes"
    assert (notes.default_scopes, notes.required_scopes) == (["notes:read"], [])
