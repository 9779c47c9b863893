"""Makes one DynamoDB table what another is: the last step of a restore (infra/README.md).

    python infra/restore.py FROM TO [--write] [--keep]

Without --write it says what it would do. With --keep, items that only TO has stay. Items are compared and copied as they
are, with every attribute; nothing but counts is printed, because keys name customers' things. Sessions of the Wallet are left
out: one that was ended since then would be alive again, and people can sign in. Needs boto3.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

# The most writes in one request.
BATCH = 25
# How the partition of a session begins (shared/domain/src/keyspace.rs).
SESSION = "wallet#"

Item = dict[str, Any]


@dataclasses.dataclass
class Difference:
    """What has to be written to a table, and what deleted from it."""

    put: list[Item]
    delete: list[Item]


def key(item: Item) -> tuple[str, str]:
    return item["p"]["S"], item["s"]["S"]


def scan(client: Any, table: str) -> Iterator[Item]:
    for page in client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def difference(source: Iterator[Item], target: Iterator[Item], keep: bool) -> Difference:
    wanted = {key(item): item for item in source if not item["p"]["S"].startswith(SESSION)}
    there = {key(item): item for item in target}
    put = [item for name, item in wanted.items() if there.get(name) != item]
    delete = [] if keep else [{"p": item["p"], "s": item["s"]} for name, item in there.items() if name not in wanted]
    return Difference(put, delete)


def apply(client: Any, table: str, change: Difference) -> None:
    requests = [{"PutRequest": {"Item": item}} for item in change.put]
    requests += [{"DeleteRequest": {"Key": item}} for item in change.delete]
    while requests:
        batch, requests = requests[:BATCH], requests[BATCH:]
        answer = client.batch_write_item(RequestItems={table: batch})
        # What was throttled comes last, after everything else has had its turn.
        requests += answer.get("UnprocessedItems", {}).get(table, [])


def main(client: Any, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Makes one DynamoDB table what another is.")
    parser.add_argument("source", metavar="FROM")
    parser.add_argument("target", metavar="TO")
    parser.add_argument("--write", action="store_true", help="do it")
    parser.add_argument("--keep", action="store_true", help="leave what only TO has")
    given = parser.parse_args(arguments)
    if given.source == given.target:
        parser.error("both tables are the same")
    found = list(scan(client, given.source))
    if not found:
        # A name that is wrong, or a restore that has not begun: emptying the target would be the worst answer.
        print(f"{given.source} is empty; nothing was done")
        return 1
    change = difference(iter(found), scan(client, given.target), given.keep)
    verb = "writing" if given.write else "would write"
    print(f"{given.target}: {verb} {len(change.put)} items, deleting {len(change.delete)}, of {len(found)} in {given.source}")
    if given.write:
        apply(client, given.target, change)
        left = difference(iter(found), scan(client, given.target), given.keep)
        if left.put or left.delete:
            print(f"{given.target} was written to meanwhile: run this again, with the doors closed")
            return 1
    return 0


if __name__ == "__main__":
    import boto3
    from botocore.config import Config

    sys.exit(main(boto3.client("dynamodb", config=Config(retries={"mode": "adaptive", "max_attempts": 10})), sys.argv[1:]))
