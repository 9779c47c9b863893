"""What each function may do, read from its role, the policies attached to it, and the key policies that name it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from template import Template, of_type

Statement = dict[str, Any]

LEADING_KEYS = "dynamodb:LeadingKeys"
PURPOSE = "kms:EncryptionContext:purpose"


@dataclasses.dataclass(frozen=True)
class Permission:
    """One statement's permission on one resource."""

    # Logical id of the policy, role or key, and the statement in it.
    source: str
    sid: str
    actions: frozenset[str]
    # Logical id, or "*".
    resource: str
    index: str | None = None
    # Patterns of the partition value; None where there is none to name.
    leading_keys: frozenset[str] | None = None
    purposes: frozenset[str] | None = None


def functions(template: Template) -> dict[str, Any]:
    return of_type(template, "AWS::Lambda::Function")


def role_of(function: dict[str, Any]) -> str:
    return function["Properties"]["Role"]["Fn::GetAtt"][0]


def policies_of(template: Template, role: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Policy documents of a role, each with the resource that holds it."""
    properties = template["Resources"][role]["Properties"]
    for policy in properties.get("Policies", []):
        yield role, policy["PolicyDocument"]
    for attached in properties.get("ManagedPolicyArns", []):
        if isinstance(attached, dict):
            yield attached["Ref"], template["Resources"][attached["Ref"]]["Properties"]["PolicyDocument"]


def permissions(template: Template, role: str) -> Iterator[Permission]:
    """All that a role may do: by its own policies, and by policies of keys that name it."""
    for source, document in policies_of(template, role):
        for statement in document["Statement"]:
            yield from _permissions(source, statement)
    for key, resource in of_type(template, "AWS::KMS::Key").items():
        for statement in resource["Properties"]["KeyPolicy"]["Statement"]:
            if role in principals(statement):
                # In a key's policy `*` is that key.
                yield from _permissions(key, {**statement, "Resource": {"Ref": key}})


def principals(statement: Statement) -> set[str]:
    """Logical ids of the roles that a statement names; "*" for everybody; other texts as they are."""
    named = statement.get("Principal", {})
    if isinstance(named, str):
        return {named}
    return {_principal(one) for kind in named.values() for one in as_list(kind)}


def _principal(named: Any) -> str:
    if isinstance(named, str):
        return named
    if "Fn::GetAtt" in named:
        return named["Fn::GetAtt"][0]
    return named.get("Ref") or str(named.get("Fn::Sub"))


def _permissions(source: str, statement: Statement) -> Iterator[Permission]:
    if statement["Effect"] != "Allow":
        return
    conditions = statement.get("Condition", {})
    leading = conditions.get("ForAllValues:StringLike", {}).get(LEADING_KEYS)
    purposes = conditions.get("StringEquals", {}).get(PURPOSE)
    for resource in as_list(statement["Resource"]):
        name, index = resource_name(resource)
        yield Permission(
            source=source,
            sid=statement.get("Sid", ""),
            actions=frozenset(as_list(statement["Action"])),
            resource=name,
            index=index,
            leading_keys=None if leading is None else frozenset(as_list(leading)),
            purposes=None if purposes is None else frozenset(as_list(purposes)),
        )


def resource_name(resource: Any) -> tuple[str, str | None]:
    """Logical id of what a statement names, and the index if it names one."""
    if isinstance(resource, str):
        return resource, None
    if "Ref" in resource:
        return resource["Ref"], None
    if "Fn::GetAtt" in resource:
        return resource["Fn::GetAtt"][0], None
    text = resource["Fn::Sub"]
    found = re.fullmatch(r"\$\{(\w+)\.Arn\}/index/(.+)", text)
    return (found[1], found[2]) if found else (text, None)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
