"""Users over the account: a token finds its user's grants, and somebody who has left is denied at once and loses everything."""

from __future__ import annotations

import uuid

from account import Account
from connecting import look_now
from idp import auth0, clerk, fresh_clerk_secret
from shop import somebody
from toy import Toy
from waiting import until

FOLLOWED_UP_SECONDS = 30
# The second pass comes half a minute after the one that found nothing more.
FINISHED_SECONDS = 60


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
