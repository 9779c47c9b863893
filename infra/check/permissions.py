"""Holds what the functions may do against what they did.

The end-to-end test runs the real binaries against an emulated account and writes down every call that they make, in
`target/aws-e2e/recorded-calls.json`:

    {
      "proxy": [
        {"service": "dynamodb", "action": "BatchGetItem", "resource": "MainTable", "leading_key": "key#alter_key_app_…"},
        {"service": "dynamodb", "action": "Query", "resource": "MainTable", "index": "ix2", "leading_key": "app#…/agent#…"},
        {"service": "kms", "action": "Decrypt", "resource": "VaultKey",
         "context": {"org": "…", "app": "…", "purpose": "credential"}},
        {"service": "sqs", "action": "SendMessage", "resource": "AuditQueue"},
        {"service": "secretsmanager", "action": "GetSecretValue", "resource": "OperatorToken"}
      ],
      "forward": [], "grants": [], "revoke": [], "audit-query": [], "portal": [], "connect": [], "wallet": [], "webhook": [], "worker": [], "audit-writer": []
    }

* The outer key is the function's binary.
* `action` is what IAM decides about, which is the operation's name but for transactions: `TransactWriteItems` becomes one
  entry for each element, as `PutItem`, `UpdateItem`, `DeleteItem` or `ConditionCheckItem`; `TransactGetItems` becomes
  `GetItem`. A batch becomes one entry for each table and key.
* `resource` is the logical id in template.yaml: `MainTable`, `VaultTable`, `AuditTable`, `VaultKey`, `AuditQueue`,
  `WorkQueue`, `OperatorToken`.
* `leading_key` is the whole partition value of the key (of the index's key, where `index` names one).
* Equal entries may be written once. What the platform does with a function's role (polling the queue, writing logs and
  traces) is not recorded.

Both directions fail: a recorded call that the template does not allow; and of a statement in a role, an attached policy or
a key's policy an action, a prefix of the leading key or a purpose that no recorded call of this function used. What only a
rare event needs is listed below, with the event.
"""

from __future__ import annotations

import fnmatch
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import iam
from iam import Permission
from template import ROOT, Template, read, translate

RECORDED = ROOT / "target/aws-e2e/recorded-calls.json"

Calls = dict[str, list[dict[str, Any]]]

# What the platform does with a function's role; the binary makes no such call.
PLATFORM = {
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
}
ORPHANS = "a connection that is revoked while its tokens are renewed"
PEOPLE = "a connection that is a person's, which needs a user's token; an app's own are called by their ids"
FIRST = "a user whose first token comes to this function"
# Parts of statements that an ordinary story does not use.
RARE_PARTS = {
    # An agent's grant on somebody's connection, or an agent that did something for them.
    ("WalletRole", "WhoAsksAndWhatIsShown", "leading key agent#*"),
}
# Statements that an ordinary story does not use, each with the event that does. One that is used after all does not matter.
RARE = {
    ("RecordPolicy", "LongEvents"): "an event longer than a message of the queue",
    ("ProxyRole", "GrantsOfConnection"): PEOPLE,
    ("ProxyRole", "AccountOfConnection"): PEOPLE,
    ("ForwardRole", "GrantsOfConnection"): PEOPLE,
    ("ForwardRole", "AccountOfConnection"): PEOPLE,
    ("ConnectRole", "NotedEnd"): "a grant on a connection that expires",
    ("PortalRole", "RevokedByRemoval"): "a provider that is removed with its grants",
    ("WorkerRole", "ConnectedAgain"): "a revocation of an account that the provider named",
    ("WorkerRole", "Grants"): "a grant on a connection that has been expired for 30 days",
    ("WorkerRole", "Holds"): "a connection of an account that the provider named",
    ("WorkerRole", "LentToOthers"): "a departure of whom others have grants on a connection",
    ("IdentityPolicy", "WhatWasTold"): FIRST,
    ("IdentityPolicy", "WhatATokenSays"): FIRST,
    ("IdentityPolicy", "Reach"): FIRST,
    ("IdentityPolicy", "NameOfUser"): FIRST,
    ("IdentityPolicy", "AsTheyWereRead"): FIRST,
    ("WalletRole", "SessionIsUsed"): "a session of the Wallet's that is older than five minutes",
    ("WebhookRole", "MembershipsOfUser"): "somebody who leaves a group",
    ("WebhookRole", "MembersOfGroup"): "a group that is gone",
    ("WebhookRole", "GroupsGone"): "a group that is gone",
    ("RenewPolicy", "OrphanTask"): ORPHANS,
    ("RenewPolicy", "OrphanTokens"): ORPHANS,
    ("RenewPolicy", "OrphanSignal"): ORPHANS,
}


