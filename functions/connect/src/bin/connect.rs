//! Connect on AWS: opens signing keys and clients' secrets, and seals tokens.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_connect::{lambda::state, router};

fn main() -> ExitCode {
    lambda::serve("connect", |account| Ok(router(state(account)?)))
}
