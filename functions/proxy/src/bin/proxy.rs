//! `/sdk/proxy` and `/sdk/token` on AWS: answers in one piece.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_proxy::{
    ProxyState,
    lambda::{REPLY_LIMIT, call_service},
    router,
};

fn main() -> ExitCode {
    lambda::serve("proxy", |account| {
        Ok(router(ProxyState::new(call_service(account)?).with_reply_limit(REPLY_LIMIT)))
    })
}
