//! The suites across crates, through the public entrance. One binary, so that it is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod access;
mod access_complete;
mod access_table;
mod access_wallet;
mod authentication;
mod budget;
mod budget_users;
mod canaries;
mod connection_life;
mod connection_values;
mod connections;
mod forward;
mod forward_stream;
mod grants;
mod injection;
mod keys;
mod order;
mod parrot;
mod providers;
mod proxy_refusals;
mod proxy_replies;
mod proxy_requests;
mod proxy_trouble;
mod record;
mod seals;
mod ssrf;
mod storm;

use alter_domain::api::GrantId;
use serde_json::{Value, json};

/// The plainest call.
fn get(url: &str, grant: GrantId) -> Value {
    json!({ "method": "GET", "url": url, "grant_id": grant })
}

/// A credential for tests that are not about it.
const TOKEN: &str = "tok_0123456789abcdef";
