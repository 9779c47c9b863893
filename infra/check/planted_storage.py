"""Errors in tables, queues, the secret, log groups and the bucket."""

from __future__ import annotations

from planted import STAR, planted, properties, role, statement


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


@planted("nothing_recorded_is_lost")
def signals_without_an_end(resources):
    del properties(resources, "WorkQueue")["RedrivePolicy"]


@planted("nothing_recorded_is_lost")
def signals_read_by_another(resources):
    events = properties(resources, "WorkerFunction")["Events"]
    properties(resources, "AuditWriterFunction")["Events"]["Signalled"] = events.pop("Signalled")


@planted("queues_are_encrypted")
def signals_unencrypted(resources):
    del properties(resources, "WorkQueue")["KmsMasterKeyId"]


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
def a_version_that_is_gone(resources):
    del properties(resources, "WalletBucket")["VersioningConfiguration"]


@planted("the_site_is_private")
def bucket_open_to_anybody(resources):
    statement(properties(resources, "WalletBucketPolicy")["PolicyDocument"], "CloudFrontReads")["Principal"] = STAR


@planted("the_site_is_private")
def bucket_open_to_any_distribution(resources):
    del statement(properties(resources, "WalletBucketPolicy")["PolicyDocument"], "CloudFrontReads")["Condition"]
