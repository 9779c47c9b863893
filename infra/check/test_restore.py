"""A restore makes one table what another is, and never empties one by mistake."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
import unittest

import template

SPEC = importlib.util.spec_from_file_location("restore", template.ROOT / "infra/restore.py")
restore = importlib.util.module_from_spec(SPEC)
# Data classes look their module up.
sys.modules["restore"] = restore
SPEC.loader.exec_module(restore)


def item(partition: str, body: str) -> dict:
    return {"p": {"S": partition}, "s": {"S": "x"}, "b": {"B": body.encode()}}


class Account:
    """Two tables, each answering a page of one item at a time and throttling every other write."""

    def __init__(self, **tables: list[dict]) -> None:
        self.tables = {name: {restore.key(one): one for one in items} for name, items in tables.items()}
        self.writes = 0

    def get_paginator(self, operation):
        assert operation == "scan"
        return self

    def paginate(self, TableName, ConsistentRead):
        assert ConsistentRead
        return [{"Items": [one]} for one in list(self.tables[TableName].values())] or [{"Items": []}]

    def batch_write_item(self, RequestItems):
        ((table, requests),) = RequestItems.items()
        assert 1 <= len(requests) <= 25
        self.writes += 1
        done = requests[: max(1, len(requests) // 2)]
        for request in done:
            if "PutRequest" in request:
                self.tables[table][restore.key(request["PutRequest"]["Item"])] = request["PutRequest"]["Item"]
            else:
                del self.tables[table][restore.key(request["DeleteRequest"]["Key"])]
        return {"UnprocessedItems": {table: requests[len(done) :]} if requests[len(done) :] else {}}


class Restore(unittest.TestCase):
    def run_on(self, account: Account, *arguments: str) -> int:
        with contextlib.redirect_stdout(io.StringIO()):
            return restore.main(account, ["then", "now", *arguments])

    def account(self) -> Account:
        then = [item(f"grant#{n}", "old") for n in range(60)]
        now = [item(f"grant#{n}", "old" if n % 2 else "new") for n in range(20, 70)]
        return Account(then=then, now=now)

    def test_the_target_becomes_the_source(self):
        account = self.account()
        self.assertEqual(self.run_on(account, "--write"), 0)
        self.assertEqual(account.tables["now"], account.tables["then"])

    def test_what_is_only_in_the_target_may_stay(self):
        account = self.account()
        self.assertEqual(self.run_on(account, "--write", "--keep"), 0)
        self.assertEqual(len(account.tables["now"]), 70)
        self.assertEqual(account.tables["now"]["grant#69", "x"], item("grant#69", "old"))

    def test_a_session_that_was_ended_stays_ended(self):
        there, ended = item("wallet#1", "signed in since"), item("wallet#2", "signed out since")
        account = Account(then=[item("grant#1", "old"), ended], now=[there])
        self.assertEqual(self.run_on(account, "--write"), 0)
        self.assertEqual(list(account.tables["now"]), [("grant#1", "x")])

    def test_nothing_is_written_unless_told(self):
        account = self.account()
        self.assertEqual(self.run_on(account), 0)
        self.assertEqual(account.writes, 0)

    def test_an_empty_source_empties_nothing(self):
        account = Account(then=[], now=[item("grant#1", "new")])
        self.assertEqual(self.run_on(account, "--write"), 1)
        self.assertEqual(account.writes, 0)
