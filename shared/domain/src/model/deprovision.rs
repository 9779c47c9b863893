//! The task of ending all that a user who has left had. It is written with the departure itself and is repeated until nothing is
//! left, so that no process that dies on the way leaves a grant alive.

use alter_api_types::{OrgId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Actor, Surface};

/// How long a worker has the task to itself; it says so again while it works.
pub const TURN: SignedDuration = SignedDuration::from_secs(60);
/// After a pass that found nothing more to end, one more is made: lists lag behind, and grants that were on their way when the
/// user left are refused by the user's state at once, but are to be ended too.
pub const SETTLE: SignedDuration = SignedDuration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deprovision {
    pub user_id: UserId,
    pub org_id: OrgId,
    /// Who said that the user has left, and from where.
    pub actor: Actor,
    pub from: Surface,
    /// How many grants were ended so far.
    pub revoked: u64,
    /// A pass found nothing more; the next that does ends the task.
    pub settled: bool,
    pub attempts: u32,
    pub due_at: Timestamp,
    pub created_at: Timestamp,
}

impl Deprovision {
    /// The task as a worker takes it: nobody else's until its turn is over.
    pub fn taken(self, now: Timestamp) -> Self {
        let due_at = now.saturating_add(TURN).unwrap_or(Timestamp::MAX);
        Self { due_at, attempts: self.attempts.saturating_add(1), ..self }
    }

    /// The task after a pass that found nothing more to end, for the first time.
    pub fn settling(self, now: Timestamp) -> Self {
        let due_at = now.saturating_add(SETTLE).unwrap_or(Timestamp::MAX);
        Self { due_at, settled: true, ..self }
    }
}
