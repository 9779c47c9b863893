//! Work that follows a change: the change itself says, durably, what is to be done; this port says that it is there.

use alter_api_types::{RevocationId, UserId};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// A provider is to be told that access has ended.
    Revocation { id: RevocationId },
    /// All that a user who has left had is to be ended.
    Deprovision { user: UserId },
    /// Whatever is due by the clock: repeated attempts, lost signals, refresh tokens that would idle out.
    Due,
}

/// The signal was not passed on. Nothing is lost: what is due is looked for every minute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("work queue unavailable: {0}")]
pub struct WorkError(pub String);

#[async_trait]
pub trait WorkQueue: Send + Sync {
    /// Says that there is work. At least once, in any order.
    async fn signal(&self, work: Work) -> Result<(), WorkError>;
}

/// For a function that leaves no work behind.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoWork;

#[async_trait]
impl WorkQueue for NoWork {
    async fn signal(&self, work: Work) -> Result<(), WorkError> {
        Err(WorkError(format!("this function has no queue for {work:?}")))
    }
}
