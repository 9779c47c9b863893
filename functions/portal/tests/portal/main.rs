//! The operator's API through its router, over the local table.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod audit;
mod branding;
mod document;
mod identity;
mod input;
mod keys;
mod organization;
mod providers;
mod refusals;
mod secrecy;
mod secrets;
mod support;
mod together;
mod users;
mod weather;
mod webhooks;
