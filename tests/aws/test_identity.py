"""Users over the account: a token finds its user's grants, and somebody who has left is denied at once and loses everything."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from account import Account
from connecting import browsing, look_now, register
from idp import Idp, auth0, clerk, fresh_clerk_secret
from portal import Tenant, canary
from signing import signed
from toy import Family, Toy
from upstream import Upstream
from waiting import until

FOLLOWED_UP_SECONDS = 30
# The second pass comes half a minute after the one that found nothing more.
FINISHED_SECONDS = 60


@pytest.fixture
def idp() -> Iterator[Idp]:
    with contextlib.closing(Idp()) as idp:
        yield idp


@dataclasses.dataclass
class Shop:
    base_url: str
    tenant: Tenant
    idp: Idp
    upstream: Upstream

    def send(self, path: str, body: dict[str, Any]) -> httpx.Response:
        content = json.dumps(body).encode()
        headers = signed(self.tenant.key, "POST", path, content)
        return httpx.post(self.base_url + path, headers=headers, content=content, timeout=30)

    def call(self, sub: str, **chosen: str) -> httpx.Response:
        """A call with the user's token."""
        request = {"method": "GET", "url": self.upstream.url("/echo/identity"), "reason": None}
        named = chosen or {"provider_id": self.tenant.provider}
        return self.send("/sdk/proxy", {**request, **named, "user_token": self.idp.token(sub)})

    def refused(self, sub: str) -> str:
        answer = self.call(sub)
        assert answer.status_code == 403, answer.text
        return answer.json()["error"]

    def user(self, sub: str) -> str:
        """Their id; the first token makes them known."""
        resolved = self.send("/sdk/identity/resolve", {"user_token": self.idp.token(sub)})
        assert resolved.status_code == 200, resolved.text
        (found,) = [user for user in self.tenant.users() if user["subject"] == sub]
        return found["user_id"]

    def granted(self, sub: str, count: int = 1) -> tuple[str, list[str]]:
        """Somebody with grants on the tenant's secret, and on others."""
        user_id = self.user(sub)
        principal = {"type": "user", "user_id": user_id}
        grants = [self.tenant.grant(principal, label="Shop")]
        for number in range(1, count):
            secret = self.tenant.add_secret(f"Key {number}", canary())
            grants.append(self.tenant.grant(principal, secret["secret_id"], label="Shop"))
        return user_id, grants

    def connect(self, sub: str, toy: Toy) -> Family:
        """The user's own connection at a provider."""
        register(self.tenant, toy)
        body = {"allowed_providers": ["toy"], "user_token": self.idp.token(sub)}
        opened = self.send("/sdk/oauth/connect/session", body)
        assert opened.status_code == 200, opened.text
        with browsing() as browser:
            done = browser.connect(opened.json()["connect_url"])
        assert done.kind == "done", done.text
        return toy.families[-1]

    def alive(self, user_id: str) -> list[str]:
        grants = self.tenant.call("GET", f"/grants?user_id={user_id}")["items"]
        return [grant["grant_id"] for grant in grants if grant["status"] != "revoked"]


@pytest.fixture
def shop(base_url: str, tenant: Tenant, idp: Idp, upstream: Upstream) -> Shop:
    idp.register(tenant)
    return Shop(base_url, tenant, idp, upstream)


def somebody() -> str:
    return f"auth0|{uuid.uuid4().hex}"


def test_a_token_finds_its_users_grant(shop) -> None:
    ada, bob = somebody(), somebody()
    shop.granted(ada)
    answer = shop.call(ada)
    assert answer.status_code == 200 and answer.json()["status_code"] == 200, answer.text
    shop.user(bob)
    assert shop.call(bob).status_code == 404


def test_a_group_opens_what_it_was_granted_as_long_as_one_is_in_it(shop) -> None:
    ada = somebody()
    idp_id = shop.tenant.call("GET", "/identity-provider")["idp_id"]
    shop.tenant.grant({"type": "group", "idp_id": idp_id, "external_group_id": "sales"}, label="Sales")
    request = {"method": "GET", "url": shop.upstream.url("/echo/identity"), "provider_id": shop.tenant.provider, "reason": None}
    assert shop.send("/sdk/proxy", {**request, "user_token": shop.idp.token(ada, "sales")}).status_code == 200
    hook = shop.idp.enable(shop.tenant, "clerk", secret=fresh_clerk_secret())
    assert hook["webhook"]["enabled"]


