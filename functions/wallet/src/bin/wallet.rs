//! The Wallet's API on AWS: opens nothing.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_wallet::{lambda::service, router};

fn main() -> ExitCode {
    lambda::serve("wallet", |account| Ok(router(service(account)?)))
}
