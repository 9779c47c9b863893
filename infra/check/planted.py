"""Errors that are planted into the template; each names the rule that has to notice it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

STAR = "*"

Breaks = Callable[[dict[str, Any]], None]

PLANTED: list[tuple[str, str, Breaks]] = []


def planted(rule: str) -> Callable[[Breaks], Breaks]:
    """An error that this rule has to notice."""

    def register(breaks: Breaks) -> Breaks:
        PLANTED.append((rule, breaks.__name__, breaks))
        return breaks

    return register


def properties(resources: dict[str, Any], name: str) -> dict[str, Any]:
    return resources[name]["Properties"]


def statement(document: dict[str, Any], sid: str) -> dict[str, Any]:
    return next(one for one in document["Statement"] if one["Sid"] == sid)


def vault_key(resources: dict[str, Any], sid: str) -> dict[str, Any]:
    return statement(properties(resources, "VaultKey")["KeyPolicy"], sid)


def of_role(resources: dict[str, Any], role: str, sid: str) -> dict[str, Any]:
    return statement(properties(resources, role)["Policies"][0]["PolicyDocument"], sid)


def role(name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, "Arn"]}
