//! The Wallet's API through the public entrance: end users, signed in by their identity provider.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod activity;
mod first;
mod many;
mod sign_in;
mod world;
mod holdings;
mod stage;
mod revoke;
mod extend;
