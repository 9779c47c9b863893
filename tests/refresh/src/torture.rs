//! What the torture's processes agree on.

use std::time::Duration;

use alter_domain::flow::Timing;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The times of a refresh, some fifty times shorter than in earnest.
pub const TORTURE: Timing = Timing {
    lease: SignedDuration::from_millis(450),
    send_within: Duration::from_millis(100),
    request: Duration::from_millis(250),
    pauses: (Duration::from_millis(5), Duration::from_millis(20)),
    store: Duration::from_secs(20),
    soon: Duration::from_millis(100),
    reserve: Duration::from_millis(100),
};

/// The refresh part of an entry: single use, forgiven for half a minute.
pub fn rotating_with_grace() -> Value {
    json!({ "kind": "refresh_token", "rotation": "always", "grace": { "seconds": 30 } })
}

/// What became of one process's callers.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Round {
    pub served: usize,
    /// The seal versions that they were given, of which a call with each was made.
    pub versions: Vec<u64>,
    pub failures: Vec<String>,
}
