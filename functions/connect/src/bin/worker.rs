//! The worker on AWS: takes the signals of the work queue, and looks every minute for what is due.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_connect::lambda::revoker;

fn main() -> ExitCode {
    lambda::work("worker", |account| {
        let revoker = revoker(account)?;
        Ok(async move |work| revoker.run(work).await)
    })
}
