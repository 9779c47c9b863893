"""Breaks the template on purpose: each error has to be noticed, by the rule that is there for it."""

from __future__ import annotations

import copy
import unittest
from collections.abc import Callable
from typing import Any

import rules
import template

SOURCE = template.read()
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


# --- tables, queue, secret, logs, bucket ---


@planted("three_tables")
def two_tables_in_one(resources):
    resources["MoreTable"] = resources.pop("VaultTable")


@planted("tables_are_paid_by_request")
def capacity_provisioned(resources):
    properties(resources, "MainTable")["BillingMode"] = "PROVISIONED"


@planted("expired_items_go")
def no_time_to_live(resources):
    del properties(resources, "MainTable")["TimeToLiveSpecification"]


@planted("expired_items_go")
def time_to_live_on_another_attribute(resources):
    properties(resources, "AuditTable")["TimeToLiveSpecification"]["AttributeName"] = "ttl"


@planted("tables_can_be_restored")
def no_point_in_time_recovery(resources):
    properties(resources, "VaultTable")["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] = False


@planted("tables_are_encrypted")
def no_encryption_of_a_table(resources):
    del properties(resources, "VaultTable")["SSESpecification"]


@planted("tables_are_encrypted")
def a_table_under_the_vault_key(resources):
    properties(resources, "VaultTable")["SSESpecification"]["KMSMasterKeyId"] = role("VaultKey")


@planted("tables_are_as_the_code_has_them")
def an_index_without_the_items(resources):
    properties(resources, "MainTable")["GlobalSecondaryIndexes"][1]["Projection"] = {"ProjectionType": "KEYS_ONLY"}


@planted("tables_are_as_the_code_has_them")
def an_index_missing(resources):
    properties(resources, "AuditTable")["GlobalSecondaryIndexes"].pop()


@planted("tables_are_protected_by_parameter")
def tables_never_protected(resources):
    properties(resources, "MainTable")["DeletionProtectionEnabled"] = False


@planted("data_outlives_the_stack")
def data_deleted_with_the_stack(resources):
    resources["AuditTable"]["DeletionPolicy"] = "Delete"


@planted("data_outlives_the_stack")
def key_deleted_when_replaced(resources):
    del resources["VaultKey"]["UpdateReplacePolicy"]


@planted("queues_are_encrypted")
def queue_unencrypted(resources):
    del properties(resources, "AuditQueue")["KmsMasterKeyId"]


@planted("queues_are_reached_over_tls")
def dead_letters_without_tls(resources):
    properties(resources, "QueuesOverTls")["Queues"].pop()


@planted("nothing_recorded_is_lost")
def no_redrive(resources):
    del properties(resources, "AuditQueue")["RedrivePolicy"]


@planted("nothing_recorded_is_lost")
def dead_at_the_first_failure(resources):
    properties(resources, "AuditQueue")["RedrivePolicy"]["maxReceiveCount"] = 1


@planted("nothing_recorded_is_lost")
def visible_while_it_is_written(resources):
    properties(resources, "AuditQueue")["VisibilityTimeout"] = 30


@planted("nothing_recorded_is_lost")
def batches_fail_whole(resources):
    del properties(resources, "AuditWriterFunction")["Events"]["Recorded"]["Properties"]["FunctionResponseTypes"]


@planted("secrets_are_made_and_encrypted")
def secret_in_the_template(resources):
    properties(resources, "OperatorToken").update(SecretString="A" * 48)


@planted("logs_end")
def no_retention(resources):
    del properties(resources, "PortalLogs")["RetentionInDays"]


@planted("the_site_is_private")
def public_bucket(resources):
    properties(resources, "WalletBucket")["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] = False


@planted("the_site_is_private")
def bucket_open_to_anybody(resources):
    statement(properties(resources, "WalletBucketPolicy")["PolicyDocument"], "CloudFrontReads")["Principal"] = STAR


@planted("the_site_is_private")
def bucket_open_to_any_distribution(resources):
    del statement(properties(resources, "WalletBucketPolicy")["PolicyDocument"], "CloudFrontReads")["Condition"]


# --- keys, roles, policies ---


@planted("keys_rotate")
def no_rotation(resources):
    properties(resources, "VaultKey")["EnableKeyRotation"] = False


@planted("the_vault_key_is_used_by_whom_and_for_what_is_written_here")
def decrypt_granted_to_the_portal(resources):
    vault_key(resources, "CallsOpenCredentials")["Principal"]["AWS"].append(role("PortalRole"))


@planted("the_vault_key_is_used_by_whom_and_for_what_is_written_here")
def credentials_opened_to_verify(resources):
    condition = vault_key(resources, "AuthenticationOpensSigningKeys")["Condition"]["StringEquals"]
    condition["kms:EncryptionContext:purpose"] = ["signing", "credential"]


@planted("the_vault_key_is_used_by_whom_and_for_what_is_written_here")
def decrypt_without_context(resources):
    del vault_key(resources, "CallsOpenCredentials")["Condition"]


@planted("the_vault_key_is_used_by_whom_and_for_what_is_written_here")
def decrypt_if_there_is_a_context(resources):
    one = vault_key(resources, "CallsOpenCredentials")
    one["Condition"] = {"StringEqualsIfExists": one["Condition"]["StringEquals"]}


@planted("the_vault_key_is_used_by_whom_and_for_what_is_written_here")
def portal_decrypts(resources):
    vault_key(resources, "PortalMakesDataKeys")["Action"] = ["kms:GenerateDataKey", "kms:Decrypt"]


@planted("administrators_manage_keys_and_use_none")
def administrators_decrypt(resources):
    vault_key(resources, "AdministratorsManage")["Action"].append("kms:Decrypt")


@planted("administrators_manage_keys_and_use_none")
def administrators_hand_the_key_on(resources):
    vault_key(resources, "AdministratorsManage")["Action"].append("kms:CreateGrant")


@planted("keys_are_open_to_nobody")
def storage_key_for_other_accounts(resources):
    policy = properties(resources, "StorageKey")["KeyPolicy"]
    del statement(policy, "StorageServicesUse")["Condition"]["StringEquals"]["kms:CallerAccount"]


@planted("keys_are_given_by_their_own_policy")
def a_key_beside_its_policy(resources):
    of_role(resources, "RevokeRole", "ReadGrant").update(Action=["dynamodb:GetItem", "kms:Decrypt"])


@planted("actions_are_spelt_out")
def wildcard_action(resources):
    of_role(resources, "GrantsRole", "IssueGrants")["Action"] = "dynamodb:*"


@planted("actions_are_spelt_out")
def all_but_one_action(resources):
    one = of_role(resources, "RevokeRole", "ReadGrant")
    one["NotAction"] = one["Action"]


@planted("resources_are_named")
def wildcard_resource(resources):
    of_role(resources, "ProxyRole", "Logs")["Resource"] = STAR


@planted("resources_are_named")
def wildcard_in_a_resource(resources):
    of_role(resources, "AuditQueryRole", "RowsOfUser")["Resource"] = {"Fn::Sub": "${AuditTable.Arn}/index/*"}


@planted("tables_are_open_by_leading_key")
def whole_table(resources):
    del of_role(resources, "RevokeRole", "EndGrant")["Condition"]


@planted("tables_are_open_by_leading_key")
def any_leading_key(resources):
    condition = of_role(resources, "ProxyRole", "SealedCredentials")["Condition"]["ForAllValues:StringLike"]
    condition["dynamodb:LeadingKeys"].append("*")


@planted("the_secret_has_one_reader")
def secret_read_by_another_function(resources):
    secret = of_role(resources, "PortalRole", "Settings")
    properties(resources, "GrantsRole")["Policies"][0]["PolicyDocument"]["Statement"].append(copy.deepcopy(secret))


@planted("each_function_has_a_role_of_its_own")
def a_shared_role(resources):
    properties(resources, "GrantsFunction")["Role"] = role("ProxyRole")


@planted("each_function_has_a_role_of_its_own")
def a_policy_of_others(resources):
    properties(resources, "RevokeRole")["ManagedPolicyArns"].append("arn:aws:iam::aws:policy/ReadOnlyAccess")


# --- functions, alarms ---


@planted("functions_run_as_they_are_built")
def another_processor(resources):
    properties(resources, "PortalFunction")["Architectures"] = ["x86_64"]


@planted("every_function_has_its_binary")
def a_binary_twice(resources):
    resources["ForwardFunction"]["Metadata"]["BuildProperties"]["Binary"] = "proxy"


@planted("every_function_has_its_binary")
def built_elsewhere(resources):
    properties(resources, "GrantsFunction")["CodeUri"] = "functions/revoke"


@planted("functions_are_traced")
def not_traced(resources):
    properties(resources, "AuditWriterFunction")["Tracing"] = "PassThrough"


@planted("functions_log_to_their_own_group")
def logs_of_another(resources):
    properties(resources, "RevokeFunction")["LoggingConfig"]["LogGroup"] = {"Ref": "GrantsLogs"}


@planted("functions_log_to_their_own_group")
def debug_lines_dropped(resources):
    properties(resources, "PortalFunction")["LoggingConfig"]["ApplicationLogLevel"] = "INFO"


@planted("functions_are_told_what_they_read")
def a_setting_missing(resources):
    del properties(resources, "PortalFunction")["Environment"]["Variables"]["ALTER_SETTINGS_SECRET_ARN"]


@planted("functions_are_told_what_they_read")
def a_setting_of_tests(resources):
    properties(resources, "ProxyFunction")["Environment"]["Variables"]["ALTER_ALLOW_LOOPBACK_HTTP"] = "true"


@planted("alarms_ring")
def no_alarm_of_dead_letters(resources):
    del resources["DeadLettersAlarm"]


@planted("alarms_ring")
def an_alarm_that_nobody_hears(resources):
    del properties(resources, "ErrorsAlarm")["AlarmActions"]


@planted("alarms_ring")
def a_function_without_alarm(resources):
    properties(resources, "ThrottlesAlarm")["Metrics"].pop()


@planted("the_dashboard_shows_every_function")
def a_function_not_shown(resources):
    body = properties(resources, "Dashboard")["DashboardBody"]
    body["Fn::Sub"] = body["Fn::Sub"].replace("${AuditWriterFunction}", "audit-writer")


# --- routes, domain, site ---


@planted("routes_are_those_of_the_routers")
def a_route_missing(resources):
    del resources["RouteSdkTokenPost"]


@planted("routes_are_those_of_the_routers")
def a_route_twice(resources):
    resources["RouteAgain"] = copy.deepcopy(resources["RouteSdkTokenPost"])


@planted("routes_are_those_of_the_routers")
def a_route_to_the_wrong_function(resources):
    properties(resources, "RouteSdkTokenPost")["Target"] = {"Fn::Sub": "integrations/${GrantsIntegration}"}


@planted("routes_are_those_of_the_routers")
def a_route_that_no_router_has(resources):
    properties(resources, "RouteSdkTokenPost")["RouteKey"] = "POST /sdk/tokens"


@planted("functions_can_be_reached")
def a_function_behind_any_api(resources):
    del properties(resources, "PortalInvocation")["SourceArn"]


@planted("functions_can_be_reached")
def a_url_beside_the_api(resources):
    properties(resources, "ForwardFunction")["FunctionUrlConfig"] = {"AuthType": "NONE"}


@planted("forward_streams")
def forward_buffers(resources):
    del properties(resources, "ForwardMappedMethod")["Integration"]["ResponseTransferMode"]


@planted("forward_is_deployed_as_it_is_written")
def a_change_that_is_not_deployed(resources):
    properties(resources, "ForwardMethod")["Integration"]["TimeoutInMillis"] = 60000


@planted("forward_is_deployed_as_it_is_written")
def a_domain_without_a_deployment(resources):
    deployment = properties(resources, "ForwardStage")["DeploymentId"]["Fn::If"]
    deployment[1] = deployment[2]


@planted("one_domain_has_both_apis")
def a_second_door(resources):
    properties(resources, "ForwardApi")["DisableExecuteApiEndpoint"] = False


@planted("one_domain_has_both_apis")
def forward_without_the_domain(resources):
    del resources["DomainToForward"]


@planted("access_logs_hold_no_header")
def access_log_with_the_query(resources):
    properties(resources, "ApiStage")["AccessLogSettings"]["Format"] += "$request.querystring.token"


@planted("the_site_is_served_through_its_door")
def no_origin_access_control(resources):
    origins = properties(resources, "WalletDistribution")["DistributionConfig"]["Origins"]
    del origins[0]["OriginAccessControlId"]


@planted("the_site_is_served_through_its_door")
def site_in_plain_text(resources):
    settings = properties(resources, "WalletDistribution")["DistributionConfig"]
    settings["DefaultCacheBehavior"]["ViewerProtocolPolicy"] = "allow-all"


@planted("the_site_has_security_headers")
def scripts_inline(resources):
    headers = properties(resources, "WalletHeaders")["ResponseHeadersPolicyConfig"]["SecurityHeadersConfig"]
    headers["ContentSecurityPolicy"]["ContentSecurityPolicy"] += "; script-src 'unsafe-inline'"


class Planted(unittest.TestCase):
    maxDiff = None

    def test_the_template_keeps_the_rules(self):
        self.assertEqual(rules.broken(template.translate(SOURCE)), [])

    def test_each_error_is_noticed_by_its_rule(self):
        for rule, name, breaks in PLANTED:
            with self.subTest(name):
                source = copy.deepcopy(SOURCE)
                breaks(source["Resources"])
                noticed = {noticed for noticed, _ in rules.broken(template.translate(source))}
                self.assertIn(rule, noticed)

    def test_every_rule_has_an_error_of_its_own(self):
        rules.broken(template.translate(SOURCE))
        idle = rules.RULES.keys() - {rule for rule, _, _ in PLANTED}
        self.assertEqual(idle, set())
