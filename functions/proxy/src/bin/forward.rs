//! `/v1/forward` on AWS: answers as they come, for as long as they come.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_proxy::{ProxyState, lambda::call_service, router};

fn main() -> ExitCode {
    lambda::stream("forward", |account| Ok(router(ProxyState::new(call_service(account)?))))
}
