"""OAuth over the account: an account at a provider is connected, used, renewed and ended, and the provider is told."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from account import Account, by
from alter_sdk import App, GrantRevokedError
from connecting import Grant, age, browsing, connect, finish_early, look_now, receipt, register
from portal import Tenant
from recorder import SILENCE
from signing import signed
from toy import Toy
from waiting import until

# From an answered revocation until the provider was told: the queue's poll, and a worker that may have to start.
TOLD_SECONDS = 20
# The clock's rule comes each minute, and the emulator looks at its clock each ten seconds.
CLOCK_SECONDS = 90
PUT_ASIDE_SECONDS = 60
CODE, REFRESH = "authorization_code", "refresh_token"


@pytest.fixture
def shop(tenant: Tenant, toy: Toy) -> Tenant:
    register(tenant, toy)
    return tenant


@pytest.fixture
async def app(shop: Tenant) -> AsyncIterator[App]:
    async with shop.sdk() as app:
        yield app


@pytest.fixture(autouse=True)
def nothing_is_left(account: Account) -> Iterator[None]:
    """A provider that has been told leaves no task, no sealed token and no message."""
    yield
    for table in ("MainTable", "VaultTable"):
        until(lambda table=table: account.items(table, "revocation#") == [], TOLD_SECONDS, f"{table} has no task")
    assert account.queued("WorkDeadLetters") == 0


async def call(app: App, toy: Toy, grant: Grant) -> str:
    """A call that the provider takes; returns the token that it brought."""
    mark = uuid.uuid4().hex
    result = await app.proxy_request("GET", toy.url(f"/api/{mark}"), grant_id=grant.grant_id)
    assert result.status_code == 200, result.body_json()
    return toy.used(mark)[-1]


async def refused(app: App, toy: Toy, grant: Grant) -> None:
    mark = uuid.uuid4().hex
    with pytest.raises(GrantRevokedError):
        await app.proxy_request("GET", toy.url(f"/api/{mark}"), grant_id=grant.grant_id)
    assert toy.used(mark) == []


async def test_an_account_is_connected_called_and_ended(account, app, shop, toy) -> None:
    grant, family = await connect(app, toy)
    assert (grant.account, grant.operation) == ("user-ada", "creation")
    assert await call(app, toy, grant) == family.access
    shown = shop.call("GET", f"/grants/{grant.grant_id}")
    assert shown["connection"]["account_identifier"] == "user-ada" and family.access not in str(shown)

    refresh = family.refresh
    await app.revoke_grant(grant.grant_id)
    await refused(app, toy, grant)
    until(lambda: refresh in toy.told, TOLD_SECONDS, "the provider was told")
    until(lambda: receipt(shop, grant) == "revoked", TOLD_SECONDS, "the receipt is kept")
    assert family.ended
    rows = until(
        lambda: [row for row in shop.audit() if row["event"] == "connection.revoked_at_provider" and row["outcome"] == "success"],
        TOLD_SECONDS,
        "the attempt is on the record",
    )
    assert len(rows) == 1 and family.access not in str(shop.audit()) and refresh not in str(shop.audit())


async def test_tokens_are_renewed_when_they_expire(app, toy) -> None:
    toy.expires_in = 1
    grant, family = await connect(app, toy)
    first, spent = family.access, family.refresh
    expired = time.monotonic() + 1
    until(lambda: time.monotonic() > expired, 5, "the token has expired")
    toy.expires_in = 3600
    assert await call(app, toy, grant) == family.access != first
    assert spent in family.spent and toy.count(REFRESH) == 1
    # Ten at once with the token that is there: nothing is renewed again.
    assert set(await asyncio.gather(*(call(app, toy, grant) for _ in range(10)))) == {family.access}
    assert toy.count(REFRESH) == 1 and not family.ended


async def test_a_token_that_the_provider_refuses_is_renewed(account, app, toy) -> None:
    grant, family = await connect(app, toy)
    age(account, toy, minutes=10)
    toy.mark_dead(family)
    assert await call(app, toy, grant) == family.access
    assert toy.count(REFRESH) == 1


async def test_the_stream_renews_too(account, base_url, app, shop, toy) -> None:
    grant, family = await connect(app, toy)
    age(account, toy, hours=2)
    url = toy.url(f"/api/{uuid.uuid4().hex}")
    headers = signed(shop.key, "GET", "/v1/forward", target=url, grant=grant.grant_id)
    answer = httpx.get(f"{base_url}/v1/forward", headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["generation"]) == (200, 2)
    assert toy.used(url.rpartition("/")[2])[-1] == family.access


async def test_a_process_is_not_frozen_before_its_refresh_has_ended(account, base_url, app, shop, toy) -> None:
    """The token is still good, so that the call goes on without the new one; what the provider gives later is stored."""
    grant, family = await connect(app, toy)
    old = family.access
    age(account, toy, minutes=56)
    runtime = account.edge.streaming
    with toy.holding() as held:
        url = toy.url("/api/meanwhile")
        headers = signed(shop.key, "GET", "/v1/forward", target=url, grant=grant.grant_id)
        polls = runtime.polls
        answer = await asyncio.to_thread(httpx.get, f"{base_url}/v1/forward", headers=headers, timeout=60)
        assert answer.status_code == 200 and held.reached.is_set()
        # Another process does not wait for it either.
        assert await call(app, toy, grant) == old and toy.used("meanwhile") == [old]
        assert runtime.polls == polls
    until(lambda: runtime.polls == polls + 1, TOLD_SECONDS, "the process asks for the next event")
    assert await call(app, toy, grant) == family.access != old
    assert toy.count(REFRESH) == 1


async def test_a_grant_is_repaired_in_place(app, toy) -> None:
    grant, family = await connect(app, toy)
    repaired, renewed = await connect(app, toy, repair_grant_id=grant.grant_id)
    assert (repaired.grant_id, repaired.operation) == (grant.grant_id, "reauth")
    assert renewed is not family
    assert await call(app, toy, grant) == renewed.access


async def test_a_redirect_of_another_browser_creates_nothing(app, shop, toy) -> None:
    session = await app.create_connect_session(allowed_providers=["toy"])
    with browsing() as browser, browsing() as thief:
        leaving = browser.submit(browser.open(session.connect_url), "/start")
        stolen = thief.get(leaving.onward)
        assert (stolen.kind, stolen.status) == ("message", 403)
        # The session stays its browser's, and so does the link.
        assert thief.open(session.connect_url).status == 403
    assert toy.count(CODE) == 0 and not [one for one in shop.call("GET", "/grants")["items"] if one["kind"] == "oauth"]


async def test_a_connection_that_is_revoked_while_it_is_renewed(account, app, toy) -> None:
    """What the provider gives for it belongs to nobody: it is told to end that as well."""
    grant, family = await connect(app, toy)
    age(account, toy, hours=2)
    with toy.holding() as held:
        calling = asyncio.ensure_future(app.proxy_request("GET", toy.url("/api/late"), grant_id=grant.grant_id))
        await asyncio.to_thread(held.reached.wait, TOLD_SECONDS)
        new = family.refresh
        await app.revoke_grant(grant.grant_id)
    with pytest.raises(GrantRevokedError):
        await calling
    assert toy.used("late") == []
    await refused(app, toy, grant)
    until(lambda: new in toy.told, TOLD_SECONDS, "the provider was told of the new tokens")


async def test_a_visit_that_ends_before_the_provider_has_answered(app, shop, toy) -> None:
    session = await app.create_connect_session(allowed_providers=["toy"])
    family = await asyncio.to_thread(finish_early, session.connect_url, toy)
    until(lambda: family.ended, TOLD_SECONDS, "the provider was told of tokens that nobody wanted")
    assert not [one for one in shop.call("GET", "/grants")["items"] if one["kind"] == "oauth"]


async def test_a_provider_that_is_down_is_told_by_the_clock(account, app, shop, toy) -> None:
    grant, family = await connect(app, toy)
    toy.down = True
    await app.revoke_grant(grant.grant_id)
    await refused(app, toy, grant)
    until(lambda: toy.told_in_vain >= 1, TOLD_SECONDS, "the provider was told in vain")
    # That is no failure of ours: the message is gone, the task stands.
    until(lambda: account.queued("WorkQueue") == 0, TOLD_SECONDS, "the message is done with")
    assert receipt(shop, grant) == "pending" and len(account.items("VaultTable", "revocation#")) == 1
    toy.down = False
    until(lambda: receipt(shop, grant) == "revoked", CLOCK_SECONDS, "the provider was told when the clock came")
    assert family.ended


async def test_a_lost_signal_costs_a_minute_and_nothing_else(account, app, shop, toy) -> None:
    grant, family = await connect(app, toy)
    lost = by("revoke", "sqs")
    work = account.stack.resources["WorkQueue"]
    with account.recorder.failing(lambda sent: lost(sent) and sent.body["QueueUrl"] == work, SILENCE) as fault:
        await app.revoke_grant(grant.grant_id)
    assert fault.count >= 1 and not family.ended
    await refused(app, toy, grant)
    # Anybody's signal will do.
    look_now(account)
    until(lambda: receipt(shop, grant) == "revoked", CLOCK_SECONDS, "the provider was told")


async def test_a_refresh_token_is_kept_alive(account, app, toy) -> None:
    grant, family = await connect(app, toy)
    age(account, toy, days=60)
    look_now(account)
    until(lambda: toy.count(REFRESH) == 1, CLOCK_SECONDS, "the refresh token was used")
    assert await call(app, toy, grant) == family.access


async def test_a_signal_that_cannot_be_read_is_put_aside_and_holds_nothing_up(account, app, shop, toy) -> None:
    poison = [f"not work {uuid.uuid4()}", json.dumps({"work": "dance"})]
    grant, family = await connect(app, toy)
    with account.visible_again_after(1, "WorkQueue"):
        for body in poison:
            account.send(body, "WorkQueue")
        await app.revoke_grant(grant.grant_id)
        until(lambda: family.ended, PUT_ASIDE_SECONDS, "the signal beside it is acted on")
        until(
            lambda: account.queued("WorkDeadLetters") == len(poison) and account.queued("WorkQueue") == 0,
            PUT_ASIDE_SECONDS,
            "the poison is in the dead-letter queue, and nothing else",
        )
    sqs, queue = account.emulator.client("sqs"), account.stack.resources["WorkDeadLetters"]
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert {message["Body"] for message in found} == set(poison)
    sqs.purge_queue(QueueUrl=queue)
