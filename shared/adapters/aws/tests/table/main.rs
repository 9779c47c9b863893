//! `DynamoTable` over an emulator, and over a wire that fails as DynamoDB and networks do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod contract;
mod errors;
mod faults;
mod requests;
mod support;
mod vault;
