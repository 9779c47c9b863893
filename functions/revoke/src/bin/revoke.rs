//! Revoking on AWS: opens signing keys and no credential.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_domain::state::SigningKeys;
use alter_revoke::{RevokeState, router};

fn main() -> ExitCode {
    lambda::serve("revoke", |account| {
        let signing = SigningKeys::new(account.data_keys()?);
        Ok(router(RevokeState { ports: account.ports()?, signing }))
    })
}
