"""Many calls at once, by one client."""

from __future__ import annotations

import asyncio

from alter_sdk import GrantRevokedError

CALLS = 200


async def test_two_hundred_calls_at_once_each_get_their_own_answer(tenant, upstream) -> None:
    async with tenant.sdk() as app:

        async def call(number: int) -> None:
            result = await app.proxy_request(
                "POST",
                upstream.url(f"/echo/{tenant.app_id}/{number}"),
                grant_id=tenant.grant_id,
                json={"number": number},
                reason=f"call {number}",
            )
            assert result.status_code == 200
            assert result.body_json()["target"] == f"/echo/{tenant.app_id}/{number}"

        await asyncio.gather(*(call(number) for number in range(CALLS)))
    seen = upstream.seen(f"/echo/{tenant.app_id}/")
    assert sorted(int(request.target.rpartition("/")[2]) for request in seen) == list(range(CALLS))
    assert all(b"%d" % int(request.target.rpartition("/")[2]) in request.body for request in seen)
    rows = tenant.audit("&event=call")
    assert len({row["id"] for row in rows}) == CALLS
    assert {row["reason"] for row in rows} == {f"call {number}" for number in range(CALLS)}
    assert {(row["outcome"], row["status"]) for row in rows} == {("success", 200)}


async def test_a_revoke_among_many_calls_cuts_cleanly(tenant, upstream) -> None:
    """Each call before it is answered, each call that begins after it is refused; nothing else happens."""
    async with tenant.sdk() as app:
        revoked = asyncio.Event()
        answers: list[tuple[bool, str]] = []

        async def caller() -> None:
            while len(answers) < 2000:
                after = revoked.is_set()
                try:
                    await app.proxy_request("GET", upstream.url("/empty"), grant_id=tenant.grant_id)
                    answers.append((after, "answered"))
                except GrantRevokedError:
                    answers.append((after, "refused"))
                    return

        async def revoker() -> None:
            while len(answers) < 50:
                await asyncio.sleep(0)
            await app.revoke_grant(tenant.grant_id)
            revoked.set()

        await asyncio.gather(revoker(), *(caller() for _ in range(16)))
    assert (True, "answered") not in answers
    assert sum(answer == "refused" for _, answer in answers) == 16
    assert sum(answer == "answered" for _, answer in answers) >= 50
