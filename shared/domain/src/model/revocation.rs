//! The task of telling a provider that access has ended. It outlives the connection's tokens: it carries them, sealed as
//! they were, until the provider has been told or is given up on.

use alter_api_types::{AppId, ConnectionId, OrgId, RevocationId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The waits between attempts, in seconds: about 26 hours in all, then the task is given up and its tokens deleted.
const BACKOFF: [i64; 12] = [1, 2, 5, 15, 60, 300, 900, 3600, 7200, 14_400, 28_800, 36_000];

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    pub id: RevocationId,
    pub org_id: OrgId,
    pub app_id: AppId,
    pub connection_id: ConnectionId,
    /// Attempts made so far.
    pub attempts: u32,
    pub due_at: Timestamp,
    pub created_at: Timestamp,
}

impl Revocation {
    /// The task after an attempt that may be repeated; `None` when it is given up.
    pub fn again(self, now: Timestamp) -> Option<Self> {
        let wait = BACKOFF.get(usize::try_from(self.attempts).ok()?)?;
        let due_at = now.checked_add(SignedDuration::from_secs(*wait)).ok()?;
        Some(Self { attempts: self.attempts + 1, due_at, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_grow_and_end() {
        let id = uuid::Uuid::from_u128(1);
        let mut now = Timestamp::UNIX_EPOCH;
        let mut task = Revocation {
            id: id.into(),
            org_id: id.into(),
            app_id: id.into(),
            connection_id: id.into(),
            attempts: 0,
            due_at: now,
            created_at: now,
        };
        let mut waits = Vec::new();
        while let Some(next) = task.clone().again(now) {
            waits.push(next.due_at.duration_since(now).as_secs());
            now = next.due_at;
            task = next;
        }
        assert!(waits.is_sorted());
        assert_eq!(waits.len(), 12);
        assert!((86_400..=100_000).contains(&waits.iter().sum::<i64>()));
    }
}
