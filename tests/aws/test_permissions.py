"""Every function does all that it is there for, and what it asked AWS for is held against what its role allows.

The emulator enforces no permission; infra/check/permissions.py does. It finds a call that the template does not allow, and a
permission that nothing here used: then either the permission goes, or what needs it is missing below.
"""

from __future__ import annotations

import base64
import json
import pathlib
import uuid
from typing import Any

import httpx
import permissions
import pytest
import recorded
import template
from account import Account
from connecting import age, browsing, finish_early, look_now
from idp import Idp, auth0, clerk, fresh_clerk_secret
from portal import Bot, Portal, Tenant, canary, user
from recorder import Call
from signing import signed
from toy import CLIENT_ID, Toy
from upstream import Upstream
from waiting import until
from wallet import at_the_wallet

TOLD_SECONDS = 30
# A departure rests for half a minute before it is said to be finished.
FINISHED_SECONDS = 90
# One white pixel.
LOGO = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)
# Prefix and id of a key (docs/signing.md).
PUBLIC = {"alter_key_app_": 12, "alter_key_agent_": 10}


class Client:
    """Calls by key id: the function has to open the key's signing key."""

    def __init__(self, base_url: str, key: str) -> None:
        self.base_url, self.key = base_url, key

    def call(self, method: str, path: str, body: Any = None, expect: int = 200, **alter: str) -> httpx.Response:
        content = b"" if body is None else json.dumps(body).encode()
        headers = signed(self.key, method, path, content, **alter)
        headers["X-Alter-Key-Id"] = public_part(headers.pop("X-Api-Key"))
        answer = httpx.request(method, self.base_url + path, headers=headers, content=content, timeout=30)
        assert answer.status_code == expect, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer


def public_part(key: str) -> str:
    (prefix,) = [prefix for prefix in PUBLIC if key.startswith(prefix)]
    return key[: len(prefix) + PUBLIC[prefix]]


@pytest.fixture
def bot(tenant: Tenant) -> Bot:
    return tenant.agent()


def test_each_function_does_what_its_role_allows_and_no_more(
    account: Account,
    base_url: str,
    portal: Portal,
    tenant: Tenant,
    bot: Bot,
    upstream: Upstream,
    toy: Toy,
    idp: Idp,
    site: None,
    tmp_path: pathlib.Path,
) -> None:
    scopes = [
        "proxy:execute",
        "grants:read",
        "grants:write",
        "secrets:write",
        "audit_logs:read",
        "connect:initiate",
        "providers:read",
    ]
    key = tenant.mint_key(scopes=scopes)
    app, agent, person = Client(base_url, key["api_key"]), Client(base_url, bot.key), user()
    of_agent, of_person = bot.grant(), tenant.grant(person, label="Shop")
    call(app, agent, tenant, person, upstream)
    forward(app, agent, tenant, upstream)
    issued = list_and_issue(app, agent, tenant)
    account.rows(tenant, 10)
    read_the_record(app, agent, tenant, of_agent, person)
    app.call("POST", f"/sdk/oauth/grants/{issued}/revoke", {})
    agent.call("POST", f"/sdk/oauth/grants/{of_agent}/revoke", {}, expect=404)
    register(portal, tenant, toy)
    connections(account, app, agent, tenant, toy)
    users(account, app, tenant, upstream, idp, toy)
    in_the_wallet(account, app, tenant, idp, toy)
    tenant.call("DELETE", "/identity-provider/webhooks/clerk")
    tenant.call("DELETE", "/identity-provider")
    operate(portal)
    operate_on(tenant, bot, of_agent, of_person, person)
    assert problems(account, account.recorder.of(), tmp_path) == []


def test_a_portal_that_starts_again_seals_and_opens_nothing(account: Account, tenant: Tenant, tmp_path: pathlib.Path) -> None:
    """It has none of the data keys in memory that the one before it made, and needs none: it makes its own (docs/adr/0008)."""
    account.kill("portal")
    before = len(account.recorder.of())
    tenant.mint_key()
    tenant.add_secret("Another", canary())
    opened = [problem for problem in problems(account, account.recorder.of()[before:], tmp_path) if "not allowed" in problem]
    assert opened == []


def problems(account: Account, calls: list[Call], directory: pathlib.Path) -> list[str]:
    """What the permission check says of these calls."""
    file = directory / "calls.json"
    recorded.write(file, calls, account.stack.names, account.stack.functions)
    return list(permissions.broken(template.translate(template.read()), json.loads(file.read_text())))