def broken(template: Template, calls: Calls) -> Iterator[str]:
    """Every call without a permission and every permission without a call."""
    names = binaries(template)
    for binary in sorted(calls.keys() ^ names.keys()):
        yield f"{binary}: {'is no function' if binary in calls else 'nothing was recorded of it'}"
    for binary in sorted(calls.keys() & names.keys()):
        role = iam.role_of(template["Resources"][names[binary]])
        permissions = list(iam.permissions(template, role))
        for text in sorted({_text(call) for call in calls[binary] if not any(allows(one, call) for one in permissions)}):
            yield f"{binary}: called and not allowed: {text}"
        for permission in permissions:
            if (permission.source, permission.sid) not in RARE:
                for part in unused(permission, calls[binary]):
                    if (permission.source, permission.sid, part) in RARE_PARTS:
                        continue
                    yield f"{binary}: allowed and never called: {permission.source}, {permission.sid}: {part}"


def binaries(template: Template) -> dict[str, str]:
    """The logical id of each binary's function."""
    return {
        function["Metadata"]["BuildProperties"]["Binary"]: name for name, function in iam.functions(template).items()
    }


def allows(permission: Permission, call: dict[str, Any]) -> bool:
    """Whether IAM would let this call pass by this permission alone."""
    if _action(call) not in permission.actions:
        return False
    if permission.resource != call["resource"] or permission.index != call.get("index"):
        return False
    if permission.leading_keys is not None and not any(_matches(call, key) for key in permission.leading_keys):
        return False
    return permission.purposes is None or call.get("context", {}).get("purpose") in permission.purposes


def unused(permission: Permission, calls: list[dict[str, Any]]) -> Iterator[str]:
    """Parts of a permission without which every call would have been allowed just the same."""
    used = [call for call in calls if allows(permission, call)]
    yield from sorted(permission.actions - PLATFORM - {_action(call) for call in used})
    for key in sorted(permission.leading_keys or ()):
        if not any(_matches(call, key) for call in used):
            yield f"leading key {key}"
    for purpose in sorted(permission.purposes or ()):
        if not any(call["context"]["purpose"] == purpose for call in used):
            yield f"purpose {purpose}"


def _matches(call: dict[str, Any], pattern: str) -> bool:
    return fnmatch.fnmatchcase(call.get("leading_key", ""), pattern)


def _action(call: dict[str, Any]) -> str:
    return f"{call['service']}:{call['action']}"


def _text(call: dict[str, Any]) -> str:
    """A call without what differs from one to the next."""
    words = [_action(call), call["resource"]]
    words += [f"index {call['index']}"] if "index" in call else []
    words += [f"leading key {call['leading_key'].partition('#')[0]}#…"] if "leading_key" in call else []
    words += [f"purpose {call['context'].get('purpose')}"] if "context" in call else []
    return ", ".join(words)


def main(path: pathlib.Path = RECORDED) -> int:
    problems = list(broken(translate(read()), json.loads(path.read_text())))
    for problem in problems:
        print(problem)
    print(f"permissions: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*map(pathlib.Path, sys.argv[1:])))
