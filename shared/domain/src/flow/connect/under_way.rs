//! Connecting that is under way, for a process that ends: between a provider's answer and the store nothing may be cut off.

use std::{future::Future, time::Duration};

use tokio::{task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The tasks of this process that exchange what a user agreed to for tokens and store them. Cheap to clone; clones share
/// their tasks, whatever runtime these are on.
#[derive(Clone, Debug)]
pub struct UnderWay {
    tasks: TaskTracker,
    ending: CancellationToken,
}

impl Default for UnderWay {
    fn default() -> Self {
        let tasks = TaskTracker::new();
        // Closed, which says only that waiting ends when no task is left.
        tasks.close();
        Self { tasks, ending: CancellationToken::new() }
    }
}

impl UnderWay {
    /// The process is to end: whoever only waits is answered at once.
    pub fn end(&self) {
        self.ending.cancel();
    }

    /// Returns when nothing is under way.
    pub async fn settled(&self) {
        self.tasks.wait().await;
    }

    /// Waits that long, or until the process is to end: whether it is.
    pub(in crate::flow) async fn ends_within(&self, wait: Duration) -> bool {
        timeout(wait, self.ending.cancelled()).await.is_ok()
    }

    pub(in crate::flow) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        self.tasks.spawn(task)
    }
}