def test_who_is_deleted_at_auth0_is_denied_at_once_and_loses_everything(account: Account, shop, toy: Toy) -> None:
    ada = somebody()
    user_id, grants = shop.granted(ada, 6)
    family = shop.connect(ada, toy)
    refresh = family.refresh
    assert shop.call(ada).status_code == 200
    assert len(shop.alive(user_id)) == 7
    hook = shop.idp.enable(shop.tenant, "auth0")
    url, token = hook["webhook"]["url"], hook["secret"]
    assert auth0(url, "wrong", "sdu", ada).status_code == 401
    assert shop.call(ada).status_code == 200

    assert auth0(url, token, "sdu", ada).status_code == 200
    assert shop.refused(ada) == "user_deprovisioned"
    until(lambda: shop.alive(user_id) == [], FOLLOWED_UP_SECONDS, "every grant is ended")
    until(lambda: refresh in toy.told, FOLLOWED_UP_SECONDS, "the provider was told")
    connection = next(one for one in shop.tenant.call("GET", f"/grants?user_id={user_id}")["items"] if one["kind"] == "oauth")
    assert connection["status"] == "revoked" and family.access not in str(connection)
    assert {shop.tenant.grant_view(grant)["status"] for grant in grants} == {"revoked"}

    def finished() -> bool:
        look_now(account)
        return account.items("MainTable", f"deprovision#{user_id}") == []

    until(finished, FINISHED_SECONDS, "the departure is done with")
    assert account.queued("WorkDeadLetters") == 0
    assert shop.refused(ada) == "user_deprovisioned"


def test_who_is_deleted_at_clerk_is_denied_at_once(shop) -> None:
    ada = somebody()
    user_id, _ = shop.granted(ada, 2)
    secret = fresh_clerk_secret()
    url = shop.idp.enable(shop.tenant, "clerk", secret=secret)["webhook"]["url"]
    forged = clerk(url, fresh_clerk_secret(), "user.deleted", id=ada, deleted=True, object="user")
    assert forged.status_code == 401
    assert shop.call(ada).status_code == 200
    assert clerk(url, secret, "user.deleted", id=ada, deleted=True, object="user").status_code == 200
    assert shop.refused(ada) == "user_deprovisioned"
    until(lambda: shop.alive(user_id) == [], FOLLOWED_UP_SECONDS, "every grant is ended")


def test_a_block_denies_and_keeps(shop) -> None:
    ada = somebody()
    user_id, grants = shop.granted(ada, 2)
    hook = shop.idp.enable(shop.tenant, "auth0")
    shop.tenant.change_user(user_id, "suspend")
    assert shop.refused(ada) == "user_suspended"
    assert sorted(shop.alive(user_id)) == sorted(grants)
    shop.tenant.change_user(user_id, "reactivate")
    assert shop.call(ada).status_code == 200
    # By the operator's word, as by the identity provider's.
    assert hook["webhook"]["enabled"]
    shop.tenant.change_user(user_id, "deprovision")
    assert shop.refused(ada) == "user_deprovisioned"
    until(lambda: shop.alive(user_id) == [], FOLLOWED_UP_SECONDS, "every grant is ended")


def test_a_departure_that_nobody_signalled_is_followed_up_by_the_clock(account: Account, shop) -> None:
    ada = somebody()
    user_id, _ = shop.granted(ada, 2)
    sqs, queue = account.emulator.client("sqs"), account.stack.resources["WorkQueue"]
    account.kill("worker")
    shop.tenant.change_user(user_id, "deprovision")
    sqs.purge_queue(QueueUrl=queue)
    look_now(account)
    until(lambda: shop.alive(user_id) == [], FOLLOWED_UP_SECONDS, "every grant is ended")
