"""The record on its way from the call to the table: nothing is lost, nothing is there twice, what is broken is put aside."""

from __future__ import annotations

import collections
import json
import uuid

from account import by
from waiting import until

KILL_SECONDS = 30
# The template lets a message be received five times.
PUT_ASIDE_SECONDS = 60
CALLS = 6


async def call(app, tenant, upstream, count: int) -> list[str]:  # type: ignore[no-untyped-def]
    """This many calls; returns the reasons by which their rows are known."""
    reasons = [f"call {uuid.uuid4()}" for _ in range(count)]
    for reason in reasons:
        result = await app.proxy_request(
            "GET", upstream.url("/status/200"), grant_id=tenant.grant_id, reason=reason
        )
        assert result.status_code == 200
    return reasons


def stored(tenant, reasons: list[str]) -> list[dict]:  # type: ignore[no-untyped-def]
    return [row for row in tenant.audit() if row["reason"] in reasons]


async def test_a_writer_that_is_killed_in_mid_batch(account, tenant, upstream) -> None:
    """It dies after a part of its batch has reached the table and before it could say so: the whole batch is delivered
    again, and each row is there once."""
    # What was received before would stay away for as long as the template says, if the writer died with it.
    until(lambda: account.queued("AuditQueue") == 0, KILL_SECONDS, "the tenant's own events are stored")
    async with tenant.sdk() as app:
        with account.visible_again_after(2):
            with account.recorder.holding(by("audit-writer", "dynamodb")) as hold:
                with account.paused_writer():
                    reasons = await call(app, tenant, upstream, CALLS)
                    assert stored(tenant, reasons) == []
                    # Intent and final row of each call.
                    assert account.queued("AuditQueue") >= 2 * CALLS
                assert hold.reached.wait(KILL_SECONDS), "the writer wrote nothing"
                assert account.kill("audit-writer") >= 1
            until(lambda: account.queued("AuditQueue") == 0, KILL_SECONDS, "the batch is delivered again")
    rows = stored(tenant, reasons)
    assert collections.Counter(row["reason"] for row in rows) == collections.Counter(reasons)
    assert {row["outcome"] for row in rows} == {"success"}
    assert len({row["id"] for row in rows}) == CALLS
    assert account.queued("AuditDeadLetters") == 0


async def test_a_message_that_cannot_be_stored_is_put_aside_and_holds_nothing_up(account, tenant, upstream) -> None:
    poison = [f"not an event {uuid.uuid4()}", json.dumps({"event": "unknown", "mark": uuid.uuid4().hex})]
    async with tenant.sdk() as app:
        with account.visible_again_after(1):
            with account.paused_writer():
                for body in poison:
                    account.send(body)
                reasons = await call(app, tenant, upstream, 2)
            until(lambda: len(stored(tenant, reasons)) == 2, PUT_ASIDE_SECONDS, "the events beside it are stored")
            until(
                lambda: account.queued("AuditDeadLetters") == len(poison) and account.queued("AuditQueue") == 0,
                PUT_ASIDE_SECONDS,
                "the poison is in the dead-letter queue, and nothing else",
            )
    sqs, queue = account.emulator.client("sqs"), account.stack.resources["AuditDeadLetters"]
    found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert {message["Body"] for message in found} == set(poison)
    sqs.purge_queue(QueueUrl=queue)

