"""Rules for the functions themselves, and for what watches them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import source
from iam import functions
from rules import rule
from template import Template, of_type

# What each function needs besides the tables and the log level.
SETTINGS = {
    "ProxyFunction": {"ALTER_KMS_KEY_ID", "ALTER_AUDIT_QUEUE_URL", "ALTER_WORK_QUEUE_URL"},
    "ForwardFunction": {"ALTER_KMS_KEY_ID", "ALTER_AUDIT_QUEUE_URL", "ALTER_WORK_QUEUE_URL"},
    "GrantsFunction": {"ALTER_KMS_KEY_ID", "ALTER_AUDIT_QUEUE_URL"},
    "RevokeFunction": {"ALTER_KMS_KEY_ID", "ALTER_AUDIT_QUEUE_URL", "ALTER_WORK_QUEUE_URL"},
    "AuditQueryFunction": {"ALTER_KMS_KEY_ID", "ALTER_AUDIT_QUEUE_URL"},
    "PortalFunction": {
        "ALTER_KMS_KEY_ID",
        "ALTER_AUDIT_QUEUE_URL",
        "ALTER_WORK_QUEUE_URL",
        "ALTER_PUBLIC_URL",
        "ALTER_WALLET_URL",
        "ALTER_SETTINGS_SECRET_ARN",
        "ALTER_ORGANIZATION",
    },
    "ConnectFunction": {
        "ALTER_KMS_KEY_ID",
        "ALTER_AUDIT_QUEUE_URL",
        "ALTER_WORK_QUEUE_URL",
        "ALTER_PUBLIC_URL",
        "ALTER_WALLET_URL",
        "ALTER_EDGE_SECRET",
    },
    # No key of any kind.
    "WalletFunction": {"ALTER_AUDIT_QUEUE_URL", "ALTER_WORK_QUEUE_URL", "ALTER_WALLET_URL", "ALTER_EDGE_SECRET"},
    "WebhookFunction": {"ALTER_KMS_KEY_ID", "ALTER_AUDIT_QUEUE_URL", "ALTER_WORK_QUEUE_URL"},
    "WorkerFunction": {"ALTER_KMS_KEY_ID", "ALTER_AUDIT_QUEUE_URL", "ALTER_WORK_QUEUE_URL"},
    "AuditWriterFunction": set(),
}
EVERYWHERE = {
    "ALTER_TABLE_MAIN": {"Ref": "MainTable"},
    "ALTER_TABLE_VAULT": {"Ref": "VaultTable"},
    "ALTER_TABLE_AUDIT": {"Ref": "AuditTable"},
    "ALTER_LOG_LEVEL": {"Ref": "LogLevel"},
}


@rule
def functions_run_as_they_are_built(template: Template) -> Iterator[str]:
    if template["Parameters"]["Architecture"]["Default"] != "arm64":
        yield "arm64 is not the default"
    for name, function in functions(template).items():
        properties = function["Properties"]
        if properties.get("Runtime") != "provided.al2023" or properties.get("Handler") != "bootstrap":
            yield f"{name}: not a binary on provided.al2023"
        if properties.get("Architectures") != [{"Ref": "Architecture"}]:
            yield f"{name}: its processor is not the parameter Architecture"
        if properties.get("MemorySize") != 256:
            yield f"{name}: has another memory than COST.md reckons with"


@rule
def every_function_has_its_binary(template: Template) -> Iterator[str]:
    binaries = source.binaries()
    wanted = {}
    for name, function in functions(template).items():
        metadata = function.get("Metadata", {})
        if metadata.get("BuildMethod") != "rust-cargolambda":
            yield f"{name}: not built by cargo-lambda"
        wanted[metadata.get("BuildProperties", {}).get("Binary")] = metadata.get("CodeUri")
    for binary in sorted(wanted.keys() ^ binaries.keys() - source.NOT_ON_AWS, key=str):
        yield f"{binary}: a function without a binary, or a binary without a function"
    for binary in wanted.keys() & binaries.keys():
        if wanted[binary] != binaries[binary]:
            yield f"{binary}: is built in {binaries[binary]}, not in {wanted[binary]}"


@rule
def functions_are_traced(template: Template) -> Iterator[str]:
    for name, function in functions(template).items():
        if function["Properties"].get("TracingConfig") != {"Mode": "Active"}:
            yield f"{name}: is not traced"
    for name, stage in of_type(template, "AWS::ApiGateway::Stage").items():
        if stage["Properties"].get("TracingEnabled") is not True:
            yield f"{name}: is not traced"


@rule
def functions_log_to_their_own_group(template: Template) -> Iterator[str]:
    groups = of_type(template, "AWS::Logs::LogGroup")
    used = []
    for name, function in functions(template).items():
        logging = function["Properties"].get("LoggingConfig", {})
        used.append(logging.get("LogGroup", {}).get("Ref"))
        if used[-1] not in groups or logging.get("LogFormat") != "JSON":
            yield f"{name}: does not log as JSON into a group of this template, which has an end"
        if logging.get("ApplicationLogLevel") != "TRACE":
            yield f"{name}: Lambda drops lines that the parameter LogLevel asks for"
    if len(set(used)) != len(used):
        yield "functions share a log group"


@rule
def functions_are_told_what_they_read(template: Template) -> Iterator[str]:
    told = set()
    for name, function in functions(template).items():
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        told |= set(variables)
        if set(variables) != SETTINGS.get(name, set()) | set(EVERYWHERE):
            yield f"{name}: is told {sorted(variables)}"
        for variable, value in EVERYWHERE.items():
            if variables.get(variable) != value:
                yield f"{name}: {variable} is not {value}"
    read = source.settings()
    if told != read:
        yield f"told and not read: {sorted(told - read)}; read and not told: {sorted(read - told)}"


@rule
def everybody_is_told_the_same_address(template: Template) -> Iterator[str]:
    """The addresses that the portal shows for a registration, at a provider or an identity provider, are those that Connect sends."""
    given = {
        "ALTER_PUBLIC_URL": {"Fn::If": ["HasPublicUrl", {"Ref": "PublicUrl"}, template["Outputs"]["ApiUrl"]["Value"]]},
        "ALTER_WALLET_URL": template["Outputs"]["WalletUrl"]["Value"],
    }
    for name, function in functions(template).items():
        variables = function["Properties"].get("Environment", {}).get("Variables", {})
        for variable, address in given.items():
            if variables.get(variable, address) != address:
                yield f"{name}: is told another {variable} than the outputs say"


@rule
def calls_outlive_their_answers(template: Template) -> Iterator[str]:
    """Tokens that a provider has just given must reach the table, whatever has become of the caller."""
    for name in ("ProxyFunction", "ForwardFunction", "ConnectFunction"):
        timeout = template["Resources"][name]["Properties"]["Timeout"]
        # shared/domain/src/flow/refresh.rs: a call's 25 s, then a request that has just begun, then the store.
        if timeout < 25 + 15 + 60:
            yield f"{name}: ends after {timeout} s, perhaps between a provider's answer and the store"


@rule
def the_clock_asks_every_minute(template: Template) -> Iterator[str]:
    clocks = of_type(template, "AWS::Events::Rule")
    if len(clocks) != 1:
        yield f"{sorted(clocks)}: what is due is looked for by one rule"
    for name, clock in clocks.items():
        properties = clock["Properties"]
        if properties.get("ScheduleExpression") != "rate(1 minute)" or properties.get("State", "ENABLED") != "ENABLED":
            yield f"{name}: does not come every minute"
        targets = [(target["Arn"]["Fn::GetAtt"][0], target.get("Input")) for target in properties["Targets"]]
        # shared/domain/src/port/work.rs
        if targets != [("WorkerFunction", '{"work":"due"}')]:
            yield f"{name}: does not tell the worker to look for what is due, or tells others"
    retries = of_type(template, "AWS::Lambda::EventInvokeConfig").values()
    if [config["Properties"].get("MaximumRetryAttempts") for config in retries] != [0]:
        yield "the clock's event is repeated by others than the clock"


@rule
def alarms_ring(template: Template) -> Iterator[str]:
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    for name, alarm in alarms.items():
        if alarm["Properties"].get("AlarmActions") != [{"Ref": "Alarms"}]:
            yield f"{name}: nobody hears it"
        if sum("MetricStat" in one for one in alarm["Properties"].get("Metrics", [])) > 10:
            yield f"{name}: watches more than the ten metrics that an alarm may"
    watched = {
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {"AuditDeadLetters", "WorkDeadLetters"},
        ("AWS/SQS", "ApproximateAgeOfOldestMessage"): {"AuditQueue"},
        ("AWS/Lambda", "Errors"): set(functions(template)),
        ("AWS/Lambda", "Throttles"): set(functions(template)),
        ("AWS/DynamoDB", "ReadThrottleEvents"): {"MainTable", "VaultTable", "AuditTable"},
        ("AWS/DynamoDB", "WriteThrottleEvents"): {"MainTable", "VaultTable", "AuditTable"},
        ("AWS/Usage", "CallCount"): {"KMS"},
        # Written by the functions themselves, by the name of their binary (shared/adapters/aws/src/lambda/log.rs).
        ("AlterVault", "Calls"): set(source.binaries()) - source.NOT_ON_AWS - {"audit-writer"},
    }
    found: dict[tuple[str, str], set[str]] = {}
    for alarm in alarms.values():
        properties = alarm["Properties"]
        metrics = [one["MetricStat"]["Metric"] for one in properties.get("Metrics", []) if "MetricStat" in one]
        for metric in metrics or [properties]:
            kind = (metric["Namespace"], metric["MetricName"])
            found.setdefault(kind, set()).update(_watched(metric))
    for kind, names in watched.items():
        if not names <= found.get(kind, set()):
            yield f"{kind[1]} of {sorted(names - found.get(kind, set()))} rings no alarm"


def _watched(metric: dict) -> set[str]:
    values = [dimension["Value"] for dimension in metric["Dimensions"]]
    return {
        value.get("Ref") or value["Fn::GetAtt"][0] if isinstance(value, dict) else value for value in values
    }


@rule
def the_dashboard_shows_every_function(template: Template) -> Iterator[str]:
    for name, dashboard in of_type(template, "AWS::CloudWatch::Dashboard").items():
        body = dashboard["Properties"]["DashboardBody"]["Fn::Sub"]
        for function in functions(template):
            if "${%s}" % function not in body:
                yield f"{name}: does not show {function}"
        named = set(re.findall(r"\$\{(\w+)", body)) - {"AWS"}
        if not named <= set(template["Resources"]):
            yield f"{name}: shows {sorted(named - set(template['Resources']))}, which are not here"
