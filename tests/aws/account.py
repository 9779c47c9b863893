"""The account as a test sees it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from collections.abc import Iterator
from typing import Any

from distribution import Distribution
from edge import Edge
from emulator import Emulator
from portal import Tenant
from recorder import Call, Recorder
from stack import Stack
from waiting import until

# From a call's answer until its row can be read.
ROW_SECONDS = 20
KILLED_SECONDS = 5
# What Lambda itself writes into a function's log.
PLATFORM = ("START ", "END ", "REPORT ")


@dataclasses.dataclass(frozen=True)
class Account:
    emulator: Emulator
    recorder: Recorder
    stack: Stack
    edge: Edge
    distribution: Distribution

    def first_operator_token(self) -> str:
        """As infra/README.md says how to find it."""
        secret = self.stack.resources["OperatorToken"]
        value = self.emulator.client("secretsmanager").get_secret_value(SecretId=secret)
        return f"alter_pat_{value['SecretString']}"

    def kill(self, function: str) -> int:
        """Kills the processes of a function, as a machine that fails would. Returns how many there were."""
        name = self.stack.physical(function)
        killed = self.emulator.pids_of(name)
        for pid in killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not set(killed) & set(self.emulator.pids_of(name)), KILLED_SECONDS, f"{function} is gone")
        return len(killed)

    def rows(self, tenant: Tenant, count: int, query: str = "") -> list[dict[str, Any]]:
        """The tenant's rows, as soon as there are ``count``."""

        def enough() -> list[dict[str, Any]] | None:
            rows = tenant.audit(query)
            return rows if len(rows) >= count else None

        return until(enough, ROW_SECONDS, f"{count} audit rows")

    def queued(self, queue: str) -> int:
        """Messages of a queue, those included that are being worked on."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.emulator.client("sqs").get_queue_attributes(
            QueueUrl=self.stack.resources[queue], AttributeNames=names
        )
        return sum(int(found["Attributes"][name]) for name in names)

    def send(self, body: str, queue: str = "AuditQueue") -> None:
        """Puts a message into a queue that no function of ours wrote."""
        self.emulator.client("sqs").send_message(QueueUrl=self.stack.resources[queue], MessageBody=body)

    def items(self, table: str, partition: str) -> list[dict[str, Any]]:
        """What a table has under partitions that begin so."""
        pages = self.emulator.client("dynamodb").get_paginator("scan")
        found = [item for page in pages.paginate(TableName=self.stack.resources[table]) for item in page["Items"]]
        return [item for item in found if item["p"]["S"].startswith(partition)]

    def put(self, table: str, item: dict[str, Any]) -> None:
        """Writes an item behind the vault's back."""
        self.emulator.client("dynamodb").put_item(TableName=self.stack.resources[table], Item=item)

    def log(self) -> str:
        """What the functions wrote into their log groups, in order; not that all went well."""
        logs = self.emulator.client("logs")
        lines = []
        for group in logs.describe_log_groups()["logGroups"]:
            for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]:
                if not event["message"].startswith(PLATFORM) and '"Outcome":"success"' not in event["message"]:
                    lines.append((event["timestamp"], group["logGroupName"], event["message"].rstrip()))
        return "\n".join(f"{group}: {message}" for _, group, message in sorted(lines))

    @contextlib.contextmanager
    def visible_again_after(self, seconds: int, queue_name: str = "AuditQueue") -> Iterator[None]:
        """How long a message that was not dealt with stays away; the template's six minutes are too long for a test."""
        sqs, queue = self.emulator.client("sqs"), self.stack.resources[queue_name]
        name = "VisibilityTimeout"
        before = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name]
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: str(seconds)})
        try:
            yield
        finally:
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={name: before})

    @contextlib.contextmanager
    def paused_writer(self) -> Iterator[None]:
        """The queue fills; at the end what is in it is delivered at once."""
        client, mapping = self.emulator.client("lambda"), self.stack.mapping()
        client.update_event_source_mapping(UUID=mapping, Enabled=False)
        try:
            yield
        finally:
            client.update_event_source_mapping(UUID=mapping, Enabled=True)


def by(function: str, service: str, *actions: str) -> Any:
    """Matches the calls of one function to one service, all or these."""

    def matches(call: Call) -> bool:
        return (call.function, call.service) == (function, service) and (not actions or call.action in actions)

    return matches
