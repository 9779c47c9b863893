//! The task of ending all that a user who has left had. It is written with the departure itself and is repeated until nothing is
//! left, so that no process that dies on the way leaves a grant alive.

use alter_api_types::{EventId, OrgId, UserId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Actor, Surface};

/// How long a worker has the task to itself; it says so again while it works. Two who believe to have it do no harm: each grant
/// is ended against the version that was read.
pub const TURN: SignedDuration = SignedDuration::from_secs(20);
/// After a pass that found nothing more to end, one more is made: lists lag behind, and grants that were on their way when the
/// user left are refused by the user's state at once, but are to be ended too.
pub const SETTLE: SignedDuration = SignedDuration::from_secs(30);
/// The waits after passes that failed, in seconds; the last one repeats.
const BACKOFF: [i64; 6] = [1, 2, 5, 15, 60, 300];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deprovision {
    pub user_id: UserId,
    pub org_id: OrgId,
    /// Who said that the user has left, and from where.
    pub actor: Actor,
    pub from: Surface,
    /// How many of the user's grants were ended so far, as far as that was written down.
    pub revoked: u64,
    /// A pass found nothing more; the next that does ends the task.
    pub settled: bool,
    /// Passes that failed since the last one that did not.
    pub failures: u32,
    /// All is ended, and what is left is to say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Finished>,
    pub due_at: Timestamp,
    pub created_at: Timestamp,
}

/// What the record says of the end. It is decided before it is recorded, so that whoever repeats it says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    pub event_id: EventId,
    pub at: Timestamp,
    /// How many grants were ended because the user has left.
    pub revoked: u64,
}

impl Deprovision {
    pub fn new(user_id: UserId, org_id: OrgId, actor: Actor, from: Surface, now: Timestamp) -> Self {
        Self {
            user_id,
            org_id,
            actor,
            from,
            revoked: 0,
            settled: false,
            failures: 0,
            finished: None,
            due_at: now,
            created_at: now,
        }
    }

    /// The task as a worker takes it: nobody else's until its turn is over.
    pub fn taken(self, now: Timestamp) -> Self {
        Self { due_at: after(now, TURN), ..self }
    }

    /// Whether half of the worker's turn is over: time to say that it is still at work.
    pub fn is_to_be_renewed(&self, now: Timestamp) -> bool {
        self.due_at <= after(now, TURN / 2)
    }

    /// The task with what was counted, which may be less than what was written down: the count begins anew with each pass.
    pub fn counted(self, revoked: u64) -> Self {
        Self { revoked: self.revoked.max(revoked), ..self }
    }

    /// The task after a pass that ended something: what comes next may find more.
    pub fn unsettled(self) -> Self {
        Self { settled: false, failures: 0, ..self }
    }

    /// The task after a pass that found nothing more to end, for the first time.
    pub fn settling(self, now: Timestamp) -> Self {
        Self { due_at: after(now, SETTLE), settled: true, failures: 0, ..self }
    }

    /// The task after a pass that could not end all: again, later and later.
    pub fn failed(self, now: Timestamp) -> Self {
        let place = usize::try_from(self.failures).unwrap_or(usize::MAX);
        let [.., last] = BACKOFF;
        let wait = BACKOFF.get(place).copied().unwrap_or(last);
        let due_at = after(now, SignedDuration::from_secs(wait));
        Self { due_at, failures: self.failures.saturating_add(1), settled: false, ..self }
    }
}

fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn task() -> Deprovision {
        let id = uuid::Uuid::from_u128(1);
        Deprovision::new(id.into(), id.into(), Actor::of_vault(), Surface::Webhook, at(100))
    }

    #[test]
    fn a_turn_is_said_again_before_it_is_over() {
        let taken = task().taken(at(100));
        assert_eq!(taken.due_at, at(120));
        assert!(!taken.is_to_be_renewed(at(109)));
        assert!(taken.is_to_be_renewed(at(110)));
    }

    #[test]
    fn passes_that_fail_come_later_and_later_until_one_does_not() {
        let mut task = task();
        let mut waits = Vec::new();
        for _ in 0..8 {
            task = task.failed(at(0));
            waits.push(task.due_at.as_second());
        }
        assert_eq!(waits, [1, 2, 5, 15, 60, 300, 300, 300]);
        assert_eq!(task.clone().unsettled().failed(at(0)).due_at, at(1));
        assert_eq!(task.settling(at(0)).failed(at(0)).due_at, at(1));
    }
}
