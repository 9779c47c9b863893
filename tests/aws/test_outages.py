"""What the functions do while the account does not do its part: they wait a little, or refuse; they never let through."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
from account import by
from alter_sdk import AlterSDKError, App
from recorder import KMS_BROKEN, SILENCE, THROTTLED, Answer
from signing import signed


@pytest.fixture
async def app(tenant) -> AsyncIterator[App]:  # type: ignore[no-untyped-def]
    async with tenant.sdk() as app:
        yield app


async def refused(app: App, tenant, upstream) -> None:  # type: ignore[no-untyped-def]
    """A call that must be refused with 503, and of which the provider must hear nothing."""
    mark = uuid.uuid4().hex
    with pytest.raises(AlterSDKError) as caught:
        await app.proxy_request("GET", upstream.url(f"/echo/{mark}"), grant_id=tenant.grant_id)
    assert caught.value.details.get("status_code", caught.value.details.get("status")) == 503, caught.value.details
    assert upstream.seen(mark) == []


async def works(app: App, tenant, upstream) -> None:  # type: ignore[no-untyped-def]
    mark = uuid.uuid4().hex
    result = await app.proxy_request("GET", upstream.url(f"/echo/{mark}"), grant_id=tenant.grant_id)
    assert result.status_code == 200
    assert upstream.only(mark).header("authorization") == f"Bearer {tenant.secret}"


async def test_a_few_throttles_are_waited_out(account, app, tenant, upstream) -> None:
    with account.recorder.failing(by("proxy", "dynamodb"), THROTTLED, times=2) as fault:
        await works(app, tenant, upstream)
    assert fault.count == 2


async def test_a_table_that_goes_on_throttling_refuses(account, app, tenant, upstream) -> None:
    await works(app, tenant, upstream)
    with account.recorder.failing(by("proxy", "dynamodb"), THROTTLED) as fault:
        await refused(app, tenant, upstream)
    assert fault.count > 1
    await works(app, tenant, upstream)


async def test_a_nonce_that_cannot_be_used_up_refuses(account, app, tenant, upstream) -> None:
    """The read passes, the write is throttled: the call stops between the two."""
    await works(app, tenant, upstream)
    with account.recorder.failing(by("proxy", "dynamodb", "PutItem"), THROTTLED) as fault:
        await refused(app, tenant, upstream)
    assert fault.count > 1


async def test_without_a_durable_intent_there_is_no_call(account, app, tenant, upstream) -> None:
    broken = Answer(500, "InternalError")
    with account.recorder.failing(by("proxy", "sqs"), broken) as fault:
        await refused(app, tenant, upstream)
    assert fault.count > 1
    await works(app, tenant, upstream)


@pytest.mark.parametrize("answer", [KMS_BROKEN, SILENCE], ids=["errors", "silence"])
async def test_without_kms_nothing_is_opened(account, app, tenant, upstream, answer) -> None:
    """A process that holds no data keys cannot get one: the call is refused, and works again when KMS does."""
    await works(app, tenant, upstream)
    assert account.kill("proxy") >= 1
    with account.recorder.failing(by("proxy", "kms"), answer) as fault:
        await refused(app, tenant, upstream)
    assert fault.count >= 1
    await works(app, tenant, upstream)


async def test_without_kms_the_portal_seals_nothing(account, portal, upstream) -> None:
    app_id = portal.call("POST", "/apps", {"name": "No keys yet"})["app_id"]
    secret = {
        "name": "Provider",
        "credential_type": "bearer",
        "fields": {"token": "never stored"},
        "allowed_hosts": [upstream.host],
    }
    with account.recorder.failing(by("portal", "kms"), KMS_BROKEN) as fault:
        with pytest.raises(AssertionError, match="503"):
            portal.call("POST", f"/apps/{app_id}/secrets", secret)
    assert fault.count >= 1
    assert portal.call("GET", f"/apps/{app_id}/secrets")["items"] == []


async def test_the_stream_is_refused_in_the_same_way(account, tenant, upstream) -> None:
    mark = uuid.uuid4().hex
    headers = signed(
        tenant.key, "GET", "/v1/forward", target=upstream.url(f"/echo/{mark}"), grant=tenant.grant_id
    )
    with account.recorder.failing(by("forward", "sqs"), Answer(500, "InternalError")):
        answer = httpx.get(f"{account.edge.base_url}/v1/forward", headers=headers)
    assert answer.status_code == 503 and answer.headers["alter-error"]
    assert upstream.seen(mark) == []
