//! What the suites of the refresh share: an authorization server that rotates and detects reuse, a vault's half that refreshes
//! against it, and a table that several processes can reach.
//!
//! Who calls it: `tests/flow.rs` (one process, scripted trouble), `tests/torture.rs` with `refresh-worker` (four processes that
//! are killed). `tests/model.rs` needs none of it: there the transitions themselves are explored.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what does not hold is a panic"
)]

mod clock;
mod far_side;
mod remote;
mod server;
mod sinks;
mod torture;
mod world;

pub use clock::TokioClock;
pub use far_side::{FarSide, Trouble, refresh_token, reply};
pub use remote::{RemoteTable, serve_table};
pub use server::{AuthServer, Counts, Reply};
pub use sinks::{TestAudit, TestWork};
pub use torture::{Round, TORTURE, rotating_with_grace};
pub use world::{Keys, World, definition};
