//! Connecting that is under way, for a process that ends: between a provider's answer and the store nothing may be cut off.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

/// The tasks of this process that exchange what a user agreed to for tokens and store them. Cheap to clone; clones share
/// their tasks, whatever runtime these are on.
#[derive(Clone, Debug)]
pub struct UnderWay(TaskTracker);

impl Default for UnderWay {
    fn default() -> Self {
        let tasks = TaskTracker::new();
        // Closed, which says only that waiting ends when no task is left.
        tasks.close();
        Self(tasks)
    }
}

impl UnderWay {
    /// Returns when nothing is under way.
    pub async fn settled(&self) {
        self.0.wait().await;
    }

    pub(in crate::flow) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.0.spawn(task)
    }
}
