//! What the recording tasks and the drain share.

use std::{
    fs::File,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::Thread,
};

use alter_domain::port::Clock;
use tokio::sync::{Notify, watch};

use super::{
    JournalOptions,
    frame::{Entry, Frame},
    group::{self, Group},
    log::{Log, Position},
    nonces::Nonces,
};
use crate::Durability;

/// Why something is not in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure(pub(super) Arc<str>);

/// How far the drain is.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    pub(super) drained: Position,
    /// How often it failed, and why the last time.
    pub(super) failures: u64,
    pub(super) reason: String,
}

pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) options: JournalOptions,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) nonces: Nonces,
    pub(super) group: Group,
    pub(super) log: Mutex<Log>,
    /// The end of what is durable, which is as far as the drain may read. Not the log's own end: its lock is held
    /// through a sync.
    recorded: Mutex<Position>,
    /// Bytes recorded and not yet drained.
    backlog: AtomicU64,
    /// Told when the backlog shrinks.
    room: Notify,
    /// Held by the one that is next to get room; the others queue for it in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    /// How many wait for room: whoever comes later does not overtake them.
    waiting: AtomicUsize,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) drain: DrainSignal,
    pub(super) mark: File,
}

/// How the drain's thread is woken.
#[derive(Default)]
pub(super) struct DrainSignal {
    pub(super) thread: OnceLock<Thread>,
    /// It sleeps until something is recorded.
    pub(super) idle: AtomicBool,
    /// Somebody waits for it: no lingering.
    pub(super) urgent: AtomicBool,
    pub(super) stop: AtomicBool,
}

impl Shared {
    #[allow(clippy::too_many_arguments, reason = "one caller, which has just recovered all of this")]
    pub(super) fn new(
        dir: PathBuf,
        options: JournalOptions,
        clock: Arc<dyn Clock>,
        nonces: Nonces,
        log: Log,
        drained: Position,
        backlog: u64,
        mark: File,
    ) -> Self {
        let recorded = Mutex::new(log.end());
        Self {
            dir,
            options,
            clock,
            nonces,
            group: Group::default(),
            log: Mutex::new(log),
            recorded,
            backlog: AtomicU64::new(backlog),
            room: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            waiting: AtomicUsize::new(0),
            progress: watch::Sender::new(Progress { drained, ..Progress::default() }),
            drain: DrainSignal::default(),
            mark,
        }
    }

    /// Returns when the entries are as durable as the journal promises, all of them or none.
    pub(super) async fn record(self: &Arc<Self>, entries: &[Entry]) -> Result<(), Failure> {
        self.wait_for_room().await?;
        match self.options.durability {
            Durability::Process => self.append(&mut [Frame::new(entries)]),
            Durability::Full => group::record(self, entries).await,
        }
    }

    /// Appends the frames, all or none, and wakes the drain.
    pub(super) fn append(&self, frames: &mut [Frame]) -> Result<(), Failure> {
        let bytes = frames.iter().map(Frame::len).sum::<usize>() as u64;
        // Counted before the drain can see them, so that it never takes away what was not added.
        self.backlog.fetch_add(bytes, Ordering::SeqCst);
        let appended = {
            let mut log = lock(&self.log);
            let appended = log.append(frames);
            *lock(&self.recorded) = log.end();
            appended
        };
        if let Err(error) = appended {
            self.backlog.fetch_sub(bytes, Ordering::SeqCst);
            return Err(Failure(format!("journal: {error}").into()));
        }
        if self.drain.idle.load(Ordering::SeqCst) && self.drain.idle.swap(false, Ordering::SeqCst) {
            self.drain.wake();
        }
        Ok(())
    }

    pub(super) fn recorded(&self) -> Position {
        *lock(&self.recorded)
    }

    pub(super) fn backlog(&self) -> u64 {
        self.backlog.load(Ordering::SeqCst)
    }

    /// The drain got on.
    pub(super) fn drained_to(&self, drained: Position, bytes: u64) {
        self.backlog.fetch_sub(bytes, Ordering::SeqCst);
        self.progress.send_modify(|progress| progress.drained = drained);
        self.room.notify_waiters();
    }

    /// Waits while the drain is too far behind; gives up after the configured time, for a caller is waiting, too. First
    /// come, first served: otherwise a busy task takes all the room there is and others wait until they are refused.
    async fn wait_for_room(&self) -> Result<(), Failure> {
        if self.has_room() && self.waiting.load(Ordering::SeqCst) == 0 {
            return Ok(());
        }
        let _waiting = Waiting::begin(&self.waiting);
        let served = async {
            let _turn = self.turn.lock().await;
            loop {
                let freed = self.room.notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                if self.has_room() {
                    return;
                }
                freed.await;
            }
        };
        tokio::time::timeout(self.options.room_wait, served)
            .await
            .map_err(|_| Failure("the journal is full: it is not drained fast enough".into()))
    }

    fn has_room(&self) -> bool {
        self.backlog() < self.options.max_backlog
    }
}

/// Counts a waiter until it is served, refused or cancelled.
struct Waiting<'w>(&'w AtomicUsize);

impl<'w> Waiting<'w> {
    fn begin(count: &'w AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl DrainSignal {
    pub(super) fn wake(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// No state of ours is broken by a panic elsewhere.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
