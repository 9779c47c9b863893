"""The recorded calls in the form that infra/check/permissions.py reads: what IAM would have been asked."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Any

from recorder import Call

Entry = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Table:
    """A table as the template names it, and the attributes that its items are found by."""

    logical_id: str
    partition: str
    # Partition attribute by index.
    indexes: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Names:
    """What the account calls a resource, and what the template does."""

    tables: dict[str, Table]
    # Key ids and ARNs, queue URLs, secret names and ARNs.
    others: dict[str, str]

    def table(self, name: str) -> Table:
        return self.tables[name.rpartition("/")[2]]


def write(path: pathlib.Path, calls: Iterable[Call], names: Names, functions: Iterable[str]) -> None:
    """Each function's calls, equal ones once, in a stable order."""
    found: dict[str, dict[str, Entry]] = {function: {} for function in functions}
    for call in calls:
        for entry in entries(call, names):
            found[call.function][json.dumps(entry, sort_keys=True)] = entry
    document = {name: [entry for _, entry in sorted(by_text.items())] for name, by_text in found.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")


def entries(call: Call, names: Names) -> Iterator[Entry]:
    """What IAM decides about for this call: at least one entry, or the call is of a kind nobody thought of."""
    body = call.body
    if call.service == "dynamodb":
        yield from _table_entries(call, names)
    elif call.service == "kms":
        # The key of a Decrypt may be left to the ciphertext.
        yield _entry(call, names.others[body["KeyId"]], context=body.get("EncryptionContext", {}))
    elif call.service == "sqs":
        yield _entry(call, names.others[body["QueueUrl"]], action=call.action.removesuffix("Batch"))
    elif call.service == "secretsmanager":
        yield _entry(call, names.others[body["SecretId"]])


# What a write in a transaction is called, and the action that IAM asks for.
_WRITES = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


def _table_entries(call: Call, names: Names) -> Iterator[Entry]:
    body = call.body
    match call.action:
        case "GetItem" | "UpdateItem" | "DeleteItem":
            yield _item(call, names, call.action, body["TableName"], body["Key"])
        case "PutItem":
            yield _item(call, names, call.action, body["TableName"], body["Item"])
        case "BatchGetItem":
            for table, request in body["RequestItems"].items():
                for key in request["Keys"]:
                    yield _item(call, names, call.action, table, key)
        case "BatchWriteItem":
            for table, requests in body["RequestItems"].items():
                for request in requests:
                    key = request["PutRequest"]["Item"] if "PutRequest" in request else request["DeleteRequest"]["Key"]
                    yield _item(call, names, call.action, table, key)
        case "TransactWriteItems":
            for element in body["TransactItems"]:
                ((kind, write),) = element.items()
                key = write["Item"] if kind == "Put" else write["Key"]
                yield _item(call, names, _WRITES[kind], write["TableName"], key)
        case "TransactGetItems":
            for element in body["TransactItems"]:
                yield _item(call, names, "GetItem", element["Get"]["TableName"], element["Get"]["Key"])
        case "Query":
            table = names.table(body["TableName"])
            index = body.get("IndexName")
            partition = table.indexes[index] if index else table.partition
            more = {"index": index} if index else {}
            yield _entry(call, table.logical_id, leading_key=_condition(body, partition), **more)
        case action:
            raise AssertionError(f"{call.function} called {action}, which no permission is planned for")


def _item(call: Call, names: Names, action: str, table_name: str, item: dict[str, Any]) -> Entry:
    table = names.table(table_name)
    return _entry(call, table.logical_id, action=action, leading_key=_text(item[table.partition]))


def _entry(call: Call, resource: str, action: str | None = None, **more: Any) -> Entry:
    return {"service": call.service, "action": action or call.action, "resource": resource, **more}


def _condition(body: dict[str, Any], attribute: str) -> str:
    """The value that a query's condition gives to this attribute."""
    aliases = body.get("ExpressionAttributeNames", {})
    for name, placeholder in re.findall(r"(#?\w+)\s*=\s*(:\w+)", body["KeyConditionExpression"]):
        if aliases.get(name, name) == attribute:
            return _text(body["ExpressionAttributeValues"][placeholder])
    raise AssertionError(f"no condition on {attribute} in {body['KeyConditionExpression']!r}")


def _text(value: dict[str, str]) -> str:
    ((_, text),) = value.items()
    return text
