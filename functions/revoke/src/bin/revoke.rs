//! Revoking on AWS: opens signing keys and no credential.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_revoke::{lambda::state, router};

fn main() -> ExitCode {
    lambda::serve("revoke", |account| Ok(router(state(account)?)))
}
