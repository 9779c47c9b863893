//! Listing and issuing grants on AWS: opens signing keys and no credential.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_grants::{lambda::state, router};

fn main() -> ExitCode {
    lambda::serve("grants", |account| Ok(router(state(account)?)))
}