def call(app: Client, agent: Client, tenant: Tenant, person: dict[str, str], upstream: Upstream) -> None:
    request = {"method": "GET", "url": upstream.url("/echo/permissions"), "reason": None}
    app.call("POST", "/sdk/proxy", {**request, "grant_id": tenant.grant_id})
    agent.call("POST", "/sdk/proxy", {**request, "provider_id": tenant.provider})
    app.call("POST", "/sdk/proxy", {**request, "provider_id": tenant.provider})
    app.call("POST", "/sdk/proxy", {**request, "provider_id": tenant.provider, "app_user_id": person["user_id"]})
    app.call("POST", "/sdk/token", {"grant_id": tenant.grant_id}, expect=400)


def forward(app: Client, agent: Client, tenant: Tenant, upstream: Upstream) -> None:
    target = upstream.url("/echo/permissions")
    app.call("GET", "/v1/forward", target=target, grant=tenant.grant_id)
    agent.call("GET", "/v1/forward", target=target, provider=tenant.provider)
    app.call("GET", "/v1/forward", target=target, provider=tenant.provider)


def list_and_issue(app: Client, agent: Client, tenant: Tenant) -> str:
    """A grant that was issued, with a label."""
    for client in (app, agent):
        assert client.call("POST", "/sdk/grants/list", {"limit": 10, "offset": 0}).json()["grants"]
    group = {"type": "group", "idp_id": str(uuid.uuid4()), "external_group_id": "sales", "label": "Sales"}
    path, body = f"/sdk/managed-secrets/{tenant.secret_id}/grants", {"principal": group, "grant_policy": {}}
    issued = app.call("POST", path, body).json()["grant_id"]
    # The label is taken.
    app.call("POST", path, body, expect=409)
    return issued


def read_the_record(app: Client, agent: Client, tenant: Tenant, of_agent: str, person: dict[str, str]) -> None:
    app.call("GET", "/v1/audit")
    app.call("GET", "/v1/audit/export")
    app.call("GET", f"/v1/audit?grant_id={of_agent}")
    app.call("GET", f"/v1/audit?user_id={person['user_id']}")
    agent.call("GET", "/v1/audit")


def register(portal: Portal, tenant: Tenant, toy: Toy) -> None:
    known = portal.call("GET", "/providers")["items"]
    portal.call("GET", f"/providers/{known[0]['provider_id']}")
    proof = {"client_secret": toy.client_secret}
    tenant.call("POST", "/providers", {"definition": toy.definition(), "client_id": CLIENT_ID, **proof})
    tenant.call("GET", "/providers")
    tenant.call("GET", "/providers/toy")
    tenant.call("PATCH", "/providers/toy", {"scopes": {"required": ["notes:read"]}})
    tenant.call("PUT", "/providers/toy/client-secret", proof)
    tenant.call("POST", "/providers/toy/disable")
    tenant.call("POST", "/providers/toy/enable")


def connections(account: Account, app: Client, agent: Client, tenant: Tenant, toy: Toy) -> None:
    of_ada = connect(app, toy, requested_grant={"label": "Notes"})
    # Ada's account once more, and her grant by its name. An agent's own key has no grant here that it could have renewed.
    assert connect(app, toy)
    assert connect(app, toy, repair_grant_id=of_ada) == of_ada
    agent.call("POST", "/sdk/oauth/connect/session", {"repair_grant_id": of_ada}, expect=404)
    toy.account = "bob"
    of_bob = connect(app, toy)
    toy.account = "carol"
    finish_early(session(app)["connect_url"], toy)

    target = toy.url("/api/permissions")
    request = {"method": "GET", "url": target, "reason": None}
    age(account, toy, hours=2)
    app.call("POST", "/sdk/proxy", {**request, "grant_id": of_ada})
    app.call("GET", "/v1/forward", target=target, grant=of_bob)
    # App-bound grants are called by their ids.
    app.call("POST", "/sdk/proxy", {**request, "provider_id": "toy"}, expect=404)
    app.call("GET", "/v1/forward", target=target, provider="toy", expect=404)
    renewed = toy.count("refresh_token")
    age(account, toy, days=60)
    look_now(account)
    until(lambda: toy.count("refresh_token") >= renewed + 2, TOLD_SECONDS, "the refresh tokens were kept alive")

    app.call("POST", "/sdk/grants/list", {"limit": 10, "offset": 0})
    for grant in oauth_grants(tenant, "user-ada"):
        app.call("POST", f"/sdk/oauth/grants/{grant}/revoke", {})
    # With the registration goes what hangs on it.
    tenant.revoke_grant(of_bob)
    toy.account = "eve"
    connect(app, toy)
    until(lambda: account.items("MainTable", "revocation#") == [], TOLD_SECONDS, "the provider was told")
    tenant.call("DELETE", "/providers/toy?force=true&abandon_revocations=true")
    until(lambda: account.items("MainTable", "revocation#") == [], TOLD_SECONDS, "no task is left")


