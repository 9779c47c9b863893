//! The flow of a refresh in one process, against a scripted provider. Time stands still but for what is waited for.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod broken;
mod callers;
mod crashes;
mod harsh;
mod keep_alive;
mod support;
