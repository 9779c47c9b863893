//! The real binary, as operators and scripts use it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod branding;
mod demo;
mod help;
mod idp;
mod provider;
mod serve;
mod story;
mod support;
mod usage;