def users(account: Account, app: Client, tenant: Tenant, upstream: Upstream, idp: Idp, toy: Toy) -> None:
    added = idp.register(tenant)
    tenant.call("GET", "/identity-provider")
    ada = f"auth0|{uuid.uuid4().hex}"

    def token() -> dict[str, str]:
        return {"user_token": idp.token(ada, "sales")}

    app.call("POST", "/sdk/identity/resolve", token())
    (shown,) = [user for user in tenant.users() if user["subject"] == ada]
    user_id = tenant.user(shown["user_id"])["user_id"]
    group = {"type": "group", "idp_id": added["idp_id"], "external_group_id": "sales"}
    path, policy = f"/sdk/managed-secrets/{tenant.secret_id}/grants", {"grant_policy": {}}
    of_user = app.call("POST", path, {"principal": {"type": "user", "label": "Own", **token()}, **policy}).json()["grant_id"]
    of_group = tenant.grant(group, label="Of the group")

    target, named = upstream.url("/echo/permissions"), {"provider_id": tenant.provider}
    app.call("POST", "/sdk/proxy", {"method": "GET", "url": target, "reason": None, **named, **token()}, expect=409)
    app.call("GET", "/v1/forward", expect=409, target=target, provider=tenant.provider, **token())
    app.call("GET", "/v1/forward", target=target, grant=of_user, **token())
    assert app.call("POST", "/sdk/grants/list", {"limit": 10, "offset": 0, **token()}).json()["grants"]
    app.call("POST", f"/sdk/oauth/grants/{of_user}/revoke", token())
    tenant.revoke_grant(of_group)
    tenant.call("POST", "/providers", {"definition": toy.definition(), "client_id": CLIENT_ID, "client_secret": toy.client_secret})
    connect(app, toy, **token())
    tenant.grant({"type": "user", "user_id": user_id}, label="By the operator")
    sign_in(app, tenant)
    told(account, app, tenant, idp, ada, user_id)


def sign_in(app: Client, tenant: Tenant) -> None:
    """As far as the identity provider's own page."""
    tenant.call("PUT", "/identity-provider/client", {"client_id": "vault", "client_secret": canary()})
    begun = app.call("POST", "/sdk/auth/session", {}, expect=201).json()
    app.call("POST", "/sdk/auth/poll", {"session_token": begun["session_token"]})
    httpx.get(begun["auth_url"], timeout=30)
    tenant.call("DELETE", "/identity-provider/client")


def told(account: Account, app: Client, tenant: Tenant, idp: Idp, ada: str, user_id: str) -> None:
    """What the identity provider tells: of Ada, of her groups, and of somebody whom nobody knows here."""
    secret = fresh_clerk_secret()
    of_clerk = idp.enable(tenant, "clerk", secret=secret)["webhook"]["url"]
    of_auth0 = idp.enable(tenant, "auth0")
    membership = {"organization": {"id": "sales"}, "public_user_data": {"user_id": ada}}
    assert clerk(of_clerk, secret, "organizationMembership.deleted", **membership).status_code == 200
    tenant.change_user(user_id, "suspend")
    tenant.change_user(user_id, "reactivate")
    app.call("POST", "/sdk/identity/resolve", {"user_token": idp.token("bob")})
    (bob,) = [user for user in tenant.users() if user["subject"] == "bob"]
    tenant.change_user(bob["user_id"], "deprovision")
    for gone in (f"auth0|{uuid.uuid4().hex}", ada):
        assert auth0(of_auth0["webhook"]["url"], of_auth0["secret"], "sdu", gone).status_code == 200

    def finished() -> bool:
        look_now(account)
        return account.items("MainTable", "deprovision#") == []

    until(finished, FINISHED_SECONDS, "the departures are done with")


