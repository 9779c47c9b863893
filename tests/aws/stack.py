"""The template's stack in the emulated account: the translated template, with the real binaries."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import pathlib
import string
import zipfile
from typing import Any

from emulator import REGION, Emulator
from recorded import Names, Table
from recorder import Recorder
from waiting import until

STACK = "alter"
BUCKET = "code"
DEPLOY_SECONDS = 60

Template = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Stack:
    emulator: Emulator
    # Logical to physical id.
    resources: dict[str, str]
    # Logical id by binary.
    functions: dict[str, str]
    names: Names

    @property
    def api_path(self) -> str:
        """What stands before a path of the HTTP API in the emulator's own address."""
        return f"/_aws/execute-api/{self.resources['Api']}/$default"

    def physical(self, binary: str) -> str:
        """What the account calls the function of this binary."""
        return self.resources[self.functions[binary]]

    def environment(self, binary: str) -> dict[str, str]:
        """What Lambda would start this binary with."""
        client = self.emulator.client("lambda")
        configured = client.get_function_configuration(FunctionName=self.physical(binary))
        return {
            **configured["Environment"]["Variables"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "000000000000",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_LAMBDA_FUNCTION_NAME": self.physical(binary),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configured["MemorySize"]),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        }

    def mapping(self) -> str:
        """The event source mapping between the audit queue and its writer."""
        client = self.emulator.client("lambda")
        named = client.list_event_source_mappings(FunctionName=self.physical("audit-writer"))
        (mapping,) = named["EventSourceMappings"]
        return mapping["UUID"]


def deploy(
    emulator: Emulator,
    recorder: Recorder,
    translated: Template,
    binaries: pathlib.Path,
    parameters: dict[str, str],
) -> Stack:
    template = adapted(translated)
    functions = by_binary(template)
    for binary, logical_id in functions.items():
        properties = template["Resources"][logical_id]["Properties"]
        properties["Code"] = {"S3Bucket": BUCKET, "S3Key": f"{binary}.zip"}
        # Every call of a function to AWS goes through a port of its own.
        properties["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = recorder.url(binary)
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    for binary in functions:
        s3.put_object(Bucket=BUCKET, Key=f"{binary}.zip", Body=package(binaries / binary))
    create(emulator, template, parameters)
    cloudformation = emulator.client("cloudformation")
    found = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    resources = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}
    kinds = {each["LogicalResourceId"]: each["ResourceType"] for each in found}
    return Stack(emulator, resources, functions, names(emulator, resources, kinds))


def adapted(translated: Template) -> Template:
    """The template as the emulator understands it."""
    template = copy.deepcopy(translated)
    for logical_id, resource in list(template["Resources"].items()):
        properties = resource.get("Properties", {})
        # It knows no alarms on an expression over metrics.
        if resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in properties:
            del template["Resources"][logical_id]
        # It excludes characters from a generated secret only one by one.
        if properties.get("GenerateSecretString", {}).get("ExcludePunctuation"):
            properties["GenerateSecretString"]["ExcludeCharacters"] = string.punctuation
    return template


def by_binary(template: Template) -> dict[str, str]:
    """Logical ids of the functions."""
    return {
        resource["Metadata"]["BuildProperties"]["Binary"]: logical_id
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Function"
    }


def package(binary: pathlib.Path) -> bytes:
    """The binary as Lambda takes it. Stored, not compressed: it goes no further than this machine."""
    file = zipfile.ZipInfo("bootstrap")
    file.external_attr = 0o755 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(file, binary.read_bytes())
    return buffer.getvalue()


def create(emulator: Emulator, template: Template, parameters: dict[str, str]) -> None:
    cloudformation = emulator.client("cloudformation")
    s3 = emulator.client("s3")
    # Given by its place: as an argument it may have 51,200 bytes.
    s3.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(template).encode())
    cloudformation.create_stack(
        StackName=STACK,
        TemplateURL=f"http://127.0.0.1:{emulator.port}/{BUCKET}/template.json",
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def ended() -> str | None:
        (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack["StackStatus"]

    status = until(ended, DEPLOY_SECONDS, "the stack is created")
    if status != "CREATE_COMPLETE":
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        lines = [f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed]
        raise RuntimeError(f"{status}\n" + "\n".join(lines))


def names(emulator: Emulator, resources: dict[str, str], kinds: dict[str, str]) -> Names:
    """What functions may call the resources by, for the permission check."""
    tables, others = {}, {}
    for logical_id, physical_id in resources.items():
        match kinds[logical_id]:
            case "AWS::DynamoDB::Table":
                tables[physical_id] = table(emulator, logical_id, physical_id)
            case "AWS::KMS::Key":
                metadata = emulator.client("kms").describe_key(KeyId=physical_id)["KeyMetadata"]
                others |= {metadata["KeyId"]: logical_id, metadata["Arn"]: logical_id}
            case "AWS::SecretsManager::Secret":
                secret = emulator.client("secretsmanager").describe_secret(SecretId=physical_id)
                others |= {secret["Name"]: logical_id, secret["ARN"]: logical_id}
            case "AWS::SQS::Queue":
                others[physical_id] = logical_id
    return Names(tables, others)


def table(emulator: Emulator, logical_id: str, physical_id: str) -> Table:
    described = emulator.client("dynamodb").describe_table(TableName=physical_id)["Table"]

    def partition(schema: list[dict[str, str]]) -> str:
        return next(key["AttributeName"] for key in schema if key["KeyType"] == "HASH")

    indexes = described.get("GlobalSecondaryIndexes", [])
    return Table(
        logical_id,
        partition(described["KeySchema"]),
        {index["IndexName"]: partition(index["KeySchema"]) for index in indexes},
    )
