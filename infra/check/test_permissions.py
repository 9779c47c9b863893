"""Both directions of the permission check, on calls that were made up."""

from __future__ import annotations

import copy
import unittest

import iam
import permissions
import template

TRANSLATED = template.translate(template.read())

UUID = "0190a1b2-0000-7000-8000-000000000001"


def all_that_is_allowed() -> permissions.Calls:
    """One call for each part of each permission of each function."""
    calls: permissions.Calls = {}
    for binary, name in permissions.binaries(TRANSLATED).items():
        role = iam.role_of(TRANSLATED["Resources"][name])
        calls[binary] = [
            call
            for permission in iam.permissions(TRANSLATED, role)
            for action in sorted(permission.actions - permissions.PLATFORM)
            for call in _calls(permission, action)
        ]
    return calls


def _calls(permission: iam.Permission, action: str):
    service, _, name = action.partition(":")
    call = {"service": service, "action": name, "resource": permission.resource}
    if permission.index:
        call["index"] = permission.index
    if permission.leading_keys:
        return [{**call, "leading_key": key.replace("*", UUID)} for key in sorted(permission.leading_keys)]
    if permission.purposes:
        return [{**call, "context": {"app": UUID, "purpose": purpose}} for purpose in sorted(permission.purposes)]
    return [call]


class Permissions(unittest.TestCase):
    def problems(self, calls):
        return list(permissions.broken(TRANSLATED, calls))

    def test_all_that_is_allowed_and_all_of_it_used_is_fine(self):
        self.assertEqual(self.problems(all_that_is_allowed()), [])

    def test_what_is_not_allowed_is_noticed(self):
        forbidden = [
            ("revoke", {"service": "kms", "action": "Decrypt", "resource": "VaultKey", "context": {"purpose": "credential"}}),
            ("portal", {"service": "kms", "action": "Decrypt", "resource": "VaultKey", "context": {"purpose": "credential"}}),
            ("proxy", {"service": "kms", "action": "Decrypt", "resource": "VaultKey", "context": {}}),
            ("grants", {"service": "dynamodb", "action": "GetItem", "resource": "VaultTable", "leading_key": "credential#1"}),
            ("grants", {"service": "dynamodb", "action": "Query", "resource": "MainTable", "leading_key": "app#1/grants"}),
            ("audit-writer", {"service": "dynamodb", "action": "PutItem", "resource": "MainTable", "leading_key": "audit#1"}),
            ("audit-query", {"service": "sqs", "action": "SendMessage", "resource": "AuditQueue"}),
            ("revoke", {"service": "secretsmanager", "action": "GetSecretValue", "resource": "OperatorToken"}),
            ("proxy", {"service": "dynamodb", "action": "DeleteItem", "resource": "MainTable", "leading_key": "grant#1"}),
            ("proxy", {"service": "dynamodb", "action": "PutItem", "resource": "MainTable", "leading_key": "app#1/providers"}),
            ("proxy", {"service": "kms", "action": "GenerateDataKey", "resource": "VaultKey", "context": {"purpose": "signing"}}),
            ("revoke", {"service": "dynamodb", "action": "GetItem", "resource": "VaultTable", "leading_key": "revocation#1"}),
            ("revoke", {"service": "sqs", "action": "ReceiveMessage", "resource": "WorkQueue"}),
            ("portal", {"service": "dynamodb", "action": "GetItem", "resource": "VaultTable", "leading_key": "revocation#1"}),
            ("connect", {"service": "dynamodb", "action": "PutItem", "resource": "MainTable", "leading_key": "app#1/providers"}),
            ("connect", {"service": "dynamodb", "action": "DeleteItem", "resource": "MainTable", "leading_key": "connect#1"}),
            ("worker", {"service": "dynamodb", "action": "PutItem", "resource": "MainTable", "leading_key": "app#1/providers"}),
            ("wallet", {"service": "kms", "action": "Decrypt", "resource": "VaultKey", "context": {"purpose": "signing"}}),
            ("wallet", {"service": "dynamodb", "action": "BatchGetItem", "resource": "VaultTable", "leading_key": "credential#1"}),
            ("wallet", {"service": "dynamodb", "action": "PutItem", "resource": "MainTable", "leading_key": "user#1"}),
            ("wallet", {"service": "dynamodb", "action": "Query", "resource": "MainTable", "index": "ix0", "leading_key": "app#1/users"}),
            ("worker", {"service": "kms", "action": "Decrypt", "resource": "VaultKey", "context": {"purpose": "signing"}}),
        ]
        for binary, call in forbidden:
            with self.subTest(binary=binary, call=call):
                calls = all_that_is_allowed()
                calls[binary].append(call)
                (problem,) = self.problems(calls)
                self.assertIn(f"{binary}: called and not allowed", problem)

    def test_what_nobody_uses_is_noticed(self):
        for binary, recorded in all_that_is_allowed().items():
            rare = {(one, sid) for one, sid in permissions.RARE}
            role = iam.role_of(TRANSLATED["Resources"][permissions.binaries(TRANSLATED)[binary]])
            for permission in iam.permissions(TRANSLATED, role):
                if (permission.source, permission.sid) in rare or permission.actions <= permissions.PLATFORM:
                    continue
                with self.subTest(binary=binary, permission=permission.sid):
                    calls = copy.deepcopy(all_that_is_allowed())
                    calls[binary] = [call for call in recorded if not permissions.allows(permission, call)]
                    self.assertTrue(any("allowed and never called" in problem for problem in self.problems(calls)))

    def test_a_function_that_was_not_recorded_is_noticed(self):
        calls = all_that_is_allowed()
        del calls["revoke"]
        self.assertEqual(self.problems(calls), ["revoke: nothing was recorded of it"])

    def test_an_exception_is_of_a_statement_that_is_there(self):
        there = {
            (one.source, one.sid)
            for function in iam.functions(TRANSLATED).values()
            for one in iam.permissions(TRANSLATED, iam.role_of(function))
        }
        self.assertLessEqual(permissions.RARE.keys(), there)


if __name__ == "__main__":
    unittest.main()
