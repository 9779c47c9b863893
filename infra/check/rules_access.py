"""Rules for keys, roles and policies."""

from __future__ import annotations

from collections.abc import Iterator

from iam import LEADING_KEYS, PURPOSE, as_list, functions, permissions, policies_of, principals, role_of
from rules import rule
from template import Template, of_type

# Who may do what with the key that everything hangs on, by purpose (docs/adr/0004). A new line is a decision.
VAULT_KEY = {
    ("kms:Decrypt", "credential"): {"ProxyRole", "ForwardRole", "ConnectRole", "WorkerRole"},
    ("kms:Decrypt", "signing"): {
        "ProxyRole",
        "ForwardRole",
        "GrantsRole",
        "RevokeRole",
        "AuditQueryRole",
        "ConnectRole",
    },
    ("kms:Decrypt", "webhook"): {"WebhookRole"},
    ("kms:GenerateDataKey", "credential"): {"PortalRole", "ProxyRole", "ForwardRole", "ConnectRole", "WorkerRole"},
    ("kms:GenerateDataKey", "signing"): {"PortalRole"},
    ("kms:GenerateDataKey", "webhook"): {"PortalRole"},
}
SECRET_READERS = {"PortalRole"}
# Actions for which IAM knows no resource.
WITHOUT_RESOURCE = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
# By these a key is used, or its use handed on.
USES_A_KEY = ("Decrypt", "Encrypt", "GenerateDataKey", "ReEncrypt", "CreateGrant", "Sign", "DeriveSharedSecret", "GenerateMac")
ADMINISTRATORS = {"arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}


@rule
def keys_rotate(template: Template) -> Iterator[str]:
    for name, key in of_type(template, "AWS::KMS::Key").items():
        if key["Properties"].get("EnableKeyRotation") is not True:
            yield f"{name}: does not rotate"
        if key["Properties"].get("PendingWindowInDays") != 30:
            yield f"{name}: can be gone before a month is over"


@rule
def the_vault_key_is_used_by_whom_and_for_what_is_written_here(template: Template) -> Iterator[str]:
    found: dict[tuple[str, str], set[str]] = {}
    for statement in _key_policy(template, "VaultKey"):
        if statement["Effect"] != "Allow" or not _uses(statement):
            continue
        condition = statement.get("Condition", {})
        purposes = as_list(condition.get("StringEquals", {}).get(PURPOSE, []))
        # Any other condition would need a look of its own; the operators that a missing key satisfies are among them.
        if not purposes or set(condition) != {"StringEquals"} or set(condition["StringEquals"]) != {PURPOSE}:
            yield f"VaultKey: {statement['Sid']} is not bound to purposes of the encryption context"
        for action in as_list(statement["Action"]):
            for purpose in purposes or ["any"]:
                found.setdefault((action, purpose), set()).update(principals(statement))
    for use in sorted(found.keys() | VAULT_KEY.keys()):
        extra = found.get(use, set()) - VAULT_KEY.get(use, set())
        missing = VAULT_KEY.get(use, set()) - found.get(use, set())
        if extra or missing:
            yield f"VaultKey: {use[0]} for {use[1]}: {sorted(extra)} too many, {sorted(missing)} missing"


@rule
def administrators_manage_keys_and_use_none(template: Template) -> Iterator[str]:
    for name in of_type(template, "AWS::KMS::Key"):
        managed = set()
        for statement in _key_policy(template, name):
            if not principals(statement) & ADMINISTRATORS:
                continue
            managed |= set(as_list(statement["Action"]))
            if _uses(statement):
                yield f"{name}: {statement['Sid']} lets administrators use the key"
        # Without these the key can never be managed again.
        if not {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:EnableKey"} <= managed:
            yield f"{name}: nobody can manage it"


@rule
def keys_are_open_to_nobody(template: Template) -> Iterator[str]:
    for name in of_type(template, "AWS::KMS::Key"):
        for statement in _key_policy(template, name):
            bound = statement.get("Condition", {}).get("StringEquals", {})
            if "*" in principals(statement) and not {"kms:CallerAccount", "kms:ViaService"} <= set(bound):
                yield f"{name}: {statement['Sid']} lets anybody in"
            if "Service" in statement["Principal"] and "aws:SourceAccount" not in bound:
                yield f"{name}: {statement['Sid']} lets a service in for other accounts"


@rule
def actions_are_spelt_out(template: Template) -> Iterator[str]:
    for source, statement in _all_statements(template):
        if "NotAction" in statement or "NotResource" in statement or "NotPrincipal" in statement:
            yield f"{source}: {statement.get('Sid')} says what it is not about"
        for action in as_list(statement.get("Action", [])):
            if "*" in action and statement["Effect"] == "Allow":
                yield f"{source}: {statement.get('Sid')} allows {action}"


@rule
def resources_are_named(template: Template) -> Iterator[str]:
    for role in of_type(template, "AWS::IAM::Role"):
        for permission in permissions(template, role):
            if "*" in permission.resource and not permission.actions <= WITHOUT_RESOURCE:
                yield f"{permission.source}: {permission.sid} is about {permission.resource}"
            if permission.resource not in ("*", *template["Resources"]):
                yield f"{permission.source}: {permission.sid} is about {permission.resource}, which is not here"
            if permission.index and permission.index not in _indexes(template, permission.resource):
                yield f"{permission.source}: {permission.sid} is about an index {permission.index}, which is not here"


@rule
def tables_are_open_by_leading_key(template: Template) -> Iterator[str]:
    for role in of_type(template, "AWS::IAM::Role"):
        for source, document in policies_of(template, role):
            for statement in document["Statement"]:
                if not any(action.startswith("dynamodb:") for action in as_list(statement["Action"])):
                    continue
                keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get(LEADING_KEYS, [])
                # A pattern begins with what keyspace.rs spells, and so does not begin with a wildcard.
                if not keys or any(key[:1] in ("*", "?", "") for key in keys):
                    yield f"{source}: {statement['Sid']} is about whole tables"
                if any(action in ("dynamodb:Scan", "dynamodb:PartiQLSelect") for action in as_list(statement["Action"])):
                    yield f"{source}: {statement['Sid']} reads whole tables"


@rule
def keys_are_given_by_their_own_policy(template: Template) -> Iterator[str]:
    for source, statement in _all_statements(template):
        if any(action.startswith("kms:") for action in as_list(statement.get("Action", []))):
            if template["Resources"][source]["Type"] != "AWS::KMS::Key":
                yield f"{source}: {statement.get('Sid')} gives permission on a key beside the key's policy"


@rule
def the_secret_has_one_reader(template: Template) -> Iterator[str]:
    readers = {
        role
        for role in of_type(template, "AWS::IAM::Role")
        if any(action.startswith("secretsmanager:") for one in permissions(template, role) for action in one.actions)
    }
    if readers != SECRET_READERS:
        yield f"the secret is read by {sorted(readers)} instead of {sorted(SECRET_READERS)}"


@rule
def each_function_has_a_role_of_its_own(template: Template) -> Iterator[str]:
    roles = [role_of(function) for function in functions(template).values()]
    if len(set(roles)) != len(roles):
        yield "functions share a role"
    if set(roles) != set(of_type(template, "AWS::IAM::Role")):
        yield "there is a role that no function has"
    for name, role in of_type(template, "AWS::IAM::Role").items():
        trust = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        if [statement["Principal"] for statement in trust] != [{"Service": "lambda.amazonaws.com"}]:
            yield f"{name}: can be taken by others than Lambda"
        for attached in role["Properties"].get("ManagedPolicyArns", []):
            if not isinstance(attached, dict) or attached.get("Ref") not in template["Resources"]:
                yield f"{name}: has a policy that is not ours: {attached}"


def _key_policy(template: Template, key: str) -> list[dict]:
    return template["Resources"][key]["Properties"]["KeyPolicy"]["Statement"]


def _indexes(template: Template, table: str) -> set[str]:
    properties = template["Resources"].get(table, {}).get("Properties", {})
    return {index["IndexName"] for index in properties.get("GlobalSecondaryIndexes", [])}


def _uses(statement: dict) -> bool:
    actions = [action.removeprefix("kms:") for action in as_list(statement["Action"])]
    return any("*" in action or action.startswith(USES_A_KEY) for action in actions)


def _all_statements(template: Template) -> Iterator[tuple[str, dict]]:
    """Every statement of every policy, with the resource that holds it."""
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        documents = [properties.get("PolicyDocument"), properties.get("KeyPolicy")]
        documents += [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        for document in documents:
            for statement in (document or {}).get("Statement", []):
                yield name, statement
