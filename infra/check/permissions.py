"""Holds what the functions may do against what they did.

The end-to-end test runs the real binaries against an emulated account and writes down every call that they make, in
`target/aws-e2e/recorded-calls.json`:

    {
      "proxy": [
        {"service": "dynamodb", "action": "BatchGetItem", "resource": "MainTable", "leading_key": "key#alter_key_app_…"},
        {"service": "dynamodb", "action": "Query", "resource": "MainTable", "index": "i2", "leading_key": "app#…/agent#…"},
        {"service": "kms", "action": "Decrypt", "resource": "VaultKey",
         "context": {"org": "…", "app": "…", "purpose": "credential"}},
        {"service": "sqs", "action": "SendMessage", "resource": "AuditQueue"},
        {"service": "secretsmanager", "action": "GetSecretValue", "resource": "OperatorToken"}
      ],
      "forward": [], "grants": [], "revoke": [], "audit-query": [], "portal": [], "audit-writer": []
    }

* The outer key is the function's binary.
* `action` is what IAM decides about, which is the operation's name but for transactions: `TransactWriteItems` becomes one
  entry for each element, as `PutItem`, `UpdateItem`, `DeleteItem` or `ConditionCheckItem`; `TransactGetItems` becomes
  `GetItem`. A batch becomes one entry for each table and key.
* `resource` is the logical id in template.yaml: `MainTable`, `VaultTable`, `AuditTable`, `VaultKey`, `AuditQueue`,
  `OperatorToken`.
* `leading_key` is the whole partition value of the key (of the index's key, where `index` names one).
* Equal entries may be written once. What the platform does with a function's role (polling the queue, writing logs and
  traces) is not recorded.

Both directions fail: a recorded call that the template does not allow, and a permission (function, action, resource or
index, prefix of the leading key, purpose) that no recorded call used.
"""