def in_the_wallet(account: Account, app: Client, tenant: Tenant, idp: Idp, toy: Toy) -> None:
    """Everything that its page has, by somebody with a secret's grant, a connection, and a group's grant."""
    idp.register_client(tenant)
    eve = idp.person = f"auth0|{uuid.uuid4().hex}"
    idp.groups = ["support"]
    connection = connect(app, toy, user_token=idp.token(eve))
    (shown,) = [user for user in tenant.users() if user["subject"] == eve]
    person = {"type": "user", "user_id": shown["user_id"]}
    limits = {"default_ttl_seconds": 3600, "max_ttl_seconds": 7200}
    of_secret = tenant.grant(person, label="Eve's", grant_policy=limits)
    idp_id = tenant.call("GET", "/identity-provider")["idp_id"]
    tenant.grant({"type": "group", "idp_id": idp_id, "external_group_id": "support"}, label="Support")
    tenant.call("PATCH", "", {"wallet_listed": True})
    operator = {"Authorization": f"Bearer {account.first_operator_token()}", "Content-Type": "image/png"}
    logo_at = f"{account.edge.base_url}/portal/v1/apps/{tenant.app_id}/logo"
    assert httpx.put(logo_at, content=LOGO, headers=operator, timeout=30).status_code == 200
    with at_the_wallet(account.distribution) as wallet:
        offered = wallet.get(f"/sign-in?app={tenant.app_id}")
        assert [one["app_id"] for one in offered["apps"]] == [tenant.app_id]
        logo = wallet.page(offered["app"]["branding"]["logo_url"])
        assert logo.headers["content-type"] == "image/png"
        # Twice: the second session takes the place of the first.
        wallet.enter(tenant.app_id)
        wallet.enter(tenant.app_id)
        grants = {one["grant_id"]: one for one in wallet.get("/overview")["grants"]}
        assert {connection, of_secret} < grants.keys() and len(grants) == 3
        assert wallet.get("/approvals") == {"items": []}
        later = grants[of_secret]["extendable_to"]
        assert wallet.post(f"/grants/{of_secret}/extend", {"expires_at": later}).status_code == 200
        for path in ("/activity", f"/activity?grant_id={of_secret}", "/activity/counts"):
            wallet.get(path)
        assert wallet.ask("GET", "/activity/export?format=csv").status_code == 200
        for grant in (of_secret, connection):
            wallet.get(f"/grants/{grant}")
            assert wallet.post(f"/grants/{grant}/revoke", {}).status_code == 200
        assert wallet.post("/sign-out", {}).status_code == 200
    tenant.call("DELETE", "/logo")


def session(client: Client, **options: Any) -> dict[str, Any]:
    return client.call("POST", "/sdk/oauth/connect/session", {"allowed_providers": None, **options}).json()


def connect(client: Client, toy: Toy, **options: Any) -> str:
    """A grant on the toy's account, by way of a link."""
    opened = session(client, **options)
    with browsing() as browser:
        done = browser.connect(opened["connect_url"])
    assert done.kind == "done", done.text
    token = {"session_token": opened["session_token"]}
    polled = client.call("POST", "/sdk/oauth/connect/session/poll", token).json()
    assert polled["status"] == "completed", polled
    client.call("GET", "/sdk/oauth/provider-catalog")
    return polled["grants"][0]["grant_id"]


def oauth_grants(tenant: Tenant, account_identifier: str) -> list[str]:
    live = [one for one in tenant.call("GET", "/grants")["items"] if one["kind"] == "oauth" and one["status"] == "active"]
    return [one["grant_id"] for one in live if one["connection"]["account_identifier"] == account_identifier]


def operate(portal: Portal) -> None:
    for path in ("/me", "/tokens", "/templates", "/apps", "/audit"):
        portal.call("GET", path)
    token = portal.call("POST", "/tokens", {"name": "Short", "permission": "read"})["token"]
    portal.call("DELETE", f"/tokens/{token['token_id']}")


def operate_on(tenant: Tenant, bot: Bot, of_agent: str, of_person: str, person: dict[str, str]) -> None:
    for path in ("", "/keys", "/agents", "/secrets", "/grants", f"/agents/{bot.agent_id}", f"/grants/{of_agent}"):
        tenant.call("GET", path)
    for filtered in (f"agent_id={bot.agent_id}", f"user_id={person['user_id']}"):
        tenant.call("GET", f"/grants?{filtered}")
        tenant.call("GET", f"/audit?{filtered}")
    rows = tenant.call("GET", f"/audit?grant_id={of_agent}")["items"]
    tenant.call("GET", f"/audit/{rows[0]['id']}")
    tenant.call("PATCH", "", {"name": "Renamed"})
    tenant.call("POST", "/archive")
    tenant.call("POST", "/unarchive")

    key_id = tenant.mint_key()["key"]["key_id"]
    tenant.call("GET", f"/keys/{key_id}")
    tenant.rotate_key(key_id, 60)
    tenant.revoke_key(key_id)

    # Its label is taken, until the grant ends.
    with pytest.raises(AssertionError, match="409"):
        tenant.grant(user(), label="Shop")
    tenant.revoke_grant(of_person)
    bot.revoke()

    secret = f"/secrets/{tenant.secret_id}"
    tenant.call("GET", secret)
    tenant.call("PATCH", secret, {"name": "Renamed"})
    tenant.replace_secret(canary())
    tenant.call("DELETE", secret)
