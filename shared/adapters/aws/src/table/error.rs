//! What a failed request to DynamoDB means to the caller of the port.
//!
//! | DynamoDB or the SDK says | The port says |
//! |---|---|
//! | `ConditionalCheckFailed`, also as a transaction's reason | `Conflict` |
//! | throttling of the table, the account or a partition | `Throttled` |
//! | `TransactionConflict`, `ReplicatedWriteConflict` | tried again a few times, then `Throttled`: nothing was written, whether the expectation holds was not looked at |
//! | `Validation…`, an item collection that is too large | `Invalid` |
//! | access denied, no such table, signature or credentials not accepted | `Unavailable`, and an error in the log: the deployment is wrong |
//! | no connection, no answer in time, an answer that makes no sense, 5xx | `Unavailable` |
//! | `TransactionInProgress` after the SDK's retries | `Unavailable`: the transaction may still be carried out |
//! | anything else | `Unavailable` |
//!
//! A write of which an earlier attempt ended without an answer is never reported as one that did nothing (`retry.rs`).
//! Details hold the service's code and message, never a request or an item.

use std::error::Error;

use alter_domain::port::StoreError;
use aws_sdk_dynamodb::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
    types::CancellationReason,
};

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Another write to the same item was in progress. Nothing was written and nothing was compared: worth a retry, which
    /// the SDK does not make.
    Contended,
    Store(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Contended => Self::Throttled,
            Failure::Store(error) => error,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Judges the failure of `operation`. A cancelled transaction is judged by its reasons ([`cancelled`]).
pub(super) fn failure<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let SdkError::ServiceError(_) = error else {
        tracing::warn!(operation, error = chain(error), "DynamoDB did not answer");
        return unavailable(operation, &chain(error));
    };
    let message = error.message().unwrap_or("no message");
    let Some(code) = error.code() else {
        return unavailable(operation, message);
    };
    match code {
        "ConditionalCheckFailedException" => Failure::Store(StoreError::Conflict),
        "TransactionConflictException" | "ReplicatedWriteConflictException" => Failure::Contended,
        "ThrottlingException"
        | "Throttling"
        | "ThrottledException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => {
            tracing::warn!(operation, code, "DynamoDB throttles");
            Failure::Store(StoreError::Throttled)
        }
        "ValidationException" | "ItemCollectionSizeLimitExceededException" => {
            Failure::Store(StoreError::Invalid(format!("{operation}: {message}")))
        }
        "AccessDeniedException"
        | "ResourceNotFoundException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "ExpiredTokenException" => {
            tracing::error!(operation, code, message, "the deployment does not let us reach our table");
            unavailable(operation, code)
        }
        _ => {
            tracing::warn!(operation, code, message, "DynamoDB failed");
            unavailable(operation, &format!("{code}: {message}"))
        }
    }
}

/// Judges a transaction that was cancelled, by the reasons of its operations. What can never succeed comes first, then
/// what was found out, then what may be tried again.
pub(super) fn cancelled(reasons: &[CancellationReason]) -> Failure {
    let with = |codes: &[&str]| {
        reasons.iter().find(|reason| reason.code().is_some_and(|code| codes.contains(&code)))
    };
    if let Some(reason) = with(&["ValidationError", "ItemCollectionSizeLimitExceeded"]) {
        let message = reason.message().unwrap_or("no message");
        return Failure::Store(StoreError::Invalid(format!("TransactWriteItems: {message}")));
    }
    if with(&["ConditionalCheckFailed"]).is_some() {
        return Failure::Store(StoreError::Conflict);
    }
    if with(&["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]).is_some() {
        return Failure::Contended;
    }
    let codes: Vec<&str> =
        reasons.iter().filter_map(CancellationReason::code).filter(|code| *code != "None").collect();
    tracing::error!(?codes, "DynamoDB cancelled a transaction for a reason unknown to us");
    unavailable("TransactWriteItems", &format!("cancelled: {}", codes.join(", ")))
}

fn unavailable(operation: &str, detail: &str) -> Failure {
    Failure::Store(StoreError::Unavailable(format!("{operation}: {detail}")))
}

/// The messages of an error and of what caused it. Not its `Debug`, which shows the whole response, items and all.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).message("why").build()).collect()
    }

    #[test]
    fn a_cancelled_transaction_is_judged_by_its_gravest_reason() {
        let conflict = Failure::Store(StoreError::Conflict);
        for (codes, expected) in [
            (vec!["None", "ConditionalCheckFailed"], conflict.clone()),
            (vec!["TransactionConflict", "ConditionalCheckFailed"], conflict),
            (vec!["TransactionConflict", "None"], Failure::Contended),
            (vec!["ThrottlingError"], Failure::Contended),
            (vec!["ProvisionedThroughputExceeded"], Failure::Contended),
        ] {
            assert_eq!(cancelled(&reasons(&codes)), expected, "{codes:?}");
        }
        for code in ["ValidationError", "ItemCollectionSizeLimitExceeded"] {
            let judged = cancelled(&reasons(&["ConditionalCheckFailed", code]));
            assert!(matches!(judged, Failure::Store(StoreError::Invalid(_))), "{code}: {judged:?}");
        }
        for codes in [vec![], vec!["None"], vec!["None", "SomethingNew"]] {
            let judged = cancelled(&reasons(&codes));
            assert!(matches!(judged, Failure::Store(StoreError::Unavailable(_))), "{codes:?}: {judged:?}");
        }
    }
}
