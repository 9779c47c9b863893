//! The audit-writer on AWS: takes batches of the audit queue.

use std::process::ExitCode;

use alter_adapter_aws::lambda;
use alter_audit_writer::write;

fn main() -> ExitCode {
    lambda::consume("audit-writer", |table| async move |records: &[_]| write(table.as_ref(), records).await)
}
