//! The Wallet's API through the public entrance: end users, signed in by their identity provider.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod activity;
mod attacks;
mod bounds;
mod busy;
mod exports;
mod extend;
mod first;
mod holdings;
mod many;
mod offer;
mod revoke;
mod sessions;
mod sign_in;
mod stage;
mod world;
