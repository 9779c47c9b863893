//! The queue of work that follows a change, as a list that a test reads.

use std::sync::{Mutex, PoisonError};

use alter_domain::port::{Work, WorkError, WorkQueue};
use async_trait::async_trait;

/// Keeps what was signalled, or refuses to.
#[derive(Debug, Default)]
pub struct TestWork {
    signalled: Mutex<Vec<Work>>,
    broken: std::sync::atomic::AtomicBool,
}

impl TestWork {
    /// What was signalled since the last time.
    pub fn take(&self) -> Vec<Work> {
        std::mem::take(&mut self.signalled.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on no signal is passed on.
    pub fn fail(&self, broken: bool) {
        self.broken.store(broken, std::sync::atomic::Ordering::SeqCst);
    }
}

#[async_trait]
impl WorkQueue for TestWork {
    async fn signal(&self, work: Work) -> Result<(), WorkError> {
        if self.broken.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(WorkError("planned".to_owned()));
        }
        self.signalled.lock().unwrap_or_else(PoisonError::into_inner).push(work);
        Ok(())
    }
}
