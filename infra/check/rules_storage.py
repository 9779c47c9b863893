"""Rules for tables, queues, secrets and log groups."""

from __future__ import annotations

from collections.abc import Iterator

import source
from rules import rule
from template import Template, of_type

STORAGE_KEY = {"Fn::GetAtt": ["StorageKey", "Arn"]}
TABLES = {"MainTable", "VaultTable", "AuditTable"}
# What is sealed is found by its key: an index would be a second way in.
WITHOUT_INDEXES = {"VaultTable"}
KEEPS = ("AWS::DynamoDB::Table", "AWS::KMS::Key", "AWS::SQS::Queue", "AWS::S3::Bucket")
# Each with its dead-letter queue and the function that reads it.
QUEUES = (
    ("AuditQueue", "AuditDeadLetters", "AuditWriterFunction"),
    ("WorkQueue", "WorkDeadLetters", "WorkerFunction"),
)
TWO_WEEKS = 14 * 24 * 3600


@rule
def three_tables(template: Template) -> Iterator[str]:
    if set(of_type(template, "AWS::DynamoDB::Table")) != TABLES:
        yield f"the tables are not {sorted(TABLES)}"


@rule
def expired_items_go(template: Template) -> Iterator[str]:
    expiry = source.schema()["expiry"]
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        live = table["Properties"].get("TimeToLiveSpecification")
        if live != {"AttributeName": expiry, "Enabled": True}:
            yield f"{name}: time to live is not on `{expiry}`"


@rule
def tables_can_be_restored(template: Template) -> Iterator[str]:
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        recovery = table["Properties"].get("PointInTimeRecoverySpecification", {})
        if recovery.get("PointInTimeRecoveryEnabled") is not True:
            yield f"{name}: no point-in-time recovery"


