//! Group commit without a thread of its own: whoever comes first writes and syncs for all who came meanwhile.
//!
//! A thread that syncs for others costs two hand-overs per record. Here the first task with something to record becomes the
//! leader: it lets the other ready tasks of its thread go first (they join the group), then writes and syncs what is there.
//! Tasks that come during the sync form the next group, and the leader passes the lead to one of them. When several wait, a
//! hand-over is worth its price: the sync runs elsewhere and the leader's thread serves the calls that it would hold up.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    frame::{Entry, Frame},
    shared::{Failure, Shared},
};

/// Above this mean duration a sync runs on a thread for blocking work, because the leader's thread serves other
/// connections.
const SLOW_SYNC: Duration = Duration::from_millis(1);

/// Followers from which on the same holds.
const CROWD: usize = 2;

#[derive(Default)]
pub(super) struct Group {
    queue: Mutex<Queue>,
    /// Moving mean of the time a group took, in nanoseconds.
    mean: AtomicU64,
}

#[derive(Default)]
struct Queue {
    frames: Vec<Frame>,
    followers: Vec<oneshot::Sender<Told>>,
    /// Somebody will write what is queued.
    led: bool,
}

/// What a follower hears.
enum Told {
    Done(Result<(), Failure>),
    /// Write the group that you are in.
    Lead,
}

/// The duty to write the queue. Fulfilled when it is dropped, so that a cancelled task leaves nobody waiting.
struct Lead(Option<Arc<Shared>>);

/// A follower. When it is cancelled with the lead in its hands, the duty is done all the same.
struct Follower {
    told: oneshot::Receiver<Told>,
    shared: Arc<Shared>,
}

/// Returns when the entries are on disk, or are known not to be.
pub(super) async fn record(shared: &Arc<Shared>, entries: &[Entry]) -> Result<(), Failure> {
    let lead = match join(shared, entries) {
        None => Lead(Some(Arc::clone(shared))),
        Some(mut follower) => match (&mut follower.told).await {
            Ok(Told::Done(result)) => return result,
            Ok(Told::Lead) => Lead(Some(Arc::clone(shared))),
            Err(_) => return Err(Failure("the group's leader is gone".into())),
        },
    };
    tokio::task::yield_now().await;
    if shared.group.is_slow() || shared.group.is_crowded() {
        let gone = |error: tokio::task::JoinError| Failure(error.to_string().into());
        tokio::task::spawn_blocking(move || lead.write()).await.map_err(gone)?
    } else {
        lead.write()
    }
}

/// Queues the entries, in one frame. `None`: the caller leads.
fn join(shared: &Arc<Shared>, entries: &[Entry]) -> Option<Follower> {
    let mut queue = shared.group.queue();
    match queue.frames.last_mut() {
        Some(frame) if !frame.is_full() => entries.iter().for_each(|entry| frame.push(entry)),
        _ => queue.frames.push(Frame::new(entries)),
    }
    if !queue.led {
        queue.led = true;
        return None;
    }
    let (tell, told) = oneshot::channel();
    queue.followers.push(tell);
    Some(Follower { told, shared: Arc::clone(shared) })
}

impl Lead {
    fn write(mut self) -> Result<(), Failure> {
        self.0.take().map_or(Ok(()), |shared| write(&shared))
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            // The failure is told to the followers; the leader's own caller is gone.
            write(&shared).ok();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.told.close();
        if matches!(self.told.try_recv(), Ok(Told::Lead)) {
            drop(Lead(Some(Arc::clone(&self.shared))));
        }
    }
}

impl Group {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_slow(&self) -> bool {
        u128::from(self.mean.load(Ordering::Relaxed)) > SLOW_SYNC.as_nanos()
    }

    /// So many wait that this thread has other calls to serve while the disk works.
    fn is_crowded(&self) -> bool {
        self.queue().followers.len() >= CROWD
    }

    fn took(&self, time: Duration) {
        let mean = self.mean.load(Ordering::Relaxed);
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2);
        self.mean.store(mean - mean / 8 + time / 8, Ordering::Relaxed);
    }
}

/// Writes the caller's group, then passes the lead on. Returns what became of the caller's group.
fn write(shared: &Arc<Shared>) -> Result<(), Failure> {
    let result = write_group(shared);
    loop {
        {
            let mut queue = shared.group.queue();
            if queue.frames.is_empty() {
                queue.led = false;
                break;
            }
            // The latest is the least likely to have been cancelled.
            let passed =
                std::iter::from_fn(|| queue.followers.pop()).any(|next| next.send(Told::Lead).is_ok());
            if passed {
                break;
            }
        }
        // All who queued were cancelled; their records were promised nothing but may not be left behind.
        write_group(shared).ok();
    }
    result
}

fn write_group(shared: &Arc<Shared>) -> Result<(), Failure> {
    let (mut frames, followers) = {
        let mut queue = shared.group.queue();
        (std::mem::take(&mut queue.frames), std::mem::take(&mut queue.followers))
    };
    let start = Instant::now();
    let result = shared.append(&mut frames);
    shared.group.took(start.elapsed());
    for follower in followers {
        // A follower that was cancelled does not listen.
        follower.send(Told::Done(result.clone())).ok();
    }
    result
}
