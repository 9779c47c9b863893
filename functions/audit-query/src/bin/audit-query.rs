//! The record of an app on AWS: opens signing keys and no credential.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_audit_query::{AuditQueryState, router};
use alter_domain::state::SigningKeys;

fn main() -> ExitCode {
    lambda::serve("audit-query", |account| {
        let signing = SigningKeys::new(account.data_keys()?);
        Ok(router(AuditQueryState { ports: account.ports()?, signing }))
    })
}