@rule
def tables_are_encrypted(template: Template) -> Iterator[str]:
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        given = table["Properties"].get("SSESpecification", {})
        if given != {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": STORAGE_KEY}:
            yield f"{name}: not encrypted with StorageKey"


@rule
def tables_are_paid_by_request(template: Template) -> Iterator[str]:
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        if table["Properties"].get("BillingMode") != "PAY_PER_REQUEST":
            yield f"{name}: capacity is provisioned"


@rule
def tables_are_protected_by_parameter(template: Template) -> Iterator[str]:
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        if table["Properties"].get("DeletionProtectionEnabled") != {"Fn::If": ["ProtectTables", True, False]}:
            yield f"{name}: not protected by the parameter DeletionProtection"
    if template["Parameters"]["DeletionProtection"]["Default"] != "true":
        yield "tables are not protected by default"


@rule
def tables_are_as_the_code_has_them(template: Template) -> Iterator[str]:
    schema = source.schema()
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        properties = table["Properties"]
        indexes = {
            index["IndexName"]: (_key(index["KeySchema"]), index["Projection"])
            for index in properties.get("GlobalSecondaryIndexes", [])
        }
        wanted = {} if name in WITHOUT_INDEXES else schema["indexes"]
        if _key(properties["KeySchema"]) != schema["key"]:
            yield f"{name}: the key is not {schema['key']}"
        if indexes != {index: (key, {"ProjectionType": "ALL"}) for index, key in wanted.items()}:
            yield f"{name}: the indexes are not {wanted}, each with all attributes"
        attributes = {one["AttributeName"]: one["AttributeType"] for one in properties["AttributeDefinitions"]}
        if attributes != dict.fromkeys([*schema["key"], *(part for key in wanted.values() for part in key)], "S"):
            yield f"{name}: an attribute of a key is missing, idle or no string"


def _key(schema: list[dict[str, str]]) -> tuple[str, ...]:
    by_kind = {one["KeyType"]: one["AttributeName"] for one in schema}
    return by_kind.get("HASH", ""), by_kind.get("RANGE", "")


@rule
def data_outlives_the_stack(template: Template) -> Iterator[str]:
    for kind in KEEPS:
        for name, resource in of_type(template, kind).items():
            if {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")} != {"Retain"}:
                yield f"{name}: is deleted with the stack, or when it is replaced"


@rule
def queues_are_encrypted(template: Template) -> Iterator[str]:
    for name, queue in of_type(template, "AWS::SQS::Queue").items():
        if queue["Properties"].get("KmsMasterKeyId") != STORAGE_KEY:
            yield f"{name}: not encrypted with StorageKey"


@rule
def queues_are_reached_over_tls(template: Template) -> Iterator[str]:
    refused = set()
    for policy in of_type(template, "AWS::SQS::QueuePolicy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                yield "a queue's policy allows something; roles do that"
            if _over_plain_text(statement):
                refused |= {queue["Ref"] for queue in policy["Properties"]["Queues"]}
    for name in set(of_type(template, "AWS::SQS::Queue")) - refused:
        yield f"{name}: can be reached without TLS"


def _over_plain_text(statement: dict) -> bool:
    return (
        statement["Effect"] == "Deny"
        and statement["Principal"] == "*"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": False}}
    )


@rule
def nothing_recorded_is_lost(template: Template) -> Iterator[str]:
    queues = of_type(template, "AWS::SQS::Queue")
    for name, queue in queues.items():
        if queue["Properties"].get("MessageRetentionPeriod") != TWO_WEEKS:
            yield f"{name}: does not keep messages for the two weeks that SQS can"
    if set(queues) != {name for names in QUEUES for name in names[:2]}:
        yield f"the queues are not {QUEUES}"
    for name, dead_letters, consumer in QUEUES:
        queue = queues.get(name, {"Properties": {}})["Properties"]
        redrive = queue.get("RedrivePolicy", {})
        if redrive.get("deadLetterTargetArn") != {"Fn::GetAtt": [dead_letters, "Arn"]}:
            yield f"{name}: what cannot be dealt with goes to no dead-letter queue"
        if not 3 <= redrive.get("maxReceiveCount", 0) <= 10:
            yield f"{name}: a message is tried 3 to 10 times"
        timeout = template["Resources"][consumer]["Properties"]["Timeout"]
        if queue.get("VisibilityTimeout", 30) < 6 * timeout:
            yield f"{name}: a message becomes visible again before six times the function's timeout"
    consumed = {
        (_target(mapping["EventSourceArn"]), _target(mapping["FunctionName"]))
        for mapping in (one["Properties"] for one in of_type(template, "AWS::Lambda::EventSourceMapping").values())
    }
    if consumed != {(name, consumer) for name, _, consumer in QUEUES}:
        yield f"the queues are read otherwise: {sorted(consumed)}"
    for name, mapping in of_type(template, "AWS::Lambda::EventSourceMapping").items():
        if mapping["Properties"].get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one bad message fails its whole batch"


def _target(named: dict) -> str:
    return named["Ref"] if "Ref" in named else named["Fn::GetAtt"][0]


@rule
def secrets_are_made_and_encrypted(template: Template) -> Iterator[str]:
    for name, secret in of_type(template, "AWS::SecretsManager::Secret").items():
        properties = secret["Properties"]
        if "SecretString" in properties:
            yield f"{name}: its value is in the template"
        # shared/domain/src/auth/key_text.rs: what a token is made of.
        if properties.get("GenerateSecretString") != {"PasswordLength": 48, "ExcludePunctuation": True}:
            yield f"{name}: is not 48 letters and digits"
        if properties.get("KmsKeyId") != STORAGE_KEY:
            yield f"{name}: not encrypted with StorageKey"


@rule
def logs_end(template: Template) -> Iterator[str]:
    for name, group in of_type(template, "AWS::Logs::LogGroup").items():
        if group["Properties"].get("RetentionInDays") != {"Ref": "LogRetentionDays"}:
            yield f"{name}: is kept for ever, or not as long as the parameter LogRetentionDays says"


@rule
def the_site_is_private(template: Template) -> Iterator[str]:
    buckets = of_type(template, "AWS::S3::Bucket")
    for name, bucket in buckets.items():
        block = bucket["Properties"].get("PublicAccessBlockConfiguration", {})
        switches = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        if any(block.get(switch) is not True for switch in switches):
            yield f"{name}: public access is not blocked"
        if "BucketEncryption" not in bucket["Properties"]:
            yield f"{name}: not encrypted"
        if bucket["Properties"].get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield f"{name}: what was replaced is gone"
        if bucket["Properties"].get("OwnershipControls") != {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}:
            yield f"{name}: access lists decide beside policies"
    refused = set()
    for name, policy in of_type(template, "AWS::S3::BucketPolicy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if _over_plain_text(statement):
                refused.add(policy["Properties"]["Bucket"]["Ref"])
            elif statement["Effect"] == "Allow" and (
                statement["Principal"] != {"Service": "cloudfront.amazonaws.com"}
                or statement["Action"] != "s3:GetObject"
                or "aws:SourceArn" not in statement.get("Condition", {}).get("StringEquals", {})
            ):
                yield f"{name}: lets in more than this distribution, reading"
    for name in set(buckets) - refused:
        yield f"{name}: can be reached without TLS"
