//! Connect, from the app's key over a browser to a grant: through the vault's own routes, with a provider that does its part.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod attacks;
mod branding;
mod identity;
mod pages;
mod provider;
mod renewal;
mod results;
mod sessions;
mod support;
mod trouble;
mod visits;
