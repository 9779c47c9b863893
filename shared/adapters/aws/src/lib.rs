//! The ports on AWS: [`DynamoTable`] over DynamoDB, [`KmsWrapper`] over KMS, [`SqsSink`] and [`SqsWork`] over SQS, and what a
//! Lambda function needs to start and to be observed ([`lambda`]).
//!
//! Who calls it: the Lambda mains of the functions, and nobody else: the local binary's dependency tree has no AWS crate.

mod account;
mod http;
mod kms;
pub mod lambda;
mod observe;
mod setup;
mod sqs;
mod stopwatch;
pub mod table;
mod work;

pub use account::{Account, SettingError};
pub use http::HttpClient;
pub use kms::KmsWrapper;
pub use observe::{ObservedClient, ObservedSink};
pub use setup::SetUp;
pub use sqs::SqsSink;
pub use stopwatch::Stopwatch;
pub use table::{DynamoTable, TableNames};
pub use work::{ObservedWork, SqsWork};

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What failed, for the log: the service's error code, or where the request got stuck. Messages are left out: they name
/// keys, queues and roles, and end up in an error that a caller's log may hold.
fn failure<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    match error {
        SdkError::ServiceError(service) => service.err().code().unwrap_or("error without a code").to_owned(),
        SdkError::TimeoutError(_) => "no answer in time".to_owned(),
        SdkError::DispatchFailure(failed) if failed.is_timeout() => "no connection in time".to_owned(),
        SdkError::DispatchFailure(_) => "no connection".to_owned(),
        SdkError::ResponseError(_) => "an answer that makes no sense".to_owned(),
        _ => "a request that could not be made".to_owned(),
    }
}
