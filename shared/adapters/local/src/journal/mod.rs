//! The journal: where audit records and used nonces become durable on the call path.
//!
//! An append-only log in segment files (`segment-<number>`, frames with checksums), drained in the background into the audit
//! table by the audit-writer's own function. Why not a ready-made one: docs/adr/0002-journal.md.
//!
//! * [`Durability::Process`]: one `write` per record. [`Durability::Full`]: records are grouped, one sync per group before
//!   anyone in it is answered.
//! * Delivery to the [`DrainHandler`] is at least once and in order; a segment is deleted when all of it was handed over.
//! * Nonces are remembered in memory and rebuilt from the segments (and from side files of deleted ones) at the start.
//! * When the drain falls behind by `max_backlog`, recording waits, and is refused after `room_wait`.
//! * An unfinished write at the end is cut off at the start: it was never acknowledged. Damage anywhere else is refused
//!   with file and offset, or set aside ([`OnCorrupt`]).

mod drain;
mod drained;
mod frame;
mod group;
mod log;
mod nonces;
mod recover;
mod scan;
mod shared;
mod sidecar;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use alter_domain::port::{AuditError, AuditSink, Clock, NonceClaim, NonceStore, Record, StoreError};
use async_trait::async_trait;

pub use self::drain::DrainHandler;
use self::{
    drain::Drain,
    frame::{Entry, MAX_RECORD},
    log::Log,
    nonces::{Nonces, Verdict},
    shared::{Failure, Shared, lock},
    sidecar::Sidecar,
};
use crate::{
    Durability,
    files::{DirError, DirLock},
};

/// How to open a journal.
#[derive(Debug, Clone)]
pub struct JournalOptions {
    pub durability: Durability,
    /// Length after which a segment is followed by the next one.
    pub segment_bytes: u64,
    /// Bytes recorded and not yet drained after which recording waits. On disk there may be two segments and the side
    /// files of nonces (16 bytes each) more.
    pub max_backlog: u64,
    /// How long recording waits then before it is refused.
    pub room_wait: Duration,
    /// Nonces remembered at once, about 16 bytes of memory each; further claims are refused as throttled.
    pub max_nonces: usize,
    pub on_corrupt: OnCorrupt,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Full,
            segment_bytes: 16 << 20,
            max_backlog: 64 << 20,
            room_wait: Duration::from_secs(5),
            max_nonces: 8 << 20,
            on_corrupt: OnCorrupt::Refuse,
        }
    }
}

/// What to do about damage that no crash of this process explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCorrupt {
    /// Do not open: the operator decides what happens to audit records that cannot be read.
    Refuse,
    /// Set the damaged file aside as `corrupt-…` and go on with what can be read of it. Nonces that cannot be read are
    /// forgotten.
    Quarantine,
}

/// What opening did to the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Bytes of an unfinished write that were cut off.
    pub cut_bytes: u64,
    /// Damaged files, under the names they were set aside as.
    pub quarantined: Vec<PathBuf>,
}

/// Why a journal cannot be opened or drained.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(transparent)]
    Dir(#[from] DirError),
    #[error("journal {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The file has a damaged place that is not its unfinished end.
    #[error("journal file {} is damaged at byte {offset}", path.display())]
    Corrupt { path: PathBuf, offset: u64 },
    #[error("the journal is being drained already")]
    AlreadyDrained,
}

impl JournalError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// The [`AuditSink`] and [`NonceStore`] of one machine. Recording needs a Tokio runtime with time.
pub struct Journal {
    shared: Arc<Shared>,
    recovery: Recovery,
    drain: Mutex<DrainState>,
    _lock: DirLock,
}

enum DrainState {
    Waiting { segments: Vec<u64>, sidecars: Vec<Sidecar> },
    Running(JoinHandle<()>),
}

impl Journal {
    /// Opens or creates the journal in `dir` (a directory of its own, mode 0700), reading what is there once. A second
    /// process is refused for as long as this value lives.
    pub fn open(dir: &Path, options: JournalOptions, clock: Arc<dyn Clock>) -> Result<Self, JournalError> {
        let guard = DirLock::acquire(dir, "journal.lock")?;
        let nonces = Nonces::new(options.max_nonces);
        let recovered = recover::recover(dir, &options, &nonces, clock.now().as_second())?;
        if recovered.report != Recovery::default() {
            tracing::warn!(report = ?recovered.report, "the journal was repaired");
        }
        let log = Log::open(dir, recovered.end, options.durability, options.segment_bytes)
            .map_err(JournalError::io(dir))?;
        let mark = drained::open(dir)?;
        let shared = Shared::new(
            dir.to_owned(),
            options,
            clock,
            nonces,
            log,
            recovered.drained,
            recovered.backlog,
            mark,
        );
        let segments = recovered.segments.into_iter().map(|end| end.segment).collect();
        Ok(Self {
            shared: Arc::new(shared),
            recovery: recovered.report,
            drain: Mutex::new(DrainState::Waiting { segments, sidecars: recovered.sidecars }),
            _lock: guard,
        })
    }

