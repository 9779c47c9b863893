"""Errors in keys, roles and policies."""

from __future__ import annotations

import copy

from planted import STAR, of_role, planted, properties, role, statement, vault_key


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


@planted("the_vault_key_is_used_by_whom_and_for_what_is_written_here")
def credentials_opened_to_revoke(resources):
    vault_key(resources, "ConnectionsOpenCredentials")["Principal"]["AWS"].append(role("RevokeRole"))


@planted("the_vault_key_is_used_by_whom_and_for_what_is_written_here")
def calls_seal_signing_keys(resources):
    condition = vault_key(resources, "TokensAreSealed")["Condition"]["StringEquals"]
    condition["kms:EncryptionContext:purpose"] = ["credential", "signing"]


@planted("the_vault_key_is_used_by_whom_and_for_what_is_written_here")
def webhooks_open_credentials(resources):
    vault_key(resources, "CallsOpenCredentials")["Principal"]["AWS"].append(role("WebhookRole"))


@planted("the_vault_key_is_used_by_whom_and_for_what_is_written_here")
def calls_open_webhook_keys(resources):
    vault_key(resources, "WebhooksOpenTheirKeys")["Principal"]["AWS"] = [role("WebhookRole"), role("ProxyRole")]


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


@planted("tables_are_open_by_leading_key")
def any_parked_tokens(resources):
    del of_role(resources, "WorkerRole", "ParkedTokens")["Condition"]


@planted("tables_are_open_by_leading_key")
def any_sealed_key_for_webhooks(resources):
    del of_role(resources, "WebhookRole", "SealedKeys")["Condition"]


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
