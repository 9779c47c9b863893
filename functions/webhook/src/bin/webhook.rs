//! Webhooks on AWS: opens webhooks' HMAC keys, and nothing else.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_webhook::{lambda::service, router};

fn main() -> ExitCode {
    lambda::serve("webhook", |account| Ok(router(service(account)?)))
}