    /// Starts the drain, on a thread of lower priority. Once; until then nothing leaves the journal.
    pub fn drain_into(&self, handler: Arc<dyn DrainHandler>) -> Result<(), JournalError> {
        let mut state = lock(&self.drain);
        let DrainState::Waiting { segments, sidecars } = &mut *state else {
            return Err(JournalError::AlreadyDrained);
        };
        let io = |source| JournalError::Io { path: self.shared.dir.clone(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(io)?;
        let drain =
            Drain::new(Arc::clone(&self.shared), handler, std::mem::take(segments), std::mem::take(sidecars));
        let thread = thread::Builder::new()
            .name("journal-drain".to_owned())
            .spawn(move || drain.run(&runtime))
            .map_err(io)?;
        self.shared.drain.thread.set(thread.thread().clone()).ok();
        // It may have gone to sleep before it could be woken.
        thread.thread().unpark();
        *state = DrainState::Running(thread);
        Ok(())
    }

    /// What opening had to repair.
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Bytes recorded and not yet drained.
    pub fn backlog(&self) -> u64 {
        self.shared.backlog()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.drain.stop.store(true, Ordering::SeqCst);
        self.shared.drain.wake();
        let state = DrainState::Waiting { segments: Vec::new(), sidecars: Vec::new() };
        if let DrainState::Running(thread) = std::mem::replace(&mut *lock(&self.drain), state)
            && thread.join().is_err()
        {
            tracing::error!("the journal's drain panicked");
        }
    }
}

#[async_trait]
impl AuditSink for Journal {
    async fn record(&self, record: Record) -> Result<(), AuditError> {
        if record.0.len() > MAX_RECORD {
            return Err(AuditError::Unavailable("the record is larger than 1 MB".to_owned()));
        }
        self.shared.record(&[Entry::Audit(record.0)]).await.map_err(Into::into)
    }

    /// Fails when the drain fails while this waits for it, or was never started.
    async fn settle(&self) -> Result<(), AuditError> {
        let target = self.shared.recorded();
        let mut progress = self.shared.progress.subscribe();
        let failures = progress.borrow().failures;
        if progress.borrow().drained >= target {
            return Ok(());
        }
        if matches!(*lock(&self.drain), DrainState::Waiting { .. }) {
            return Err(AuditError::Unavailable("the journal is not drained".to_owned()));
        }
        self.shared.drain.urgent.store(true, Ordering::SeqCst);
        self.shared.drain.wake();
        let reached = progress
            .wait_for(|progress| progress.drained >= target || progress.failures > failures)
            .await
            .map_err(|error| AuditError::Unavailable(error.to_string()))?;
        if reached.drained >= target { Ok(()) } else { Err(AuditError::Unavailable(reached.reason.clone())) }
    }
}

#[async_trait]
impl NonceStore for Journal {
    /// A claim whose record fails stays remembered: its nonce is refused from then on.
    async fn claim(&self, claim: NonceClaim) -> Result<bool, StoreError> {
        let used = nonces::used(&claim);
        match self.shared.nonces.claim(used, self.shared.clock.now().as_second()) {
            Verdict::Seen => Ok(false),
            Verdict::Full => Err(StoreError::Throttled),
            Verdict::Fresh => {
                self.shared.record(&[Entry::Nonce(used)]).await?;
                Ok(true)
            }
        }
    }

    async fn claim_and_record(
        &self,
        claim: NonceClaim,
        audit: &dyn AuditSink,
        record: Record,
    ) -> (Result<bool, StoreError>, Result<(), AuditError>) {
        if !std::ptr::addr_eq(audit, self) || record.0.len() > MAX_RECORD {
            return tokio::join!(self.claim(claim), audit.record(record));
        }
        let used = nonces::used(&claim);
        match self.shared.nonces.claim(used, self.shared.clock.now().as_second()) {
            Verdict::Seen => (Ok(false), self.record(record).await),
            Verdict::Full => (Err(StoreError::Throttled), self.record(record).await),
            Verdict::Fresh => {
                let entries = [Entry::Nonce(used), Entry::Audit(record.0)];
                let written = self.shared.record(&entries).await;
                (written.clone().map(|()| true).map_err(Into::into), written.map_err(Into::into))
            }
        }
    }
}

impl From<Failure> for AuditError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.0.as_ref().to_owned())
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self::Unavailable(failure.0.as_ref().to_owned())
    }
}
