//! The adapters as a function gets them from its account: KMS in an emulator, SQS and Secrets Manager by script, and what a
//! call costs in requests to AWS.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod calls;
mod connections;
mod kms;
mod set_up;
mod sqs;
mod support;
