//! The queue of work that follows a change, and the thread that does it. A signal that is lost (a full queue, a restart) costs
//! a second: what is due is written down and looked for.

use std::{sync::Arc, time::Duration};

use alter_domain::{
    flow::Revoker,
    port::{Work, WorkError, WorkQueue},
};
use async_trait::async_trait;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
    time::MissedTickBehavior,
};

/// Signals that wait. More mean that much is due anyway.
const CAPACITY: usize = 1024;
/// How often what is due is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many tasks are under way at a time: a provider that is slow does not keep the others waiting.
const AT_ONCE: usize = 16;

/// The sending end.
pub(super) struct Signals(mpsc::Sender<Work>);

/// The worker's end.
pub(super) struct Inbox(mpsc::Receiver<Work>);

pub(super) fn queue() -> (Signals, Inbox) {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    (Signals(sender), Inbox(receiver))
}

#[async_trait]
impl WorkQueue for Signals {
    async fn signal(&self, work: Work) -> Result<(), WorkError> {
        self.0.try_send(work).map_err(|error| WorkError(error.to_string()))
    }
}

impl Inbox {
    /// Works until told to stop; what is under way then is finished.
    pub(super) async fn work(mut self, revoker: Revoker, mut stopped: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        // One look at what is due at a time, beside the places of signalled work.
        let look = Arc::new(Semaphore::new(1));
        let mut tasks = JoinSet::new();
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let work = tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => break,
                Some(work) = self.0.recv() => work,
                _ = every.tick() => Work::Due,
            };
            let place = match work {
                Work::Due => Arc::clone(&look).try_acquire_owned().ok(),
                Work::Revocation { .. } | Work::Deprovision { .. } => {
                    Arc::clone(&places).acquire_owned().await.ok()
                }
            };
            let Some(place) = place else { continue };
            while tasks.try_join_next().is_some() {}
            let revoker = revoker.clone();
            tasks.spawn(async move {
                if let Err(error) = revoker.run(work).await {
                    tracing::warn!(?work, %error, "work was not finished");
                }
                drop(place);
            });
        }
        while tasks.join_next().await.is_some() {}
    }
}
